import fc from "fast-check";
import { join, little, type Part } from "../../scripts/fixtures/failure/bytes.mjs";
import { op } from "../../scripts/fixtures/failure/pickle.mjs";
import { isKind, type PickleValue } from "../../src/containers/pickle/values.ts";

/** A value of Python, in a form that compares by content. */
export type PythonValue =
  | null
  | boolean
  | string
  | { readonly int: bigint }
  | { readonly float: number }
  | { readonly bytes: readonly number[] }
  | { readonly bytearray: readonly number[] }
  | { readonly list: readonly PythonValue[] }
  | { readonly tuple: readonly PythonValue[] }
  | { readonly set: readonly PythonValue[] }
  | { readonly frozenset: readonly PythonValue[] }
  | { readonly dict: readonly (readonly [string, PythonValue])[] };

const byteArray = fc.array(fc.nat(255), { maxLength: 12 });
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.constantFrom("\ud800", "\udfff lone", "'quoted\"", "\\u0041", "a\nb", "__proto__", "é".repeat(200)),
);

/** Any small Python value that a pickle can hold without a class. */
export const pythonValue: fc.Arbitrary<PythonValue> = fc.letrec<{ value: PythonValue }>((tie) => {
  const items = fc.array(tie("value"), { maxLength: 4 });
  return {
    value: fc.oneof(
      { depthSize: "small" },
      fc.constantFrom(null, true, false),
      text,
      fc
        .oneof(fc.integer(), fc.nat(300), fc.bigInt(), fc.constantFrom(-(2n ** 63n), 2n ** 2000n))
        .map((int) => ({
          int: BigInt(int),
        })),
      fc.double().map((float) => ({ float })),
      byteArray.map((bytes) => ({ bytes })),
      byteArray.map((bytearray) => ({ bytearray })),
      items.map((list) => ({ list })),
      items.map((tuple) => ({ tuple })),
      items.map((set) => ({ set })),
      items.map((frozenset) => ({ frozenset })),
      fc
        .uniqueArray(fc.tuple(text, tie("value")), { selector: ([key]) => key, maxLength: 4 })
        .map((dict) => ({ dict })),
    ),
  };
}).value;

/** A value that the reader gave, in the same form. */
export function comparable(value: PickleValue): PythonValue {
  if (value === null || typeof value === "boolean" || typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "bigint") return { int: BigInt(value) };
  if (value instanceof Uint8Array) return { bytes: [...value] };
  if (isKind(value, "float")) return { float: value.value };
  if (isKind(value, "bytearray")) return { bytearray: [...value.bytes] };
  if (isKind(value, "list")) return { list: value.items.map(comparable) };
  if (isKind(value, "tuple")) return { tuple: value.items.map(comparable) };
  if (isKind(value, "set"))
    return value.frozen ? { frozenset: value.items.map(comparable) } : { set: value.items.map(comparable) };
  if (isKind(value, "dict"))
    return { dict: [...value.entries()].map(([key, item]) => [key as string, comparable(item)] as const) };
  throw new Error(`no plain value: ${value.kind}`);
}

/** Picks one of `count` ways; every opcode that can write a value has its turn. */
export type Choose = (count: number) => number;

/** A pickle of `value` that uses any opcodes of all protocols. */
export function encodePython(value: PythonValue, choose: Choose): Uint8Array<ArrayBuffer> {
  return join(0x80, choose(6), encode(value, choose), op.STOP);
}

function encode(value: PythonValue, choose: Choose): Part {
  const code = plain(value, choose);
  // What is stored, dropped and recalled is the same value; index 300 needs a wide opcode.
  switch (choose(8)) {
    case 0:
      return [code, 0x71, 7, op.POP, 0x68, 7];
    case 1:
      return [code, 0x72, little(300, 4), op.POP, 0x6a, little(300, 4)];
    case 2:
      return [code, "p12345\n", op.POP, "g12345\n"];
    case 3:
      return [op.MARK, op.NONE, op.POP_MARK, code, op.DUP, op.POP];
    case 4:
      return [code, op.MEMOIZE];
    default:
      return code;
  }
}

function plain(value: PythonValue, choose: Choose): Part {
  if (value === null) return op.NONE;
  if (typeof value === "boolean") {
    return choose(2) === 0 ? (value ? op.NEWTRUE : op.NEWFALSE) : value ? "I01\n" : "I00\n";
  }
  if (typeof value === "string") return encodeText(value, choose);
  if ("int" in value) return encodeInt(value.int, choose);
  if ("float" in value) return encodeFloat(value.float, choose);
  if ("bytes" in value) return encodeBytes(Uint8Array.from(value.bytes), choose);
  if ("bytearray" in value)
    return [0x96, little(value.bytearray.length, 8), Uint8Array.from(value.bytearray)];
  if ("dict" in value) return encodeDict(value.dict, choose);
  return encodeItems(value, choose);
}

function encodeItems(
  value: Extract<PythonValue, object> &
    (
      | { readonly list: readonly PythonValue[] }
      | { readonly tuple: readonly PythonValue[] }
      | { readonly set: readonly PythonValue[] }
      | { readonly frozenset: readonly PythonValue[] }
    ),
  choose: Choose,
): Part {
  if ("list" in value) {
    const items = value.list.map((item) => encode(item, choose));
    const ways: Part[] = [
      [op.MARK, items, op.LIST],
      [op.EMPTY_LIST, op.MARK, items, op.APPENDS],
      [op.EMPTY_LIST, items.map((item) => [item, op.APPEND])],
    ];
    return ways[choose(3)] as Part;
  }
  if ("tuple" in value) {
    const items = value.tuple.map((item) => encode(item, choose));
    const short = [op.EMPTY_TUPLE, op.TUPLE1, op.TUPLE2, op.TUPLE3][items.length];
    return short === undefined || choose(2) === 0 ? [op.MARK, items, op.TUPLE] : [items, short];
  }
  if ("set" in value) {
    const items = value.set.map((item) => encode(item, choose));
    return [op.EMPTY_SET, op.MARK, items, op.ADDITEMS];
  }
  return [op.MARK, value.frozenset.map((item) => encode(item, choose)), op.FROZENSET];
}

function encodeDict(entries: readonly (readonly [string, PythonValue])[], choose: Choose): Part {
  const pairs = entries.map(([key, item]): Part => [encode(key, choose), encode(item, choose)]);
  const ways: Part[] = [
    [op.MARK, pairs, op.DICT],
    [op.EMPTY_DICT, op.MARK, pairs, op.SETITEMS],
    [op.EMPTY_DICT, pairs.map((pair) => [pair, op.SETITEM])],
  ];
  return ways[choose(3)] as Part;
}

/** Python's `surrogatepass`. */
function utf8(text: string): Uint8Array {
  return join(
    ...[...text].map((character): Part => {
      if (character.isWellFormed()) return character;
      const code = character.charCodeAt(0);
      return [0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)];
    }),
  );
}

function encodeText(value: string, choose: Choose): Part {
  const bytes = utf8(value);
  const hex = (code: number) => `\\u${code.toString(16).padStart(4, "0")}`;
  const escaped = Array.from({ length: value.length }, (_, at) => hex(value.charCodeAt(at))).join("");
  const octal = [...bytes].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
  const ways: Part[] = [
    [0x58, little(bytes.length, 4), bytes],
    [0x8d, little(bytes.length, 8), bytes],
    ["V", escaped, "\n"],
    // Python 2's byte strings are text where they are UTF-8.
    ["S'", octal, "'\n"],
    [0x54, little(bytes.length, 4), bytes],
  ];
  if (bytes.length < 256) ways.push([0x8c, bytes.length, bytes], [0x55, bytes.length, bytes]);
  return ways[choose(ways.length)] as Part;
}

function encodeInt(value: bigint, choose: Choose): Part {
  const size = Math.ceil((value.toString(16).length + 1) / 2) + 1;
  const ways: Part[] = [
    ["I", String(value), "\n"],
    ["L", String(value), "L\n"],
    [0x8b, little(size, 4), little(value, size)],
  ];
  if (size < 256) ways.push([0x8a, size, little(value, size)]);
  if (value === 0n) ways.push([0x8a, 0]);
  if (BigInt.asIntN(32, value) === value) ways.push([0x4a, little(value, 4)]);
  if (BigInt.asUintN(16, value) === value) ways.push([0x4d, little(value, 2)]);
  if (BigInt.asUintN(8, value) === value) ways.push([0x4b, little(value, 1)]);
  return ways[choose(ways.length)] as Part;
}

function encodeFloat(value: number, choose: Choose): Part {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value);
  // Python's repr: `inf`, `nan`, and a sign on zero that String() leaves out.
  const repr = Object.is(value, -0) ? "-0.0" : String(value).replace("Infinity", "inf").replace("NaN", "nan");
  return choose(2) === 0 ? [0x47, bytes] : ["F", repr, "\n"];
}

function encodeBytes(bytes: Uint8Array, choose: Choose): Part {
  const ways: Part[] = [
    [0x42, little(bytes.length, 4), bytes],
    [0x43, bytes.length, bytes],
    [0x8e, little(bytes.length, 8), bytes],
  ];
  return ways[choose(3)] as Part;
}
