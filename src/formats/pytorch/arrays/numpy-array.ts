import { safeProduct } from "../../../bytes/size.ts";
import { encodeLatin1, encodeSurrogatePass } from "../../../bytes/utf8.ts";
import {
  isGlobal,
  isKind,
  type PickleCall,
  type PickleGlobal,
  type PickleValue,
} from "../../../containers/pickle/values.ts";
import { type ByteSource, bytesSource } from "../../../core/source.ts";
import { inLittleEndian } from "../values/byte-order.ts";
import { bytesOf } from "../values/python-values.ts";
import { asArrayBytes, sizesOf, type TorchTensor } from "../values/torch-values.ts";
import { type ArrayDType, arrayDType } from "./array-dtype.ts";
import { isFromBuffer } from "./array-payload.ts";
import { latin1Text } from "./latin1-text.ts";

/** A NumPy array: as a tensor of the same elements, or why there is none. */
export type ReadArray =
  | { readonly tensor: TorchTensor; readonly problem?: undefined }
  /** The end of a sentence that starts with the array. */
  | { readonly tensor?: undefined; readonly problem: string };

/** What a pickle says of an array. */
interface ArrayParts {
  readonly shape: readonly number[] | undefined;
  readonly strides: readonly number[];
  readonly dtype: PickleValue | undefined;
  readonly elements: PickleValue | undefined;
}

/**
 * The array or scalar of NumPy that a value is; `undefined` where it is none (FORMAT.md, "NumPy arrays"). `key` names its
 * storage. Its elements stay where they are; nothing is read.
 */
export function readArray(value: PickleValue | undefined, key: string): ReadArray | undefined {
  if (!isKind(value, "call") || !isKind(value.callable, "global")) return undefined;
  const subclass = foreignClass(value, value.callable);
  if (subclass !== undefined)
    return { problem: `is of the class ${subclass}, and only that class knows what its array means` };
  const parts = partsOf(value, value.callable);
  return parts && readParts(parts, key);
}

/** Whether a value is an array, and no mere scalar. */
export function isArray(value: PickleValue | undefined): boolean {
  if (!isKind(value, "call") || !isKind(value.callable, "global")) return false;
  return isReconstruct(value.callable) || isFromBuffer(value.callable);
}

function isReconstruct({ module, name }: PickleGlobal): boolean {
  return name === "_reconstruct" && isMultiarray(module);
}

function isMultiarray(module: string): boolean {
  return /^numpy\.(_?core\.)?multiarray$/.test(module);
}

/** Classes of NumPy itself whose elements are those of a plain array. */
const plainClasses = /^(ndarray|matrix|memmap)$/;

function foreignClass({ args }: PickleCall, callable: PickleGlobal): string | undefined {
  if (!isReconstruct(callable)) return undefined;
  const type = isKind(args, "tuple") ? args.items[0] : undefined;
  if (!isKind(type, "global")) return "(unnamed)";
  const isPlain = /^numpy(\.|$)/.test(type.module) && plainClasses.test(type.name);
  return isPlain ? undefined : `${type.module}.${type.name}`;
}

function partsOf({ args, state }: PickleCall, callable: PickleGlobal): ArrayParts | undefined {
  const items = isKind(args, "tuple") ? args.items : [];
  if (isReconstruct(callable)) {
    // (version, shape, dtype, isFortran, elements); the first releases had no version.
    const [shape, dtype, isFortran, elements] = isKind(state, "tuple") ? state.items.slice(-4) : [];
    return { ...layout(sizesOf(shape), isFortran === true || isFortran === 1), dtype, elements };
  }
  if (isFromBuffer(callable)) {
    const [elements, dtype, shape, order, axes] = items;
    const stored = layout(sizesOf(shape), order === "F");
    return { ...(order === "K" ? permuted(stored, sizesOf(axes)) : stored), dtype, elements };
  }
  if (isMultiarray(callable.module) && callable.name === "scalar") {
    const [dtype, elements] = items;
    return { shape: [], strides: [], dtype, elements };
  }
  return undefined;
}

type Layout = Pick<ArrayParts, "shape" | "strides">;

function layout(shape: readonly number[] | undefined, isFortran: boolean): Layout {
  const strides: number[] = [];
  let step = 1;
  for (const size of isFortran ? (shape ?? []) : [...(shape ?? [])].reverse()) {
    strides.push(step);
    step *= size;
  }
  return { shape, strides: isFortran ? strides : strides.reverse() };
}

/** NumPy 2 writes a transposed array as the straight one, and its axes in their order. */
function permuted({ shape = [], strides }: Layout, axes: readonly number[] | undefined): Layout {
  if (axes?.length !== shape.length || new Set(axes).size !== axes.length)
    return { shape: undefined, strides };
  const take = (sizes: readonly number[]): (number | undefined)[] => axes.map((axis) => sizes[axis]);
  const sizes = take(shape);
  if (sizes.includes(undefined)) return { shape: undefined, strides };
  return { shape: sizes as number[], strides: take(strides) as number[] };
}

function readParts({ shape, strides, dtype, elements }: ArrayParts, key: string): ReadArray | undefined {
  const type = arrayDType(dtype);
  if (type === undefined || shape === undefined)
    return { problem: "is a NumPy array whose type or shape is not understood" };
  // Texts and dates are no weights, and are left behind like other texts.
  if (/^[<>]?[USMm]\d/.test(type.name)) return undefined;
  if (type.type === undefined) return { problem: describeType(type.name) };
  const bytes = safeProduct([...shape, type.type.itemBytes]);
  const source = bytes === undefined ? undefined : elementsOf(elements, bytes);
  if (source?.size !== bytes || source === undefined)
    return {
      problem: `is a NumPy array of shape [${shape.join(", ")}] and type ${type.name} with other bytes than that needs`,
    };
  return { tensor: tensorOf(type as KnownDType, shape, strides, source, key) };
}

type KnownDType = ArrayDType & { readonly type: NonNullable<ArrayDType["type"]> };

function tensorOf(
  { type, order }: KnownDType,
  shape: readonly number[],
  strides: readonly number[],
  stored: ByteSource,
  key: string,
): TorchTensor {
  const source = inLittleEndian(stored, order, type);
  return {
    type: "tensor",
    storage: { type: "storage", key, dtype: type, source },
    dtype: type,
    offset: 0,
    shape,
    strides,
  };
}

function describeType(name: string): string {
  const [, letter = ""] = /^[<>]?(\w)/.exec(name) ?? [];
  const kinds: Readonly<Record<string, string>> = {
    O: "Python objects",
    V: "records",
  };
  const kind = kinds[letter];
  return kind
    ? `is a NumPy array of ${kind}, not of numbers`
    : `is a NumPy array of the type ${name}, which no tensor has`;
}

/** The bytes of an array, in whatever way its protocol wrote them; `undefined` where they are none. */
function elementsOf(value: PickleValue | undefined, size: number): ByteSource | undefined {
  const name = "array";
  // Protocol 2 writes no bytes as a call of `bytes`.
  if (size === 0) return bytesSource(name, new Uint8Array(0));
  const range = asArrayBytes(value) ?? encodedText(value);
  if (range !== undefined) return range.isText ? latin1Text(range.source, size) : range.source;
  if (isKind(value, "bytearray")) return bytesSource(name, value.bytes);
  const bytes = typeof value === "string" ? byteString(value, size) : bytesOf(value);
  return bytes && bytesSource(name, bytes);
}

/** `_codecs.encode(text, "latin1")` of a text that was left in the file. */
function encodedText(value: PickleValue | undefined): ReturnType<typeof asArrayBytes> {
  if (!isKind(value, "call") || !isGlobal(value.callable, "_codecs", "encode")) return undefined;
  return isKind(value.args, "tuple") && value.args.items[1] === "latin1"
    ? asArrayBytes(value.args.items[0])
    : undefined;
}

/**
 * A byte string of Python 2, which was taken for UTF-8 where it is that, and else for Latin-1. The two differ in length
 * as soon as they differ at all, so the length that is needed tells which it was.
 */
function byteString(text: string, size: number): Uint8Array | undefined {
  const utf8 = encodeSurrogatePass(text);
  return utf8.length === size ? utf8 : encodeLatin1(text);
}
