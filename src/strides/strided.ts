import { createScratchPool, type Scratch } from "../core/scratch.ts";
import { type ByteSource, checkRange, type Patch, type ReadRequest } from "../core/source.ts";
import type { Axis } from "./axis.ts";
import { gatherBox } from "./gather-box.ts";
import { bytesWithin, type Dimension, type PatchSizes, patchesOf, patchSizes } from "./patches.ts";

/** A view of a storage: `offset` and `strides` in elements of `itemBytes`. */
export interface StridedView {
  readonly name: string;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly itemBytes: number;
}

/**
 * The elements of a view in row-major order, gathered from `storage` as they are asked for. Any range can be read:
 * it is cut into boxes, and each box is read in runs along its smallest strides. Borrows its memory.
 */
export function gathered(
  storage: ByteSource,
  view: StridedView,
  { longestWindow, ...sizes }: GatherSizes = gatherSizes,
): ByteSource {
  const dims = mergeDimensions(view);
  const size = view.shape.reduce((product, extent) => product * extent, view.itemBytes);
  const window = preferredBytes(dims, view.itemBytes, size, longestWindow);
  const patches = window === undefined ? undefined : patchesOf(dims, view.itemBytes, window, sizes);
  return {
    name: view.name,
    size,
    granule: view.itemBytes,
    preferredBytes: window,
    patchwork: patches && {
      patches,
      readPatch: (target, patch, request) =>
        lendAligned(target, request, (aligned, lent) => fillPatch(aligned, patch, lent)),
    },
    async readInto(target, offset, request = {}) {
      checkRange(view.name, size, offset, target.length);
      await lendAligned(target, request, (aligned, lent) => fill(aligned, offset, lent));
    },
  };

  /** The runs are a box of the view, but for the place that each has in the target. */
  async function fillPatch(
    target: Uint8Array,
    { offset, length, count, step }: Patch,
    request: LentRequest,
  ): Promise<void> {
    const { itemBytes } = view;
    const run = nextBox(dims, offset / itemBytes, length / itemBytes, itemBytes);
    const within = dims.findIndex((_, index) => bytesWithin(dims, index, itemBytes) === step);
    const rows = nextBox(dims.slice(0, within + 1), Math.floor(offset / step), count, itemBytes);
    const axes = [
      ...run.axes,
      ...rows.axes.map(({ size, from, to }) => ({ size, from, to: (to / itemBytes) * length })),
    ];
    await gatherBox(
      storage,
      (view.offset + run.start) * view.itemBytes,
      axes,
      target,
      view.itemBytes,
      request,
    );
  }

  async function fill(target: Uint8Array, offset: number, request: LentRequest): Promise<void> {
    let element = offset / view.itemBytes;
    let at = 0;
    while (at < target.length) {
      const box = nextBox(dims, element, (target.length - at) / view.itemBytes, view.itemBytes);
      const bytes = box.elements * view.itemBytes;
      const start = (view.offset + box.start) * view.itemBytes;
      await gatherBox(storage, start, box.axes, target.subarray(at, at + bytes), view.itemBytes, request);
      element += box.elements;
      at += bytes;
    }
  }
}

/** Sizes that decide how a view is read, in bytes. */
export interface GatherSizes extends PatchSizes {
  /** The longest read that is asked for; two of them are under way at once, one being filled and one being written. */
  readonly longestWindow: number;
}

const gatherSizes: GatherSizes = { ...patchSizes, longestWindow: 40 * 1024 * 1024 };

/** A request that has memory to lend. */
type LentRequest = ReadRequest & { readonly scratch: Scratch };

/** Elements are moved as machine words, which have to be aligned. */
async function lendAligned(
  target: Uint8Array,
  request: ReadRequest = {},
  fill: (aligned: Uint8Array, request: LentRequest) => Promise<void>,
): Promise<void> {
  const scratch = request.scratch ?? createScratchPool();
  if (target.byteOffset % 4 === 0) return fill(target, { ...request, scratch });
  await scratch.lend(target.length, async (aligned) => {
    await fill(aligned, { ...request, scratch });
    target.set(aligned);
  });
}

/** Drops dimensions of one step and joins neighbours that continue each other. */
function mergeDimensions({ shape, strides }: StridedView): readonly Dimension[] {
  const merged: Dimension[] = [];
  for (const [index, size] of shape.entries()) {
    if (size === 1) continue;
    const stride = strides[index] as number;
    const outer = merged.at(-1);
    if (outer && outer.stride === size * stride)
      merged[merged.length - 1] = { size: outer.size * size, stride };
    else merged.push({ size, stride });
  }
  return merged;
}

/** The largest box that starts at element `first` of the row-major order and has at most `count` elements. */
function nextBox(
  dims: readonly Dimension[],
  first: number,
  count: number,
  itemBytes: number,
): { start: number; elements: number; axes: Axis[] } {
  let below = 1;
  let start = 0;
  let elements = 1;
  let rest = first;
  let growing = true;
  const axes: Axis[] = [];
  for (let index = dims.length - 1; index >= 0; index--) {
    const { size, stride } = dims[index] as Dimension;
    const step = rest % size;
    rest = Math.floor(rest / size);
    start += step * stride;
    if (growing) {
      const steps = Math.min(size - step, Math.floor(count / below));
      // A box grows outwards only while the dimensions within are whole.
      growing = step === 0 && steps === size;
      if (steps > 1) axes.push({ size: steps, from: stride * itemBytes, to: below * itemBytes });
      elements = below * Math.max(1, steps);
      below *= size;
      if (below > count) growing = false;
    }
  }
  return { start, elements, axes };
}

const longRun = 16 * 1024;

/**
 * A transposed view gives, to each read, a run as long as the rows that were asked for are many. As many as make
 * the runs worth their reads, and no more than memory allows.
 */
function preferredBytes(
  dims: readonly Dimension[],
  itemBytes: number,
  size: number,
  longest: number,
): number | undefined {
  let below = itemBytes;
  let nearest: { readonly extent: number; readonly stride: number; readonly rowBytes: number } | undefined;
  for (const { size: extent, stride } of [...dims].reverse()) {
    if (stride > 0 && (nearest === undefined || stride < nearest.stride))
      nearest = { extent, stride, rowBytes: below };
    below *= extent;
  }
  if (nearest === undefined || nearest.rowBytes === itemBytes) return undefined;
  const rows = Math.min(nearest.extent, Math.ceil(longRun / (nearest.stride * itemBytes)));
  const wanted = Math.min(size, rows * nearest.rowBytes, longest);
  // Whole rows, so that no run is cut in two.
  const unit = nearest.rowBytes > wanted ? itemBytes : nearest.rowBytes;
  return Math.floor(wanted / unit) * unit;
}
