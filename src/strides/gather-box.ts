import { roundUp } from "../bytes/size.ts";
import type { Scratch } from "../core/scratch.ts";
import type { ByteSource, ReadRequest } from "../core/source.ts";

/** One dimension of a box: how many steps, and how far one step goes in the storage and in the result, in bytes. */
export interface Axis {
  readonly size: number;
  readonly from: number;
  readonly to: number;
}

/** The longest stretch that one read covers to pick elements out of it. */
const maxSpanBytes = 1024 * 1024;
/** Reading on over a gap of this size takes as long as beginning a new read. */
const cheapGapBytes = 12 * 1024;
/** Runs gathered before they are spread: small enough for a processor's cache. */
const batchBytes = 256 * 1024;

/**
 * Fills `target` with the elements of a box whose first lies at byte `start` of `storage`. The smallest strides make
 * a span that is read at once; several spans are brought together, by one read or by many, and then spread.
 */
export async function gatherBox(
  storage: ByteSource,
  start: number,
  axes: readonly Axis[],
  target: Uint8Array,
  itemBytes: number,
  request: ReadRequest & { scratch: Scratch },
): Promise<void> {
  const sorted = [...axes].sort((a, b) => a.from - b.from);
  const inner = spanAxes(sorted, itemBytes);
  const spanBytes = inner.reduce((sum, axis) => sum + (axis.size - 1) * axis.from, itemBytes);
  const batch = planBatch(sorted[inner.length] ?? { size: 1, from: spanBytes, to: 0 }, spanBytes);
  const outer = sorted.slice(inner.length + 1);
  await request.scratch.lend(roundUp(batch.bytes, 4), async (buffer) => {
    for (const { from, to } of walk(outer, start)) {
      for (let first = 0; first < batch.axis.size; first += batch.count) {
        const count = Math.min(batch.count, batch.axis.size - first);
        await readBatch(storage, from + first * batch.axis.from, count, batch, buffer, request);
        const spread = [...inner, { size: count, from: batch.step, to: batch.axis.to }];
        scatter(buffer, target, to + first * batch.axis.to, spread, itemBytes);
      }
    }
  });
}

/** How spans are brought together. */
interface Batch {
  readonly axis: Axis;
  /** Spans at a time. */
  readonly count: number;
  /** From one span to the next in the scratch buffer, in bytes. */
  readonly step: number;
  readonly spanBytes: number;
  /** Whether one read covers them all, gaps included. */
  readonly joined: boolean;
  /** Bytes of the scratch buffer. */
  readonly bytes: number;
}

function planBatch(axis: Axis, spanBytes: number): Batch {
  const joined = axis.from - spanBytes <= cheapGapBytes;
  const step = joined ? axis.from : roundUp(spanBytes, 4);
  const room = joined ? maxSpanBytes : batchBytes;
  const count = Math.min(axis.size, Math.max(1, Math.floor((room - spanBytes) / Math.max(1, step)) + 1));
  return { axis, count, step, spanBytes, joined, bytes: spanBytes + (count - 1) * step };
}

async function readBatch(
  storage: ByteSource,
  start: number,
  count: number,
  { axis, step, spanBytes, joined }: Batch,
  buffer: Uint8Array,
  request: ReadRequest,
): Promise<void> {
  if (joined) {
    await storage.readInto(buffer.subarray(0, spanBytes + (count - 1) * step), start, request);
    return;
  }
  for (let index = 0; index < count; index++) {
    const span = buffer.subarray(index * step, index * step + spanBytes);
    await storage.readInto(span, start + index * axis.from, request);
  }
}

/** Every combination of steps along some axes, as positions on both sides. */
function* walk(
  axes: readonly Axis[],
  start: number,
): Iterable<{ readonly from: number; readonly to: number }> {
  const [last, ...others] = [...axes].reverse();
  if (last === undefined) {
    yield { from: start, to: 0 };
    return;
  }
  for (const { from, to } of walk(others.reverse(), start)) {
    for (let step = 0; step < last.size; step++)
      yield { from: from + step * last.from, to: to + step * last.to };
  }
}

/** As many of the axes, smallest stride first, as one read can cover without being long or crossing wide gaps. */
function spanAxes(axes: readonly Axis[], itemBytes: number): readonly Axis[] {
  let span = itemBytes;
  let useful = itemBytes;
  let count = 0;
  for (const axis of axes) {
    if (axis.from - span > cheapGapBytes) break;
    span += (axis.size - 1) * axis.from;
    if (axis.from > 0) useful *= axis.size;
    if (span > Math.max(maxSpanBytes, useful)) break;
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
  // The innermost loop writes what lies together.
  const ordered = axes.map(({ size, from, to: step }) => ({ size, from: from / unit, to: step / unit }));
  ordered.sort((a, b) => a.to - b.to);

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
