/**
 * What a pickle can hold. Python ints are numbers, or bigints beyond the safe range; bytes are Uint8Array.
 * Classes, calls and persistent ids stay inert records: nothing is looked up and nothing is run.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleFloat
  | PickleBytearray
  | PickleList
  | PickleTuple
  | PickleDict
  | PickleSet
  | PickleGlobal
  | PickleCall
  | PicklePersistent
  | PickleHost;

/** A Python float; kept apart from ints, which JavaScript would merge. */
export interface PickleFloat {
  readonly kind: "float";
  readonly value: number;
}

/** Python's bytearray; plain bytes are a Uint8Array. */
export interface PickleBytearray {
  readonly kind: "bytearray";
  readonly bytes: Uint8Array;
}

/** A list; it grows while the machine runs, and may end up holding itself. */
export interface PickleList {
  readonly kind: "list";
  readonly items: PickleValue[];
}

/** A tuple, complete when it is made. */
export interface PickleTuple {
  readonly kind: "tuple";
  readonly items: readonly PickleValue[];
}

/** A set or frozenset, in the order of the pickle; equal items are not merged. */
export interface PickleSet {
  readonly kind: "set";
  readonly frozen: boolean;
  readonly items: PickleValue[];
}

/** A name that Python would import: a class or a function. One record for each name within a pickle. */
export interface PickleGlobal {
  readonly kind: "global";
  readonly module: string;
  readonly name: string;
}

/** An object that Python would make by calling something, with all that the pickle does to it afterwards. */
export interface PickleCall {
  readonly kind: "call";
  /** `new` for NEWOBJ and NEWOBJ_EX, `call` for REDUCE, INST and OBJ. */
  readonly how: "call" | "new";
  readonly callable: PickleValue;
  readonly args: PickleValue;
  readonly kwargs: PickleValue | undefined;
  /** The argument of BUILD, `undefined` without one. */
  state: PickleValue | undefined;
  /** What APPEND, APPENDS and ADDITEMS added. */
  items: PickleValue[] | undefined;
  /** What SETITEM and SETITEMS set. */
  entries: PickleDict | undefined;
}

/** A persistent id that nobody resolved. */
export interface PicklePersistent {
  readonly kind: "persistent";
  readonly id: PickleValue;
}

/** A value that a handler put in the place of a call or of a persistent id. */
export interface PickleHost {
  readonly kind: "host";
  readonly value: object;
  state: PickleValue | undefined;
}

/**
 * A Python dict: insertion order, any keys, a later value replacing an earlier one in its place. A class, because a
 * pickle may hold millions and closures of their own would be most of their size.
 */
export class PickleDict {
  readonly kind = "dict";
  /** By a string key, or by what stands for a key of another type. */
  #entries: Map<unknown, [PickleValue, PickleValue]> | undefined;
  /** Stand-ins for keys that are equal by content: bytes and tuples. */
  #structured: Map<string, object> | undefined;

  get size(): number {
    return this.#entries?.size ?? 0;
  }

  set(key: PickleValue, value: PickleValue): void {
    const identity = this.#identity(key);
    this.#entries ??= new Map();
    const entry = this.#entries.get(identity);
    if (entry) entry[1] = value;
    else this.#entries.set(identity, [key, value]);
  }

  /** The value under a string key. */
  get(key: string): PickleValue | undefined {
    return this.#entries?.get(key)?.[1];
  }

  entries(): Iterable<readonly [PickleValue, PickleValue]> {
    return this.#entries?.values() ?? [];
  }

  /** Equal for keys that Python holds equal: 1, 1.0 and True are one key; so are equal bytes and equal tuples. */
  #identity(key: PickleValue): unknown {
    if (typeof key === "boolean") return Number(key);
    if (typeof key !== "object" || key === null) return key;
    if (isKind(key, "float")) return key.value;
    const content = contentOf(key);
    if (content === undefined) return key;
    this.#structured ??= new Map();
    const known = this.#structured.get(content);
    if (known === undefined) this.#structured.set(content, key);
    return known ?? key;
  }
}

/** Keys are recalled from the memo as often as a pickle likes, and may be long. */
const contents = new WeakMap<object, string>();

/** Text that equal bytes and equal tuples of plain values share; `undefined` for what is equal only to itself. */
function contentOf(key: object & PickleValue): string | undefined {
  const known = contents.get(key);
  if (known !== undefined) return known;
  const content = contentText(key);
  if (content !== undefined) contents.set(key, content);
  return content;
}

function contentText(key: object & PickleValue): string | undefined {
  if (key instanceof Uint8Array) return `bytes ${key.join(",")}`;
  if (!isKind(key, "tuple")) return undefined;
  const parts: string[] = [];
  for (const item of key.items) {
    if (typeof item === "object" && item !== null) return undefined;
    parts.push(
      typeof item === "string"
        ? JSON.stringify(item)
        : String(typeof item === "boolean" ? Number(item) : item),
    );
  }
  return `tuple ${parts.join(",")}`;
}

/** Whether a value is one of the records above, of the given kind. */
export function isKind<
  K extends Exclude<PickleValue, null | boolean | number | bigint | string | Uint8Array>["kind"],
>(value: PickleValue | undefined, kind: K): value is Extract<PickleValue, { kind: K }> {
  return typeof value === "object" && value !== null && !(value instanceof Uint8Array) && value.kind === kind;
}

/** Whether a value is the global `module.name`. */
export function isGlobal(value: PickleValue | undefined, module: string, name: string): boolean {
  return isKind(value, "global") && value.module === module && value.name === name;
}
