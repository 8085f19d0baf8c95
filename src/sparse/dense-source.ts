import { type ByteSource, checkRange } from "../core/source.ts";

/** Runs of stored elements: where each starts in the dense tensor, counted in elements, and all their bytes. */
export interface Cells {
  readonly positions: readonly number[];
  /** Cells by ascending position. */
  readonly order: readonly number[];
  readonly bytes: Uint8Array;
  readonly cellBytes: number;
}

/**
 * A sparse tensor with its zeros written out, `size` bytes of elements of `itemBytes`. `load` is called once, on the
 * first read, and what it gives stays in memory; the zeros do not.
 */
export function denseSource(
  name: string,
  size: number,
  itemBytes: number,
  load: () => Promise<Cells>,
): ByteSource {
  let cells: Promise<Cells> | undefined;
  return {
    name,
    size,
    async readInto(target, offset) {
      checkRange(name, size, offset, target.length);
      cells ??= load();
      place(await cells, itemBytes, target, offset);
    },
  };
}

function place(
  { positions, order, bytes, cellBytes }: Cells,
  itemBytes: number,
  target: Uint8Array,
  offset: number,
): void {
  target.fill(0);
  const end = offset + target.length;
  for (let at = firstReaching(positions, order, itemBytes, cellBytes, offset); at < order.length; at++) {
    const cell = order[at] as number;
    const start = (positions[cell] as number) * itemBytes;
    if (start >= end) return;
    const from = Math.max(start, offset);
    const to = Math.min(start + cellBytes, end);
    const source = cell * cellBytes + (from - start);
    if (to > from) target.set(bytes.subarray(source, source + to - from), from - offset);
  }
}

/** The first cell in order that ends after `offset`. */
function firstReaching(
  positions: readonly number[],
  order: readonly number[],
  itemBytes: number,
  cellBytes: number,
  offset: number,
): number {
  let low = 0;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((positions[order[middle] as number] as number) * itemBytes + cellBytes > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}
