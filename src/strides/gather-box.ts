import { roundUp } from "../bytes/size.ts";
import type { Scratch } from "../core/scratch.ts";
import type { ByteSource, ReadRequest } from "../core/source.ts";
import type { Axis } from "./axis.ts";
import { scatter } from "./scatter.ts";

/** The longest stretch that one read covers to pick elements out of it. */
const maxSpanBytes = 1024 * 1024;
/** The same where spans become neighbours of each other in the result: the more, the longer its runs. */
const sideBySideBytes = 2 * 1024 * 1024;
/** Reading on over a gap of this size takes as long as beginning a new read. */
const cheapGapBytes = 12 * 1024;
/** A read that is worth its call, and short enough to be made at once (see "small reads" in docs/architecture.md). */
const runBytes = 16 * 1024;
/** The longest span of which one read takes many, side by side. */
const joinedSpanBytes = 32 * 1024;
/** Runs gathered before they are spread: few enough to stay in a cache, and enough for columns of 256 bytes. */
const batchBytes = 1024 * 1024;

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
  const straight = sorted.find(
    (axis) => axis.from === itemBytes && axis.to === itemBytes && axis.size * itemBytes > cheapGapBytes,
  );
  if (straight) {
    const length = straight.size * itemBytes;
    for (const { from, to } of walk(without(sorted, [straight]), start))
      await storage.readInto(target.subarray(to, to + length), from, request);
    return;
  }
  const box = planBox(sorted, itemBytes);
  await request.scratch.lend(roundUp(box.batch.bytes, 4), async (buffer) => {
    for (const { from, to } of walk(box.outer, start)) {
      for (const { span, from: cutFrom, to: cutTo } of cuts(box))
        await gatherSpans(storage, from + cutFrom, to + cutTo, span);
    }

    async function gatherSpans(
      storage: ByteSource,
      start: number,
      at: number,
      span: readonly Axis[],
    ): Promise<void> {
      const { batch } = box;
      for (let first = 0; first < batch.axis.size; first += batch.count) {
        const count = Math.min(batch.count, batch.axis.size - first);
        await readBatch(
          storage,
          start + first * batch.axis.from,
          count,
          lengthOf(span, itemBytes),
          batch,
          buffer,
          request,
        );
        const spread = [...span, { size: count, from: batch.step, to: batch.axis.to }];
        scatter(buffer, target, at + first * batch.axis.to, spread, itemBytes);
      }
    }
  });
}

/** How a box is taken apart. */
interface BoxPlan {
  /** The axes of a span that are there as a whole. */
  readonly inner: readonly Axis[];
  /** One more axis of the span, of which it has `cutSteps` at a time. */
  readonly cut: Axis | undefined;
  readonly cutSteps: number;
  readonly batch: Batch;
  readonly outer: readonly Axis[];
}

/** How spans are brought together. */
interface Batch {
  readonly axis: Axis;
  /** Spans at a time. */
  readonly count: number;
  /** From one span to the next in the scratch buffer, in bytes. */
  readonly step: number;
  /** Whether one read covers them all, gaps included. */
  readonly joined: boolean;
  /** Bytes of the scratch buffer. */
  readonly bytes: number;
}

/**
 * Spans are as long as one read may be, if that brings neighbours of the result together. Otherwise they are just
 * long enough, so that many of them fit the batch along the axis in which the result has its neighbours.
 */
function planBox(sorted: readonly Axis[], itemBytes: number): BoxPlan {
  const long = spanAxes(sorted, itemBytes, maxSpanBytes);
  const near = sorted.reduce<Axis | undefined>(
    (best, axis) => (best && best.to <= axis.to ? best : axis),
    undefined,
  );
  if (near === undefined || long.includes(near) || long.length === sorted.length) {
    const batch = planBatch(sorted[long.length], lengthOf(long, itemBytes), maxSpanBytes);
    return { inner: long, cut: undefined, cutSteps: 1, batch, outer: sorted.slice(long.length + 1) };
  }
  const longBytes = lengthOf(long, itemBytes);
  // One read covers many of them, so there is no use in reading shorter ones twice.
  if (longBytes <= joinedSpanBytes && near.from - longBytes <= cheapGapBytes) {
    const outer = without(sorted, [...long, near]);
    return {
      inner: long,
      cut: undefined,
      cutSteps: 1,
      batch: planBatch(near, longBytes, sideBySideBytes),
      outer,
    };
  }
  const inner = spanAxes(sorted, itemBytes, runBytes);
  const length = lengthOf(inner, itemBytes);
  const next = sorted[inner.length];
  const steps = next === undefined || next === near ? 1 : stepsWithin(next, length);
  const cut = steps > 1 ? next : undefined;
  const span = cut ? [...inner, { ...cut, size: steps }] : inner;
  return {
    inner,
    cut,
    cutSteps: steps,
    batch: planBatch(near, lengthOf(span, itemBytes), sideBySideBytes),
    outer: without(sorted, [...span, near, ...(cut ? [cut] : [])]),
  };
}

/** How many steps of an axis continue a span up to the length of a run; 1 where its gaps are too wide to read over. */
function stepsWithin(axis: Axis, length: number): number {
  if (axis.from - length > cheapGapBytes) return 1;
  return Math.max(1, Math.min(axis.size, Math.floor((runBytes - length) / axis.from) + 1));
}

/** `most` bytes at a time where one read covers them all. */
function planBatch(axis: Axis = { size: 1, from: 0, to: 0 }, spanBytes: number, most: number): Batch {
  const joined = axis.from - spanBytes <= cheapGapBytes;
  const step = joined ? axis.from : roundUp(spanBytes, 4);
  const room = joined ? most : batchBytes;
  const count = Math.min(axis.size, Math.max(1, Math.floor((room - spanBytes) / Math.max(1, step)) + 1));
  return { axis, count, step, joined, bytes: spanBytes + (count - 1) * step };
}

/** The spans that lie along the axis that is cut; one, where none is. */
function* cuts({
  inner,
  cut,
  cutSteps,
}: BoxPlan): Iterable<{ readonly span: readonly Axis[]; from: number; to: number }> {
  if (cut === undefined) yield { span: inner, from: 0, to: 0 };
  else
    for (let first = 0; first < cut.size; first += cutSteps) {
      const size = Math.min(cutSteps, cut.size - first);
      yield { span: [...inner, { ...cut, size }], from: first * cut.from, to: first * cut.to };
    }
}

async function readBatch(
  storage: ByteSource,
  start: number,
  count: number,
  spanBytes: number,
  { axis, step, joined }: Batch,
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
  const last = axes.at(-1);
  if (last === undefined) {
    yield { from: start, to: 0 };
    return;
  }
  for (const { from, to } of walk(axes.slice(0, -1), start)) {
    for (let step = 0; step < last.size; step++)
      yield { from: from + step * last.from, to: to + step * last.to };
  }
}

/** As many of the axes, smallest stride first, as one read of `most` bytes can cover without crossing wide gaps. */
function spanAxes(axes: readonly Axis[], itemBytes: number, most: number): readonly Axis[] {
  let span = itemBytes;
  let count = 0;
  for (const axis of axes) {
    if (axis.from - span > cheapGapBytes) break;
    span += (axis.size - 1) * axis.from;
    if (span > most) break;
    count++;
  }
  return axes.slice(0, count);
}

/** Bytes from the first to the last element of a box in its storage. */
function lengthOf(axes: readonly Axis[], itemBytes: number): number {
  return axes.reduce((sum, axis) => sum + (axis.size - 1) * axis.from, itemBytes);
}

function without(axes: readonly Axis[], taken: readonly Axis[]): readonly Axis[] {
  return axes.filter((axis) => !taken.includes(axis));
}
