import { roundUp } from "../../bytes/size.ts";
import { createScratchPool, type Scratch } from "../../core/scratch.ts";
import { type ByteSource, checkRange, type ReadRequest } from "../../core/source.ts";

/** A view of a storage: `offset` and `strides` in elements of `itemBytes`. */
export interface StridedView {
  readonly name: string;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly itemBytes: number;
}

/** One dimension of a box: how many steps, and how far one step goes on either side, in bytes. */
interface Axis {
  readonly size: number;
  readonly from: number;
  readonly to: number;
}

/** The longest run that is read to pick elements out of it. */
const maxSpanBytes = 1024 * 1024;
/** Reading up to this many times what is needed is cheaper than reading in many small pieces. */
const maxWaste = 8;

/**
 * The elements of a view in row-major order, gathered from `storage` as they are asked for. Any range can be read:
 * it is cut into boxes, and each box is read in runs along its smallest strides. Borrows its memory.
 */
export function gathered(storage: ByteSource, view: StridedView): ByteSource {
  const dims = mergeDimensions(view);
  const size = view.shape.reduce((product, extent) => product * extent, view.itemBytes);
  return {
    name: view.name,
    size,
    granule: view.itemBytes,
    async readInto(target, offset, request = {}) {
      checkRange(view.name, size, offset, target.length);
      const scratch = request.scratch ?? createScratchPool();
      // Elements are moved as machine words, which have to be aligned.
      if (target.byteOffset % 4 === 0) return fill(target, offset, { ...request, scratch });
      await scratch.lend(target.length, async (aligned) => {
        await fill(aligned, offset, { ...request, scratch });
        target.set(aligned);
      });
    },
  };

  async function fill(
    target: Uint8Array,
    offset: number,
    request: ReadRequest & { scratch: Scratch },
  ): Promise<void> {
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

interface Dimension {
  readonly size: number;
  readonly stride: number;
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

async function gatherBox(
  storage: ByteSource,
  start: number,
  axes: Axis[],
  target: Uint8Array,
  itemBytes: number,
  request: ReadRequest & { scratch: Scratch },
): Promise<void> {
  axes.sort((a, b) => a.from - b.from);
  const inner = spanAxes(axes, itemBytes);
  const outer = axes.slice(inner.length);
  const spanBytes = inner.reduce((sum, axis) => sum + (axis.size - 1) * axis.from, itemBytes);
  await request.scratch.lend(roundUp(spanBytes, 4), async (buffer) => {
    const span = buffer.subarray(0, spanBytes);
    const counter = outer.map(() => 0);
    let from = start;
    let to = 0;
    for (;;) {
      await storage.readInto(span, from, request);
      scatter(buffer, target, to, inner, itemBytes);
      let digit = 0;
      for (; digit < outer.length; digit++) {
        const axis = outer[digit] as Axis;
        counter[digit] = (counter[digit] as number) + 1;
        from += axis.from;
        to += axis.to;
        if ((counter[digit] as number) < axis.size) break;
        counter[digit] = 0;
        from -= axis.from * axis.size;
        to -= axis.to * axis.size;
      }
      if (digit === outer.length) return;
    }
  });
}

/** As many of the axes, smallest stride first, as one read can cover without being long or wasteful. */
function spanAxes(axes: readonly Axis[], itemBytes: number): readonly Axis[] {
  let span = itemBytes;
  let useful = itemBytes;
  let count = 0;
  for (const axis of axes) {
    span += (axis.size - 1) * axis.from;
    if (axis.from > 0) useful *= axis.size;
    if (span > Math.max(maxSpanBytes, useful) || span > useful * maxWaste) break;
    count++;
  }
  return axes.slice(0, count);
}

/** Moves the elements of a span to their places. Floats travel as integers: a float copy may change a NaN's bits. */
function scatter(
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
  // The longest axis is the innermost loop.
  const ordered = axes.map(({ size, from, to: step }) => ({ size, from: from / unit, to: step / unit }));
  ordered.sort((a, b) => b.size - a.size);

  function move(depth: number, fromAt: number, toAt: number): void {
    const axis = ordered[depth];
    if (axis === undefined) {
      for (let index = 0; index < units; index++) sink[toAt + index] = source[fromAt + index] as number;
    } else if (depth === 0) moveRow(axis, fromAt, toAt);
    else
      for (let step = 0; step < axis.size; step++)
        move(depth - 1, fromAt + step * axis.from, toAt + step * axis.to);
  }

  function moveRow({ size, from, to: step }: Axis, fromAt: number, toAt: number): void {
    for (let index = 0; index < units; index++) {
      let read = fromAt + index;
      let write = toAt + index;
      for (let count = 0; count < size; count++) {
        sink[write] = source[read] as number;
        read += from;
        write += step;
      }
    }
  }

  if (ordered.length === 0) move(0, 0, to / unit);
  else move(ordered.length - 1, 0, to / unit);
}

/** The same bytes as machine words of 1, 2 or 4 bytes. */
function wordsOf(
  { buffer, byteOffset, length }: Uint8Array,
  unit: number,
): Uint8Array | Uint16Array | Uint32Array {
  if (unit === 1) return new Uint8Array(buffer, byteOffset, length);
  if (unit === 2) return new Uint16Array(buffer, byteOffset, Math.floor(length / 2));
  return new Uint32Array(buffer, byteOffset, Math.floor(length / 4));
}
