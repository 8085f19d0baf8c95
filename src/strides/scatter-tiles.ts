import type { Axis } from "./axis.ts";
import type { Transposer } from "./transposer.ts";

/** Copying a line or a column takes a call, and in that time this many elements could be moved one by one. */
const elementsPerCall = 32;

/**
 * A box as matrices: `near` is where neighbours in the target come from, and the `run` axes together walk over
 * neighbours in the storage. Each matrix is transposed; they lie along the `outer` axes.
 */
export interface Matrices {
  readonly near: Axis;
  readonly run: readonly Axis[];
  readonly outer: readonly Axis[];
}

/** Finds the matrices in a box; `undefined` where there are none, or tiles of them would be no gain. */
export function findMatrices(axes: readonly Axis[], itemBytes: number): Matrices | undefined {
  const near = axes.find(({ to, from }) => to === itemBytes && from !== itemBytes);
  if (near === undefined) return undefined;
  const others = axes.filter((axis) => axis !== near).sort((a, b) => a.from - b.from);
  let width = 1;
  let count = 0;
  for (const axis of others) {
    if (axis.from !== width * itemBytes) break;
    width *= axis.size;
    count++;
  }
  const height = near.size;
  if (height * width < elementsPerCall * (height + width)) return undefined;
  return { near, run: others.slice(0, count), outer: others.slice(count) };
}

/** Moves the elements of matrices from `span` to `target`, whose first is byte `to`. */
export function scatterMatrices(
  span: Uint8Array,
  target: Uint8Array,
  to: number,
  { near, run, outer }: Matrices,
  itemBytes: number,
  transposer: Transposer,
): void {
  const width = run.reduce((product, { size }) => product * size, 1);

  function move(depth: number, fromAt: number, toAt: number): void {
    const axis = outer[depth];
    if (axis !== undefined) {
      for (let step = 0; step < axis.size; step++)
        move(depth + 1, fromAt + step * axis.from, toAt + step * axis.to);
      return;
    }
    const { side } = transposer;
    for (let line = 0; line < near.size; line += side) {
      const height = Math.min(side, near.size - line);
      const places = createPlaces(run, toAt + line * itemBytes);
      for (let column = 0; column < width; column += side) {
        const count = Math.min(side, width - column);
        fillTile(span, fromAt + line * near.from + column * itemBytes, near.from, height, count * itemBytes);
        transposer.transpose(height, count);
        emptyTile(height * itemBytes, count, places);
      }
    }
  }

  function fillTile(span: Uint8Array, from: number, step: number, height: number, bytes: number): void {
    const { lines, linePitch } = transposer;
    for (let line = 0; line < height; line++) {
      const start = from + line * step;
      lines.set(span.subarray(start, start + bytes), line * linePitch);
    }
  }

  function emptyTile(bytes: number, count: number, places: Places): void {
    const { columns, columnPitch } = transposer;
    for (let column = 0; column < count; column++) {
      const start = column * columnPitch;
      target.set(columns.subarray(start, start + bytes), places.next());
    }
  }

  move(0, 0, to);
}

interface Places {
  /** Where in the target the next element of a run goes. */
  next(): number;
}

/** Walks over axes, the first fastest. */
function createPlaces(axes: readonly Axis[], start: number): Places {
  const sizes = axes.map(({ size }) => size);
  const steps = axes.map(({ to }) => to);
  const indexes = axes.map(() => 0);
  let place = start;

  return {
    next() {
      const current = place;
      for (let depth = 0; depth < sizes.length; depth++) {
        const index = (indexes[depth] as number) + 1;
        const step = steps[depth] as number;
        place += step;
        if (index < (sizes[depth] as number)) {
          indexes[depth] = index;
          break;
        }
        indexes[depth] = 0;
        place -= index * step;
      }
      return current;
    },
  };
}
