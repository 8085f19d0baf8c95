import { ConvertError } from "../../core/errors.ts";
import { memberSpans } from "./members.ts";

/** Strings to set in an object and keys to take out of it. */
export interface ObjectChanges {
  readonly set: ReadonlyMap<string, string>;
  readonly remove: readonly string[];
}

/** How the members of an object are laid out: what stands before the first, between two, and behind the last. */
export interface ObjectLayout {
  readonly before: string;
  readonly between: string;
  readonly after: string;
  readonly colon: string;
}

/**
 * The text of the object that begins at `at`, changed: members keep their order and their spelling, new ones come last, replaced ones
 * stay in place. `undefined` for `at` begins with an empty object. Throws kind `usage` for a key to remove that is not there.
 */
export function editObject(
  bytes: Uint8Array,
  at: number | undefined,
  changes: ObjectChanges,
  layout: ObjectLayout,
  file: string,
): string {
  const members = at === undefined ? [] : memberSpans(bytes, at);
  const keys = members.map(({ key }) => key);
  for (const key of changes.remove) {
    if (keys.includes(key)) continue;
    throw new ConvertError("usage", `there is no metadata key "${key}" to remove`, {
      file,
      hint: keys.length === 0 ? "there is no metadata at all" : `there are ${keys.slice(0, 12).join(", ")}`,
    });
  }
  const decoder = new TextDecoder();
  const spell = (key: string, value: string) =>
    `${JSON.stringify(key)}${layout.colon}${JSON.stringify(value)}`;
  const kept = members
    .filter(({ key }) => !changes.remove.includes(key))
    .map(({ key, start, end }) => {
      const value = changes.set.get(key);
      return value === undefined ? decoder.decode(bytes.subarray(start, end)) : spell(key, value);
    });
  const added = [...changes.set]
    .filter(([key]) => !keys.includes(key))
    .map(([key, value]) => spell(key, value));
  const all = [...kept, ...added];
  return all.length === 0 ? "{}" : `{${layout.before}${all.join(layout.between)}${layout.after}}`;
}
