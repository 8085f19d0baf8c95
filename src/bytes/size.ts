/** Reads an unsigned little-endian 64-bit number at `at`; `undefined` where a double cannot hold it exactly. */
export function readUint64(view: DataView, at: number): number | undefined {
  const value = view.getUint32(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true);
  return value <= Number.MAX_SAFE_INTEGER ? value : undefined;
}

/** `value` rounded up to a multiple of `step`; both are safe integers, no 32-bit arithmetic is involved. */
export function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}

/** The product of safe integers, or `undefined` where it leaves the safe range on the way (from left to right). */
export function safeProduct(factors: readonly number[]): number | undefined {
  let product = 1;
  for (const factor of factors) {
    product *= factor;
    if (product > Number.MAX_SAFE_INTEGER) return undefined;
  }
  return product;
}
