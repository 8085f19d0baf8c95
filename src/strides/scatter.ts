import type { Axis } from "./axis.ts";
import { findMatrices, scatterMatrices } from "./scatter-tiles.ts";
import { transposerFor } from "./transposer.ts";

/** Side of a tile in elements: its lines on both sides stay in a processor's innermost cache. */
const tileSide = 32;

type Words = Uint8Array | Uint16Array | Uint32Array;

/**
 * Moves the elements of a box from `span` to their places in `target`, whose first is byte `to`. Both have to be
 * aligned to 4 bytes, or to the element where that is smaller. Floats travel as integers: a float copy may change a
 * NaN's bits.
 */
export function scatter(
  span: Uint8Array,
  target: Uint8Array,
  to: number,
  axes: readonly Axis[],
  itemBytes: number,
): void {
  const matrices = findMatrices(axes, itemBytes);
  const transposer = matrices && transposerFor(itemBytes);
  if (transposer) scatterMatrices(span, target, to, matrices, itemBytes, transposer);
  else scatterElements(span, target, to, axes, itemBytes);
}

/** The same, element by element: for boxes of any kind, and where there is no transposer. */
export function scatterElements(
  span: Uint8Array,
  target: Uint8Array,
  to: number,
  axes: readonly Axis[],
  itemBytes: number,
): void {
  const unit = Math.min(itemBytes, 4);
  const source = wordsOf(span, unit);
  const sink = wordsOf(target, unit);
  const units = itemBytes / unit;
  const still = { size: 1, from: 0, to: 0 };
  const scaled = axes.map(({ size, from, to: step }) => ({ size, from: from / unit, to: step / unit }));
  const [near = still, ...others] = scaled.sort((a, b) => a.to - b.to);
  // Neighbours in the target are not neighbours in the storage: those make the other side of a tile.
  const across = near.from <= units ? undefined : others.reduce(closer, undefined);
  const outer = others.filter((axis) => axis !== across);

  function move(depth: number, fromAt: number, toAt: number): void {
    const axis = outer[depth];
    if (axis === undefined) moveTiles(source, sink, { fromAt, toAt, units }, near, across ?? still);
    else
      for (let step = 0; step < axis.size; step++)
        move(depth + 1, fromAt + step * axis.from, toAt + step * axis.to);
  }
  move(0, 0, to / unit);
}

/** Of two axes the one with the smaller step in the storage; one that stands still is no neighbour. */
function closer(best: Axis | undefined, axis: Axis): Axis | undefined {
  if (axis.from === 0) return best;
  return best === undefined || axis.from < best.from ? axis : best;
}

/** Where a plane of elements begins on both sides, and how many words an element has. */
interface Plane {
  readonly fromAt: number;
  readonly toAt: number;
  readonly units: number;
}

/** A plane of two axes, tile by tile; `near` is the one along which the target is written. */
function moveTiles(
  source: Words,
  sink: Words,
  { fromAt, toAt, units }: Plane,
  near: Axis,
  across: Axis,
): void {
  const side = across.size === 1 ? near.size : tileSide;
  for (let row = 0; row < across.size; row += tileSide) {
    const rows = Math.min(tileSide, across.size - row);
    for (let column = 0; column < near.size; column += side) {
      const columns = Math.min(side, near.size - column);
      for (let unit = 0; unit < units; unit++) {
        const from = fromAt + row * across.from + column * near.from + unit;
        const to = toAt + row * across.to + column * near.to + unit;
        moveTile(source, sink, from, to, rows, columns, near.from, near.to, across.from, across.to);
      }
    }
  }
}

function moveTile(
  source: Words,
  sink: Words,
  from: number,
  to: number,
  rows: number,
  columns: number,
  nearFrom: number,
  nearTo: number,
  acrossFrom: number,
  acrossTo: number,
): void {
  for (let row = 0; row < rows; row++) {
    let read = from + row * acrossFrom;
    let write = to + row * acrossTo;
    for (let column = 0; column < columns; column++) {
      sink[write] = source[read] as number;
      read += nearFrom;
      write += nearTo;
    }
  }
}

/** The same bytes as machine words of 1, 2 or 4 bytes. */
function wordsOf({ buffer, byteOffset, length }: Uint8Array, unit: number): Words {
  if (unit === 1) return new Uint8Array(buffer, byteOffset, length);
  if (unit === 2) return new Uint16Array(buffer, byteOffset, Math.floor(length / 2));
  return new Uint32Array(buffer, byteOffset, Math.floor(length / 4));
}
