/** Floating-point types that are cast into each other, in the spelling of safetensors; `F8_E4M3` is torch's `float8_e4m3fn`. */
export type FloatType = NarrowFloat | "F32" | "F64";

/** The types of 8 and 16 bits. */
export type NarrowFloat = "F16" | "BF16" | "F8_E4M3" | "F8_E5M2" | "F8_E4M3FNUZ" | "F8_E5M2FNUZ";

interface NarrowFacts {
  readonly bytes: 1 | 2;
  /** Bits of the fraction; the exponent has the rest but for the sign. */
  readonly fraction: number;
  readonly bias: number;
  /** The code of infinity, where there is one. */
  readonly infinity?: number;
  /** The code that stands for all numbers beyond the range, infinite ones too, where these do not become infinite or NaN. */
  readonly saturation?: number;
  /** The first code that is no number, without its sign. */
  readonly nan: number;
  /** Neither a negative zero nor signed NaNs: the code of the one is the only NaN. */
  readonly unsignedZero?: boolean;
}

const narrowFacts: Readonly<Record<NarrowFloat, NarrowFacts>> = {
  F16: { bytes: 2, fraction: 10, bias: 15, infinity: 0x7c00, nan: 0x7c01 },
  BF16: { bytes: 2, fraction: 7, bias: 127, infinity: 0x7f80, nan: 0x7f81 },
  F8_E4M3: { bytes: 1, fraction: 3, bias: 7, saturation: 0x7e, nan: 0x7f },
  F8_E5M2: { bytes: 1, fraction: 2, bias: 15, infinity: 0x7c, nan: 0x7d },
  F8_E4M3FNUZ: { bytes: 1, fraction: 3, bias: 8, nan: 0x80, unsignedZero: true },
  F8_E5M2FNUZ: { bytes: 1, fraction: 2, bias: 16, nan: 0x80, unsignedZero: true },
};

/** Whether a dtype is one of them. */
export function isFloatType(dtype: string): dtype is FloatType {
  return dtype === "F64" || dtype === "F32" || dtype in narrowFacts;
}

/** Bytes of one number. */
export function floatBytes(type: FloatType): number {
  return type === "F64" ? 8 : type === "F32" ? 4 : narrowFacts[type].bytes;
}

/** Whether a type is one of 8 or 16 bits. */
export function isNarrow(type: FloatType): type is NarrowFloat {
  return type in narrowFacts;
}

/** Whether a type can say that a number is beyond its range. */
export function hasInfinity(type: FloatType): boolean {
  return !isNarrow(type) || narrowFacts[type].infinity !== undefined;
}

const number = new Float32Array(1);
const numberBits = new Uint32Array(number.buffer);

/** The float32, as bits, of a code of a narrow type. Always exact; NaNs come out as torch gives them. */
export function decodeNarrow(type: NarrowFloat, code: number): number {
  const { bytes, fraction, bias, infinity, nan, unsignedZero } = narrowFacts[type];
  const signBit = 0x80 << (8 * (bytes - 1));
  // The only NaN of these types, which is a signalling one to torch.
  if (unsignedZero && code === signBit) return 0x7f80_0001;
  const sign = code & signBit ? 0x8000_0000 : 0;
  const size = code & (signBit - 1);
  const low = size & ((1 << fraction) - 1);
  if (size === infinity) return (sign | 0x7f80_0000) >>> 0;
  if (size >= nan) {
    const quiet = type === "F16" || type === "F8_E5M2" ? 0x40_0000 : 0;
    return (sign | 0x7f80_0000 | quiet | (low << (23 - fraction))) >>> 0;
  }
  const exponent = size >> fraction;
  const digits = exponent === 0 ? low : low + 2 ** fraction;
  number[0] = digits * 2 ** (Math.max(exponent, 1) - bias - fraction);
  return (sign | (numberBits[0] as number)) >>> 0;
}

/**
 * The code nearest to a float32 given by its bits, ties to even. A number out of range becomes infinite, or NaN in the
 * `FNUZ` types, or the largest one in `F8_E4M3`, as in torch 2.13.
 */
export function encodeNarrow(type: NarrowFloat, bits: number): number {
  const { bytes, infinity, saturation, nan, unsignedZero } = narrowFacts[type];
  const sign = bits >>> 31 ? 0x80 << (8 * (bytes - 1)) : 0;
  const size = bits & 0x7fff_ffff;
  if (size > 0x7f80_0000) return encodeNan(type, sign, size);
  if (isBeyond(type, size)) return unsignedZero ? nan : sign | (saturation ?? infinity ?? nan);
  const code = roundedSize(type, size);
  return unsignedZero && code === 0 ? 0 : sign | code;
}

/** Whether a number of this size, which may be infinite, is rounded to more than the type can hold. */
function isBeyond(type: NarrowFloat, size: number): boolean {
  const { infinity, nan } = narrowFacts[type];
  return size === 0x7f80_0000 || roundedSize(type, size) >= (infinity ?? nan);
}

/** The code of a finite number without its sign, as if exponents went on beyond the type's. */
function roundedSize(type: NarrowFloat, size: number): number {
  const { fraction, bias } = narrowFacts[type];
  numberBits[0] = size;
  const value = number[0] as number;
  const exponent = Math.max((size >> 23) - 127, 1 - bias);
  // Both steps are exact: a scaling by a power of two, and a sum that carries into the exponent.
  const digits = roundHalfEven(value / 2 ** (exponent - fraction));
  return (exponent + bias - 1) * 2 ** fraction + digits;
}

function encodeNan(type: NarrowFloat, sign: number, size: number): number {
  if (type === "F16") return sign | 0x7e00 | ((size >> 13) & 0x3ff);
  // All bits set, whatever the sign: what torch's loop over float32 gives.
  if (type === "BF16") return 0xffff;
  return narrowFacts[type].unsignedZero ? 0x80 : sign | 0x7f;
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

/**
 * What a type cannot hold of a float32 given by its bits: 65,536 for a number beyond its range (an infinite one counts
 * where the type has no infinity), 1 for a nonzero one that becomes 0, and 0 for all others.
 */
export function lossOf(type: NarrowFloat, bits: number): number {
  const size = bits & 0x7fff_ffff;
  if (size === 0 || size > 0x7f80_0000) return 0;
  if (size === 0x7f80_0000) return narrowFacts[type].infinity === undefined ? 0x1_0000 : 0;
  if (isBeyond(type, size)) return 0x1_0000;
  return roundedSize(type, size) === 0 ? 1 : 0;
}
