import { ConvertError } from "../../core/errors.ts";
import { describe, isA, type Value } from "./value.ts";

/** What stands for a dict's key in a Map: equal for keys that Python holds equal. Throws kind `unsupported` for others than numbers, strings, enums and tuples of them. */
export function dictKey(key: Value): unknown {
  if (key === null || typeof key === "string") return key;
  if (typeof key === "bigint" && !Number.isSafeInteger(Number(key))) return key;
  if (typeof key === "bigint" || typeof key === "boolean") return Number(key);
  if (typeof key === "number") return key;
  if (isA(key, "tuple")) return `tuple ${JSON.stringify(key.items.map(dictKey))}`;
  if (isA(key, "enum")) return `enum ${key.className}.${key.name}`;
  if (isA(key, "tensor") || isA(key, "object")) return key;
  throw new ConvertError("unsupported", `${describe(key)} is no key of a dict`);
}
