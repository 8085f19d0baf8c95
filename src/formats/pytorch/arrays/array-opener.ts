import { isKind, type PickleValue } from "../../../containers/pickle/values.ts";
import { host } from "../values/torch-values.ts";
import { isArray, readArray } from "./numpy-array.ts";

/** Takes NumPy's arrays for tensors; for objects, or parts of them, that have none of torch's own. */
export interface ArrayOpener {
  /** An array or scalar as the tensor of its elements, a list with arrays as one with tensors; any other value as it is. The same value gives the same one. */
  open(value: PickleValue): PickleValue;
  /** What a value that `open` gave was before. */
  originOf(value: PickleValue): "array" | "scalar" | undefined;
}

/** An opener for one object; it names storages by the order in which they are opened. */
export function createArrayOpener(): ArrayOpener {
  const opened = new Map<PickleValue, PickleValue>();
  const origins = new Map<PickleValue, "array" | "scalar">();

  function openNew(value: PickleValue & object): PickleValue {
    if (
      (isKind(value, "list") || isKind(value, "tuple")) &&
      value.items.some((item: PickleValue) => isArray(item))
    ) {
      const list = {
        ...value,
        items: value.items.map((item: PickleValue) => (isArray(item) ? open(item) : item)),
      };
      origins.set(list, "array");
      return list;
    }
    const array = readArray(value, `array ${origins.size}`);
    if (array === undefined) return value;
    const tensor = host(array.tensor ?? { type: "unread", problem: array.problem });
    origins.set(tensor, isArray(value) ? "array" : "scalar");
    return tensor;
  }

  function open(value: PickleValue): PickleValue {
    if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
    const known = opened.get(value);
    if (known !== undefined) return known;
    const made = openNew(value);
    opened.set(value, made);
    // What was opened before stays as it is.
    opened.set(made, made);
    return made;
  }

  return { open, originOf: (value) => origins.get(value) };
}
