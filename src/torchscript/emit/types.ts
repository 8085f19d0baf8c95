import type { DType } from "../../core/dtype.ts";
import { ConvertError } from "../../core/errors.ts";

/** ONNX's numbers of element types (`TensorProto.DataType`). */
const codes: Partial<Record<DType, number>> = {
  F32: 1,
  U8: 2,
  I8: 3,
  U16: 4,
  I16: 5,
  I32: 6,
  I64: 7,
  BOOL: 9,
  F16: 10,
  F64: 11,
  U32: 12,
  U64: 13,
  BF16: 16,
};

/** The number of an element type in ONNX. Throws kind `unsupported` where graphs have none. */
export function typeCode(dtype: DType): number {
  const code = codes[dtype];
  if (code === undefined) throw new ConvertError("unsupported", `graphs compute nothing in ${dtype}`);
  return code;
}

/** Category of an element type in torch's order of promotion; a higher one wins. */
export type Category = "bool" | "integer" | "float" | "complex";

/** The categories, the lowest first. */
export const categories: readonly Category[] = ["bool", "integer", "float", "complex"];

/** Which category an element type belongs to. */
export function categoryOf(dtype: DType): Category {
  if (dtype === "BOOL") return "bool";
  if (dtype.startsWith("C")) return "complex";
  return dtype.startsWith("F") || dtype === "BF16" ? "float" : "integer";
}

/** Whether a type is a real floating-point one. */
export function isFloat(dtype: DType): boolean {
  return categoryOf(dtype) === "float";
}

/** Whether numbers of the type are computed exactly as the graph would compute them. */
export function isFoldable(dtype: DType): boolean {
  return ["BOOL", "U8", "I8", "I16", "I32", "I64", "F32", "F64"].includes(dtype);
}

const ranges: Partial<Record<DType, readonly [number, number]>> = {
  U8: [0, 255],
  I8: [-128, 127],
  I16: [-32768, 32767],
  I32: [-(2 ** 31), 2 ** 31 - 1],
  I64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
};

/** The nearest half-precision number, halves to even. */
function roundToHalf(value: number): number {
  const size = Math.abs(value);
  if (!Number.isFinite(value) || size === 0) return value;
  if (size >= 65520) return Math.sign(value) * Number.POSITIVE_INFINITY;
  const step = 2 ** (Math.max(Math.floor(Math.log2(size)), -14) - 10);
  const count = size / step;
  const floor = Math.floor(count);
  const isUp = count - floor > 0.5 || (count - floor === 0.5 && floor % 2 === 1);
  return Math.sign(value) * (isUp ? floor + 1 : floor) * step;
}

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The nearest number of bfloat16 to that of float32, as torch goes by way of it; halves to even. */
function roundToBfloat(value: number): number {
  if (Number.isNaN(value)) return value;
  float[0] = value;
  const word = bits[0] as number;
  bits[0] = (word + 0x7fff + ((word >>> 16) & 1)) & 0xffff0000;
  return float[0] as number;
}

/** A number of Python given to a tensor of the type: integers lose their fraction and wrap around. */
export function heldAs(dtype: DType, value: number): number {
  if (dtype === "F16") return roundToHalf(value);
  if (dtype === "BF16") return roundToBfloat(value);
  const range = ranges[dtype];
  if (range === undefined || dtype === "I64" || !Number.isFinite(value))
    return (isFoldable(dtype) ? roundTo(dtype, value) : undefined) ?? value;
  const count = range[1] - range[0] + 1;
  const above = (Math.trunc(value) - range[0]) % count;
  return (above < 0 ? above + count : above) + range[0];
}

/** A computed number as the type holds it; `undefined` where it does not fit, so that nothing is folded. */
export function roundTo(dtype: DType, value: number): number | undefined {
  if (dtype === "F32") return Math.fround(value);
  if (dtype === "F64") return value;
  if (dtype === "BOOL") return value === 0 ? 0 : 1;
  const range = ranges[dtype];
  if (range === undefined || !Number.isFinite(value)) return undefined;
  const whole = Math.trunc(value);
  return whole >= range[0] && whole <= range[1] ? whole + 0 : undefined;
}
