import { safeProduct } from "../../../bytes/size.ts";
import { ConvertError, type ErrorSite } from "../../../core/errors.ts";
import { checkLimit, type Limits } from "../../../core/limits.ts";

/** A box of a tensor: where it starts and how far it goes in each dimension, in elements. */
export interface Box {
  readonly offsets: readonly number[];
  readonly sizes: readonly number[];
}

/** Boxes that fill a shape, each element once, with a way to find them. */
export interface ChunkGrid {
  readonly shape: readonly number[];
  readonly boxes: readonly Box[];
  /** How many cells the borders of the boxes make, each four bytes in memory. */
  readonly cellCount: number;
  /** Indices of the boxes that share elements with `box`, each once. */
  overlapping(box: Box): Iterable<number>;
}

/** A box by the cells that it covers, from `first` up to, not including, `end` in each dimension. */
interface Cells {
  readonly first: readonly number[];
  readonly end: readonly number[];
}

/**
 * Lays boxes out over a shape. Their borders cut the shape into cells, and each cell belongs to one box; where boxes
 * overlap or leave a gap, that is found here. Throws kind `malformed` for either, `limit` where the cells are too many.
 */
export function createChunkGrid(
  shape: readonly number[],
  boxes: readonly Box[],
  limits: Limits,
  site: ErrorSite,
): ChunkGrid {
  const filled = boxes.filter(({ sizes }) => !sizes.includes(0));
  for (const box of filled) checkBounds(box, shape, site);
  const cuts = shape.map((extent, dim) => cutsOf(filled, dim, extent));
  const counts = cuts.map((positions) => positions.length - 1);
  const total = safeProduct(counts) ?? Number.MAX_SAFE_INTEGER;
  checkLimit(limits, "entries", total, "the number of pieces of one tensor", site);
  const covered = filled.map((box) => cellsOf(box, cuts));
  const owners = ownersOf(covered, counts, total, site);
  return {
    shape,
    boxes: filled,
    cellCount: total,
    *overlapping(box) {
      const wanted = cellsOf(box, cuts);
      for (const [cell, at] of cellsWithin(wanted, counts)) {
        const owner = owners[cell] as number;
        // A box that covers several of the cells is told of at the first of them.
        const { first } = covered[owner] as Cells;
        if (at.every((step, dim) => step === Math.max(first[dim] as number, wanted.first[dim] as number)))
          yield owner;
      }
    },
  };
}

function checkBounds({ offsets, sizes }: Box, shape: readonly number[], site: ErrorSite): void {
  const fits =
    offsets.length === shape.length &&
    sizes.length === shape.length &&
    shape.every((extent, dim) => (offsets[dim] as number) + (sizes[dim] as number) <= extent);
  if (fits) return;
  throw new ConvertError(
    "malformed",
    `a chunk at [${offsets.join(", ")}] of size [${sizes.join(", ")}] leaves the shape [${shape.join(", ")}]`,
    site,
  );
}

/** Where boxes begin and end along one dimension, with both ends of it, in order. */
function cutsOf(boxes: readonly Box[], dim: number, extent: number): readonly number[] {
  const cuts = new Set([0, extent]);
  for (const { offsets, sizes } of boxes) {
    const start = offsets[dim] as number;
    cuts.add(start).add(start + (sizes[dim] as number));
  }
  return [...cuts].sort((a, b) => a - b);
}

/** The cells that a box touches. */
function cellsOf({ offsets, sizes }: Box, cuts: readonly (readonly number[])[]): Cells {
  const first = offsets.map((offset, dim) => lastAtMost(cuts[dim] as readonly number[], offset));
  const end = offsets.map(
    (offset, dim) => lastAtMost(cuts[dim] as readonly number[], offset + (sizes[dim] as number) - 1) + 1,
  );
  return { first, end };
}

/** Index of the last of some ascending numbers that is not above `value`. */
function lastAtMost(sorted: readonly number[], value: number): number {
  let low = 0;
  let high = sorted.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((sorted[middle] as number) <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

function ownersOf(
  covered: readonly Cells[],
  counts: readonly number[],
  total: number,
  site: ErrorSite,
): Int32Array {
  const owners = new Int32Array(total).fill(-1);
  for (const [index, cells] of covered.entries()) {
    for (const [cell] of cellsWithin(cells, counts)) {
      if (owners[cell] !== -1) throw new ConvertError("malformed", "two chunks of the tensor overlap", site);
      owners[cell] = index;
    }
  }
  if (owners.includes(-1)) {
    throw new ConvertError("malformed", "the chunks do not cover the whole tensor", {
      ...site,
      hint: "the checkpoint was not saved to its end, or files of it are missing",
    });
  }
  return owners;
}

/** Numbers of cells in row-major order, with their steps in each dimension; the array of steps is reused. */
function* cellsWithin(
  { first, end }: Cells,
  counts: readonly number[],
): Iterable<readonly [cell: number, at: readonly number[]]> {
  const at = [...first];
  for (;;) {
    yield [at.reduce((cell, step, dim) => cell * (counts[dim] as number) + step, 0), at];
    let dim = at.length - 1;
    for (; dim >= 0; dim--) {
      at[dim] = (at[dim] as number) + 1;
      if ((at[dim] as number) < (end[dim] as number)) break;
      at[dim] = first[dim] as number;
    }
    if (dim < 0) return;
  }
}
