import { decodeNarrow, encodeNarrow, type NarrowFloat } from "../../../bytes/floats.ts";
import type { DType } from "../../../core/dtype.ts";

/** Adds the elements of `more` to those of `sum`; both are whole elements, little-endian and aligned. */
export type Adder = (sum: Uint8Array, more: Uint8Array) => void;

const arrays = {
  U8: Uint8Array,
  I8: Int8Array,
  U16: Uint16Array,
  I16: Int16Array,
  U32: Uint32Array,
  I32: Int32Array,
  F32: Float32Array,
  F64: Float64Array,
  C64: Float32Array,
  C128: Float64Array,
} as const;

/**
 * How torch adds up the elements of an uncoalesced sparse tensor: one by one in the tensor's own type, so that each sum
 * is rounded, and integers wrap around. `undefined` for types that torch does not add.
 */
export function adderOf(dtype: DType): Adder | undefined {
  if (dtype === "F16" || dtype === "BF16") return (sum, more) => addNarrow(dtype, sum, more);
  if (dtype === "I64" || dtype === "U64") return addLong;
  if (dtype === "BOOL") return addBits;
  const Numbers = arrays[dtype as keyof typeof arrays];
  if (Numbers === undefined) return undefined;
  return (sum, more) => {
    const count = sum.length / Numbers.BYTES_PER_ELEMENT;
    const left = new Numbers(sum.buffer as ArrayBuffer, sum.byteOffset, count);
    const right = new Numbers(more.buffer as ArrayBuffer, more.byteOffset, count);
    for (let at = 0; at < count; at++) left[at] = (left[at] as number) + (right[at] as number);
  };
}

function addBits(sum: Uint8Array, more: Uint8Array): void {
  for (const [at, bit] of more.entries()) if (bit !== 0) sum[at] = 1;
}

function addLong(sum: Uint8Array, more: Uint8Array): void {
  const left = new BigUint64Array(sum.buffer as ArrayBuffer, sum.byteOffset, sum.length / 8);
  const right = new BigUint64Array(more.buffer as ArrayBuffer, more.byteOffset, more.length / 8);
  for (let at = 0; at < left.length; at++) left[at] = (left[at] as bigint) + (right[at] as bigint);
}

function addNarrow(type: NarrowFloat, sum: Uint8Array, more: Uint8Array): void {
  const left = new Uint16Array(sum.buffer, sum.byteOffset, sum.length / 2);
  const right = new Uint16Array(more.buffer, more.byteOffset, more.length / 2);
  const singles = new Float32Array(2);
  const bits = new Uint32Array(singles.buffer);
  for (let at = 0; at < left.length; at++) {
    bits[0] = decodeNarrow(type, left[at] as number);
    bits[1] = decodeNarrow(type, right[at] as number);
    singles[0] = (singles[0] as number) + (singles[1] as number);
    left[at] = encodeNarrow(type, bits[0] as number);
  }
}
