import { encodeLatin1 } from "../../../bytes/utf8.ts";
import {
  isGlobal,
  isKind,
  type PickleDict,
  type PickleGlobal,
  type PickleValue,
} from "../../../containers/pickle/values.ts";
import { asStorage, asTensor } from "./torch-values.ts";

const mappingClasses = new Set(["collections OrderedDict", "collections defaultdict", "collections Counter"]);

/** The entries of a dict or of one of its usual subclasses; `undefined` for everything else. */
export function mappingEntries(
  value: PickleValue | undefined,
): Iterable<readonly [PickleValue, PickleValue]> | undefined {
  if (isKind(value, "dict")) return value.entries();
  if (!isKind(value, "call") || !isKind(value.callable, "global")) return undefined;
  if (!mappingClasses.has(globalName(value.callable))) return undefined;
  return value.entries?.entries() ?? pairsOf(value.args) ?? [];
}

/** Python 2 gave an OrderedDict its items as a list of pairs. */
function pairsOf(args: PickleValue): (readonly [PickleValue, PickleValue])[] | undefined {
  const list = isKind(args, "tuple") ? args.items[0] : undefined;
  if (!isKind(list, "list")) return undefined;
  const pairs: [PickleValue, PickleValue][] = [];
  for (const pair of list.items) {
    if ((isKind(pair, "list") || isKind(pair, "tuple")) && pair.items.length === 2) {
      pairs.push([pair.items[0] as PickleValue, pair.items[1] as PickleValue]);
    }
  }
  return pairs;
}

/** The items of a list, a tuple or a deque; `undefined` for everything else. */
export function sequenceItems(value: PickleValue | undefined): readonly PickleValue[] | undefined {
  if (isKind(value, "list") || isKind(value, "tuple")) return value.items;
  if (!isKind(value, "call") || !isGlobal(value.callable, "collections", "deque")) return undefined;
  // Its arguments are an empty tuple, or an empty list and how many it holds at the most.
  return value.items ?? [];
}

/** The attributes that BUILD gave to an object, if it gave it any. */
export function attributesOf(value: PickleValue | undefined): PickleDict | undefined {
  return isKind(value, "call") && isKind(value.state, "dict") ? value.state : undefined;
}

/** The members of a set, however its protocol spells it; none for anything else. */
export function itemsOfSet(value: PickleValue | undefined): readonly PickleValue[] {
  if (isKind(value, "set")) return value.items;
  if (!isKind(value, "call") || !isKind(value.callable, "global") || !isKind(value.args, "tuple")) return [];
  if (!/^(__builtin__|builtins) (frozen)?set$/.test(globalName(value.callable))) return [];
  const [list] = value.args.items;
  return isKind(list, "list") ? list.items : [];
}

/** `module name`, as the tables here spell globals. */
function globalName(global: PickleGlobal): string {
  return `${global.module} ${global.name}`;
}

/** Bytes, as any protocol spells them: protocol 2 has `_codecs.encode(text, "latin1")`. */
export function bytesOf(value: PickleValue | undefined): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  if (
    !isKind(value, "call") ||
    !isGlobal(value.callable, "_codecs", "encode") ||
    !isKind(value.args, "tuple")
  )
    return undefined;
  const [text, encoding] = value.args.items;
  return typeof text === "string" && encoding === "latin1" ? encodeLatin1(text) : undefined;
}

/** A dict key as a name: strings as they are, everything else as Python would print it. */
export function keyText(key: PickleValue): string {
  return typeof key === "string" ? key : pythonText(key, 0);
}

function pythonText(value: PickleValue, depth: number): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "string") return `'${value}'`;
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  if (value instanceof Uint8Array) return bytesText(value);
  if (isKind(value, "float"))
    return Number.isInteger(value.value) ? value.value.toFixed(1) : String(value.value);
  if (!isKind(value, "tuple") || depth > 8) return `(${describeValue(value)})`;
  const items = value.items.map((item) => pythonText(item, depth + 1));
  return items.length === 1 ? `(${items[0]},)` : `(${items.join(", ")})`;
}

/** Bytes as Python prints them; a name is no place for long ones. */
function bytesText(bytes: Uint8Array): string {
  if (bytes.length > maxBytesInName) return `(${bytes.length} bytes)`;
  const text = [...bytes].map(byteText).join("");
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  return `b${quote}${quote === "'" ? text.replaceAll("'", "\\'") : text}${quote}`;
}

const maxBytesInName = 1000;

function byteText(byte: number): string {
  const short = { 9: "\\t", 10: "\\n", 13: "\\r", 92: "\\\\" }[byte];
  if (short !== undefined) return short;
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`;
}

/** What a value is, for people: `an int`, `a dict of 3`, `a numpy.ndarray`. */
export function describeValue(value: PickleValue): string {
  if (value === null) return "None";
  if (typeof value === "boolean") return "a bool";
  if (typeof value === "number" || typeof value === "bigint") return "an int";
  if (typeof value === "string") return "a string";
  if (value instanceof Uint8Array) return "bytes";
  switch (value.kind) {
    case "float":
    case "bytearray":
    case "set":
      return `a ${value.kind}`;
    case "list":
    case "tuple":
      return `a ${value.kind} of ${value.items.length}`;
    case "dict":
      return `a dict of ${value.size}`;
    case "global":
      return `the name ${value.module}.${value.name}`;
    case "persistent":
      return "a reference to something outside";
    case "host":
      return asTensor(value) ? "a tensor" : asStorage(value) ? "a storage" : "a value";
    case "call":
      return describeCall(value.callable, value.entries);
  }
}

function describeCall(callable: PickleValue, entries: PickleDict | undefined): string {
  if (!isKind(callable, "global")) return "an object";
  const article = /^[aeiou]/i.test(callable.module) ? "an" : "a";
  const count = mappingClasses.has(globalName(callable)) ? ` of ${entries?.size ?? 0}` : "";
  return `${article} ${callable.module}.${callable.name}${count}`;
}
