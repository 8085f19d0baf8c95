import type { Patch } from "../core/source.ts";

/** A dimension of a view: its size, and how far its neighbours lie apart, in elements. */
export interface Dimension {
  readonly size: number;
  readonly stride: number;
}

/** What decides on patches, in bytes. */
export interface PatchSizes {
  /** Where a window has less than this from a stretch of neighbours, patches are worth their while. */
  readonly shortRead: number;
  /** As much of such a stretch is enough. */
  readonly longRead: number;
  /** Runs that are written are to be about this long, if there is a choice. */
  readonly longRun: number;
  /** Two patches are in memory at once, one being filled and one being written. */
  readonly patch: number;
}

/** Sizes for files on disks. */
export const patchSizes: PatchSizes = {
  shortRead: 1024,
  longRead: 16 * 1024,
  longRun: 64 * 1024,
  patch: 32 * 1024 * 1024,
};

/** How a view is taken apart. */
interface PatchPlan {
  readonly dims: readonly Dimension[];
  /** The dimension whose neighbours lie nearest to each other, and the last of those within that go on with its stretch. */
  readonly near: number;
  readonly last: number;
  /** Steps of these together: at a time, and in all. */
  readonly rows: number;
  readonly allRows: number;
  /** A dimension within, of which a run has `steps` at a time, and all of those further in. */
  readonly cut: number;
  readonly steps: number;
  readonly itemBytes: number;
}

/**
 * Patches of a view of which a window in row-major order would have only some elements of every read; `undefined` where
 * there is no such need. `windowBytes` is what is read at once without them.
 *
 * Elements that lie side by side come from the nearest dimension. If its steps are far apart in the view, because much lies
 * within them, a window has few of them, and a tensor of many windows would be read as many times over. A patch has many
 * steps of that dimension, and a stretch of the view at each.
 */
export function patchesOf(
  dims: readonly Dimension[],
  itemBytes: number,
  windowBytes: number,
  sizes: PatchSizes,
): (() => Iterable<Patch>) | undefined {
  const near = nearest(dims);
  const { size, stride } = dims[near] ?? { size: 1, stride: 0 };
  if (stride === 0) return undefined;
  const rowBytes = bytesWithin(dims, near, itemBytes);
  const stepBytes = stride * itemBytes;
  const inWindow = Math.min(size, Math.floor(windowBytes / rowBytes));
  if (inWindow >= size || inWindow * stepBytes >= sizes.shortRead) return undefined;
  const { last, allRows } = stretchFrom(dims, near, itemBytes, sizes);
  const rows = last > near ? allRows : Math.min(size, Math.ceil(sizes.longRead / stepBytes), mostRows(sizes));
  const cut = dims.findIndex(
    (_, index) => index > last && bytesWithin(dims, index, itemBytes) * rows <= sizes.patch,
  );
  if (cut < 0) return undefined;
  const within = bytesWithin(dims, cut, itemBytes);
  const steps = Math.min((dims[cut] as Dimension).size, Math.floor(sizes.patch / (rows * within)));
  return () => walk({ dims, near, last, rows, allRows, cut, steps, itemBytes });
}

/** How many rows a patch has at the most, if it can be helped. */
function mostRows(sizes: PatchSizes): number {
  return Math.floor(sizes.patch / sizes.longRun);
}

/** A dimension that is too short to be worth a read, with those within it that continue its elements. */
function stretchFrom(
  dims: readonly Dimension[],
  near: number,
  itemBytes: number,
  sizes: PatchSizes,
): { readonly last: number; readonly allRows: number } {
  const { size, stride } = dims[near] as Dimension;
  let last = near;
  let allRows = size;
  for (let next = dims[last + 1]; next && last + 2 < dims.length; next = dims[last + 1]) {
    if (allRows * stride * itemBytes >= sizes.shortRead || next.stride !== allRows * stride) break;
    if (allRows * next.size > 2 * mostRows(sizes)) break;
    allRows *= next.size;
    last++;
  }
  return { last, allRows };
}

/** The dimension with the smallest stride; the first of several. */
function nearest(dims: readonly Dimension[]): number {
  let best = -1;
  for (const [index, { stride }] of dims.entries())
    if (stride > 0 && (best < 0 || stride < (dims[best] as Dimension).stride)) best = index;
  return best;
}

/** Bytes of one step of a dimension in row-major order: of all that lies within it. */
export function bytesWithin(dims: readonly Dimension[], index: number, itemBytes: number): number {
  return dims.slice(index + 1).reduce((bytes, { size }) => bytes * size, itemBytes);
}

/** All patches of a view: for each step of the dimensions that are taken singly, those of the two that are cut. */
function* walk(plan: PatchPlan): Iterable<Patch> {
  const { dims, near, last, rows, allRows, cut, steps, itemBytes } = plan;
  const bytes = dims.map((_, index) => bytesWithin(dims, index, itemBytes));
  const rowBytes = bytes[last] as number;
  const stepBytes = bytes[cut] as number;

  function* from(index: number, offset: number): Iterable<Patch> {
    const { size } = dims[index] as Dimension;
    if (index === cut) {
      for (let first = 0; first < size; first += steps) {
        const length = Math.min(steps, size - first) * stepBytes;
        yield* rowsOf(offset + first * stepBytes, length);
      }
    } else if (index === near) yield* from(last + 1, offset);
    else
      for (let step = 0; step < size; step++)
        yield* from(index + 1, offset + step * (bytes[index] as number));
  }

  /** Rows are cut innermost, so that a patch and the next read neighbours. */
  function* rowsOf(offset: number, length: number): Iterable<Patch> {
    for (let first = 0; first < allRows; first += rows)
      yield {
        offset: offset + first * rowBytes,
        length,
        count: Math.min(rows, allRows - first),
        step: rowBytes,
      };
  }

  yield* from(0, 0);
}
