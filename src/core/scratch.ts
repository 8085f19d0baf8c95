/** Working memory lent for one call. A wrapper that owned its buffer would cost one per tensor. */
export interface Scratch {
  /** Lends `size` bytes, aligned for every number, until `use` settles. The contents are whatever the last borrower left. */
  lend<T>(size: number, use: (buffer: Uint8Array) => Promise<T>): Promise<T>;
}

/** A pool that hands the same few buffers out again and again; it grows only while borrowers overlap. */
export function createScratchPool(): Scratch & { readonly ownedBytes: number } {
  /** Smallest first, so that the one that fits best is found first. */
  const idle: Uint8Array[] = [];
  let ownedBytes = 0;

  function take(size: number): Uint8Array {
    const fit = idle.findIndex((buffer) => buffer.length >= size);
    if (fit >= 0) return idle.splice(fit, 1)[0] as Uint8Array;
    // A larger buffer takes the place of the largest idle one, so growing needs no second buffer.
    const small = idle.pop();
    ownedBytes += size - (small?.length ?? 0);
    return new Uint8Array(size);
  }

  return {
    get ownedBytes() {
      return ownedBytes;
    },
    async lend(size, use) {
      const buffer = take(size);
      try {
        return await use(buffer.subarray(0, size));
      } finally {
        const place = idle.findIndex((other) => other.length > buffer.length);
        idle.splice(place < 0 ? idle.length : place, 0, buffer);
      }
    },
  };
}
