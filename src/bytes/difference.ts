/** Whether two runs of bytes of one length are equal. */
export type SameBytes = (left: Uint8Array, right: Uint8Array) => boolean;

/** Portable comparison, in words of 64 bits where both runs lie on such borders; platforms with a native one hand that in instead. */
export const sameBytes: SameBytes = (left, right) => {
  const wide = (left.byteOffset | right.byteOffset) % 8 === 0 ? Math.floor(left.length / 8) : 0;
  if (wide > 0) {
    const words = new BigUint64Array(left.buffer, left.byteOffset, wide);
    const others = new BigUint64Array(right.buffer, right.byteOffset, wide);
    for (let index = 0; index < wide; index++) if (words[index] !== others[index]) return false;
  }
  return firstDifference(left.subarray(8 * wide), right.subarray(8 * wide)) < 0;
};

/** Position of the first byte in which two runs of one length differ, or -1. */
export function firstDifference(left: Uint8Array, right: Uint8Array): number {
  for (let index = 0; index < left.length; index++) if (left[index] !== right[index]) return index;
  return -1;
}
