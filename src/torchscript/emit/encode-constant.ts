import { bitsOf, type DType } from "../../core/dtype.ts";
import { ConvertError } from "../../core/errors.ts";
import type { ConstantTensor } from "../../core/graph.ts";

type Put = (view: DataView, at: number, value: number) => void;

const writers: Partial<Record<DType, Put>> = {
  BOOL: (view, at, value) => view.setUint8(at, value === 0 ? 0 : 1),
  U8: (view, at, value) => view.setUint8(at, value),
  I8: (view, at, value) => view.setInt8(at, value),
  I16: (view, at, value) => view.setInt16(at, value, true),
  I32: (view, at, value) => view.setInt32(at, value, true),
  // Beyond a double's integers stands "to the end".
  I64: (view, at, value) => view.setBigInt64(at, wideInteger(value), true),
  F16: (view, at, value) => view.setUint16(at, halfBits(value), true),
  BF16: (view, at, value) => view.setUint16(at, bfloatBits(value), true),
  F32: (view, at, value) => view.setFloat32(at, value, true),
  F64: (view, at, value) => view.setFloat64(at, value, true),
};

/** Known numbers as the bytes of a tensor, each rounded to nearest even. Throws kind `unsupported` for a dtype that has no constants. */
export function encodeConstant(
  dtype: DType,
  shape: readonly number[],
  values: readonly number[],
): ConstantTensor {
  const put = writers[dtype];
  if (put === undefined)
    throw new ConvertError("unsupported", `constants of dtype ${dtype} are not supported in graphs`);
  const itemBytes = bitsOf(dtype) / 8;
  const bytes = new Uint8Array(values.length * itemBytes);
  const view = new DataView(bytes.buffer);
  for (const [index, value] of values.entries()) put(view, index * itemBytes, value);
  return { dtype, shape, bytes };
}

/** A 64-bit integer; what is beyond the safe integers is the largest or the smallest there is. */
function wideInteger(value: number): bigint {
  if (value >= Number.MAX_SAFE_INTEGER) return 2n ** 63n - 1n;
  if (value <= Number.MIN_SAFE_INTEGER) return -(2n ** 63n);
  return BigInt(Math.trunc(value));
}

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

function bfloatBits(value: number): number {
  float[0] = value;
  const word = bits[0] as number;
  if (Number.isNaN(value)) return 0x7fc0;
  return ((word + 0x7fff + ((word >>> 16) & 1)) >>> 16) & 0xffff;
}

/** The nearest half-precision number, halves to even. */
function halfBits(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude >= 65520) return sign | 0x7c00;
  if (magnitude < 2 ** -14) return sign | roundEven(magnitude / 2 ** -24);
  const exponent = Math.floor(Math.log2(magnitude));
  const exact =
    2 ** exponent > magnitude ? exponent - 1 : 2 ** (exponent + 1) <= magnitude ? exponent + 1 : exponent;
  // A mantissa that rounds up to 2048 carries into the exponent by itself.
  return sign | (((exact + 15) << 10) + roundEven((magnitude / 2 ** exact - 1) * 1024));
}

function roundEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest > 0.5 || (rest === 0.5 && floor % 2 === 1)) return floor + 1;
  return floor;
}
