import { decodeNarrow, encodeNarrow } from "../../../bytes/floats.ts";

/** Element types that norms are computed in. */
export type FusedDType = "F64" | "F32" | "F16" | "BF16";

/** Whether norms are computed in a type here. */
export function isFusedDType(dtype: string): dtype is FusedDType {
  return dtype === "F64" || dtype === "F32" || dtype === "F16" || dtype === "BF16";
}

/** Bytes as numbers of a type; setting one rounds it to the type, ties to even. */
export interface Numbers {
  readonly length: number;
  get(index: number): number;
  set(index: number, value: number): void;
}

/** Looks at aligned, little-endian bytes as numbers. */
export function numbersOf(dtype: FusedDType, { buffer, byteOffset, length }: Uint8Array): Numbers {
  if (dtype === "F64") return wideNumbers(new Float64Array(buffer, byteOffset, length / 8));
  if (dtype === "F32") return wideNumbers(new Float32Array(buffer, byteOffset, length / 4));
  const codes = new Uint16Array(buffer, byteOffset, length / 2);
  return {
    length: codes.length,
    get: (index) => fromBits(decodeNarrow(dtype, codes[index] as number)),
    set(index, value) {
      codes[index] = encodeNarrow(dtype, toBits(value));
    },
  };
}

function wideNumbers(array: Float64Array | Float32Array): Numbers {
  return {
    length: array.length,
    get: (index) => array[index] as number,
    set(index, value) {
      array[index] = value;
    },
  };
}

/** Rounds the result of one operation, computed in double precision, to a type; narrow ones by way of float32, as torch does. */
export function roundTo(dtype: FusedDType): (value: number) => number {
  if (dtype === "F64") return (value) => value;
  if (dtype === "F32") return Math.fround;
  return (value) => fromBits(decodeNarrow(dtype, encodeNarrow(dtype, toBits(value))));
}

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

function toBits(value: number): number {
  float[0] = value;
  return bits[0] as number;
}

function fromBits(code: number): number {
  bits[0] = code;
  return float[0] as number;
}
