import { bitsOf, type DType } from "./dtype.ts";

/** Turns elements into numbers. Both ends are lent: nothing is kept. */
export interface ElementDecoder {
  /** Numbers that one element becomes: 2 for complex types, real part first. */
  readonly parts: 1 | 2;
  /** Decodes all of `bytes` (whole elements, little-endian) into the front of `numbers`. Integers beyond 2^53 are rounded. */
  decode(bytes: Uint8Array, numbers: Float64Array): void;
}

/** How the bits of a small float are meant: sign first, then `exponent` bits, then `mantissa` bits. */
interface SmallFloat {
  readonly exponent: number;
  readonly mantissa: number;
  readonly bias: number;
  /** What the largest exponent stands for: infinities and NaN (`ieee`), NaN in its last code only (`last`), or numbers; `zero`: minus zero is the only NaN. */
  readonly special: "ieee" | "last" | "none" | "zero";
}

/** Widths and biases: IEEE 754-2019 for F16; OCP 8-bit floating point 1.0, table 1, and OCP microscaling 1.0, section 5.3; the FNUZ pair as in torch's c10/util. */
const smallFloats: Partial<Record<DType, SmallFloat>> = {
  F4: { exponent: 2, mantissa: 1, bias: 1, special: "none" },
  F8_E4M3: { exponent: 4, mantissa: 3, bias: 7, special: "last" },
  F8_E5M2: { exponent: 5, mantissa: 2, bias: 15, special: "ieee" },
  F8_E4M3FNUZ: { exponent: 4, mantissa: 3, bias: 8, special: "zero" },
  F8_E5M2FNUZ: { exponent: 5, mantissa: 2, bias: 16, special: "zero" },
  F16: { exponent: 5, mantissa: 10, bias: 15, special: "ieee" },
  BF16: { exponent: 8, mantissa: 7, bias: 127, special: "ieee" },
};

type ViewReader = (view: DataView, at: number) => number;

const wideNumbers: Partial<Record<DType, ViewReader>> = {
  BOOL: (view, at) => view.getUint8(at),
  U8: (view, at) => view.getUint8(at),
  I8: (view, at) => view.getInt8(at),
  U16: (view, at) => view.getUint16(at, true),
  I16: (view, at) => view.getInt16(at, true),
  U32: (view, at) => view.getUint32(at, true),
  I32: (view, at) => view.getInt32(at, true),
  U64: (view, at) => Number(view.getBigUint64(at, true)),
  I64: (view, at) => Number(view.getBigInt64(at, true)),
  F32: (view, at) => view.getFloat32(at, true),
  F64: (view, at) => view.getFloat64(at, true),
};

const complexParts: Partial<Record<DType, DType>> = { C32: "F16", C64: "F32", C128: "F64" };
const decoders = new Map<DType, ElementDecoder | undefined>();

/** The decoder of a type; `undefined` for types of which the numbers, or how they are packed, are not known here. */
export function elementDecoder(dtype: DType): ElementDecoder | undefined {
  if (!decoders.has(dtype)) decoders.set(dtype, makeDecoder(dtype));
  return decoders.get(dtype);
}

function makeDecoder(dtype: DType): ElementDecoder | undefined {
  const part = complexParts[dtype];
  if (part !== undefined) {
    const real = elementDecoder(part);
    return real && { parts: 2, decode: real.decode };
  }
  const read = wideNumbers[dtype];
  if (read !== undefined) return { parts: 1, decode: readEach(read, bitsOf(dtype) / 8) };
  if (dtype === "F8_E8M0") return lookedUp(tableOf(8, scaleOf), 8);
  const float = smallFloats[dtype];
  return (
    float &&
    lookedUp(
      tableOf(bitsOf(dtype), (code) => decodeSmall(code, float)),
      bitsOf(dtype),
    )
  );
}

function readEach(read: ViewReader, width: number): ElementDecoder["decode"] {
  return (bytes, numbers) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0, index = 0; at < bytes.length; at += width) numbers[index++] = read(view, at);
  };
}

function tableOf(bits: number, decode: (code: number) => number): Float64Array {
  return Float64Array.from({ length: 2 ** bits }, (_, code) => decode(code));
}

/** Two elements of four bits share a byte, the first in its low half, as torch packs `float4_e2m1fn_x2`. */
function lookedUp(table: Float64Array, bits: number): ElementDecoder {
  return {
    parts: 1,
    decode(bytes, numbers) {
      let index = 0;
      if (bits === 16) {
        for (let at = 0; at < bytes.length; at += 2)
          numbers[index++] = table[(bytes[at] as number) | ((bytes[at + 1] as number) << 8)] as number;
        return;
      }
      for (const byte of bytes) {
        if (bits === 8) numbers[index++] = table[byte] as number;
        else {
          numbers[index++] = table[byte & 15] as number;
          numbers[index++] = table[byte >> 4] as number;
        }
      }
    },
  };
}

function decodeSmall(code: number, { exponent, mantissa, bias, special }: SmallFloat): number {
  const fraction = code % 2 ** mantissa;
  const power = Math.floor(code / 2 ** mantissa) % 2 ** exponent;
  const negative = code >= 2 ** (exponent + mantissa);
  if (special === "zero" && negative && power === 0 && fraction === 0) return Number.NaN;
  const top = power === 2 ** exponent - 1;
  if (top && special === "last" && fraction === 2 ** mantissa - 1) return Number.NaN;
  if (top && special === "ieee" && fraction > 0) return Number.NaN;
  const size =
    top && special === "ieee"
      ? Number.POSITIVE_INFINITY
      : power === 0
        ? fraction * 2 ** (1 - bias - mantissa)
        : (2 ** mantissa + fraction) * 2 ** (power - bias - mantissa);
  return negative ? -size : size;
}

/** A power of two without sign: 2^(code - 127), the last code being NaN. */
function scaleOf(code: number): number {
  return code === 255 ? Number.NaN : 2 ** (code - 127);
}
