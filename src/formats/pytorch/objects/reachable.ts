import { isKind, type PickleValue } from "../../../containers/pickle/values.ts";
import { keyText, mappingEntries } from "../values/python-values.ts";
import { asSparse, asTensor } from "../values/torch-values.ts";
import { unreadTensor } from "../values/unread-tensors.ts";

/** A value with the dotted path that leads to it. */
export interface PlacedValue {
  readonly path: string;
  readonly value: PickleValue;
}

/**
 * Every tensor that an object holds, however deep and whatever the classes around it, in order of the pickle. Each
 * container is entered once, so shared and cyclic ones end; a tensor comes once for each place.
 */
export function reachableTensors(root: PickleValue, path: string): readonly PlacedValue[] {
  const found: PlacedValue[] = [];
  const seen = new Set<PickleValue>();
  const pending: PlacedValue[] = [{ path, value: root }];
  for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
    if (isTensorLike(place.value)) {
      found.push(place);
      continue;
    }
    if (typeof place.value !== "object" || place.value === null || seen.has(place.value)) continue;
    seen.add(place.value);
    pending.push(...childPlaces(place).reverse());
  }
  return found;
}

/** Whether torch would make a tensor of a value, be it of a kind that is read or not. */
export function isTensorLike(value: PickleValue | undefined): boolean {
  return asTensor(value) !== undefined || asSparse(value) !== undefined || unreadTensor(value) !== undefined;
}

/** The values directly within one, with their paths: keys of mappings, numbers in lists, attributes and arguments of objects. */
export function childPlaces({ path, value }: PlacedValue): PlacedValue[] {
  const entries = mappingEntries(value);
  if (entries)
    return [...entries].map(([key, child]) => ({ path: joinPath(path, keyText(key)), value: child }));
  if (isKind(value, "list") || isKind(value, "tuple")) return numbered(value.items, path);
  if (!isKind(value, "call")) return [];
  const args = { path: joinPath(path, "args"), value: value.args };
  const own = [value.state, value.entries].flatMap((inner) =>
    inner === undefined ? [] : [{ path, value: inner }],
  );
  return [args, ...numbered(value.items ?? [], path), ...own];
}

function numbered(items: readonly PickleValue[], path: string): PlacedValue[] {
  return items.map((value, index) => ({ path: joinPath(path, String(index)), value }));
}

/** `a.b`; the top has no name. */
export function joinPath(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}
