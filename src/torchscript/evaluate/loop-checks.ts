import { ConvertError } from "../../core/errors.ts";
import type { ListValue } from "../values/value.ts";
import type { Slot } from "./slots.ts";
import type { State } from "./state.ts";

/** Refuses (kind `unsupported`) that a list takes in memory that later turns write. */
export function checkAppended(appended: readonly Slot[], before: State, given: readonly Slot[]): void {
  for (const { storage } of appended) {
    if (storage === undefined) continue;
    const isWritten = given.some((slot) => slot.storage !== undefined && slot.storage.version > 0);
    if (before.storages.has(storage) || isWritten)
      throw new ConvertError(
        "unsupported",
        "a loop that data decide appends memory that others see or write",
      );
  }
}

/** Refuses (kind `unsupported`) a turn that changes lists other than those that it grows, dicts or objects. */
export function checkContainers(before: State, after: State, grown: readonly ListValue[]): void {
  const isSame = <K, V>(left: ReadonlyMap<K, V>, right: ReadonlyMap<K, V> | undefined): boolean =>
    left.size === right?.size && [...left].every(([key, value]) => right.get(key) === value);
  const lists = [...before.lists].every(([list, items]) => {
    const now = after.lists.get(list);
    if (grown.includes(list)) return true;
    return now?.length === items.length && items.every((item, index) => item === now[index]);
  });
  const dicts = [...before.dicts].every(([dict, entries]) => isSame(entries, after.dicts.get(dict)));
  const objects = [...before.objects].every(([object, own]) => isSame(own, after.objects.get(object)));
  if (lists && dicts && objects) return;
  throw new ConvertError(
    "unsupported",
    "a list, a dict or an object changes in a loop of which data decide the turns",
  );
}
