import type { RunContext } from "../../core/context.ts";
import { bitsOf, elementCount } from "../../core/dtype.ts";
import { throwIfCancelled } from "../../core/errors.ts";
import { outputPlan, type Piece } from "../../core/plan.ts";
import type { LazyTensor } from "../../core/tensor.ts";
import { type ChecksumWatch, createChecksumWatch } from "../run/checksums.ts";
import { createMeter } from "../run/meter.ts";
import { createBlockComparer, emptyTally, type Tally, type Tolerance } from "./compare-values.ts";

/** Two tensors of one shape. */
export interface TensorPair {
  readonly name: string;
  readonly left: LazyTensor;
  readonly right: LazyTensor;
}

/** How to compare. */
export interface CompareOptions {
  readonly tolerance: Tolerance | undefined;
  /** Stop at the first difference; what it is is then known in part. */
  readonly brief: boolean;
}

/** Elements `from` up to, not including, `to` of a pair. */
interface Stretch {
  readonly pair: TensorPair;
  readonly tally: Tally;
  /** Both payloads, as the watch over checksums knows them. */
  readonly pieces: readonly [Piece, Piece];
  readonly from: number;
  readonly to: number;
}

/**
 * Compares payloads, in as many lanes as the context has jobs; each borrows two buffers. Gives a tally for each pair, in
 * their order. Throws kind `malformed` for a payload that does not match its container's checksum.
 */
export async function comparePayloads(
  pairs: readonly TensorPair[],
  options: CompareOptions,
  context: RunContext,
): Promise<readonly Tally[]> {
  const tallies = pairs.map(emptyTally);
  const total = pairs.reduce((sum, { left, right }) => sum + left.payload.size + right.payload.size, 0);
  const meter = createMeter("compare", total, context);
  const watch = createChecksumWatch(outputPlan("", []), context);
  const stretches = cutIntoStretches(pairs, tallies, context);
  let stopped = false;

  async function compare(
    stretch: Stretch,
    compareBlocks: ReturnType<typeof createBlockComparer>,
  ): Promise<void> {
    const { pair, tally, pieces, from, to } = stretch;
    const { left, right } = pair;
    await context.scratch.lend(bytesOf(left, to - from), (a) =>
      context.scratch.lend(bytesOf(right, to - from), async (b) => {
        const starts = [bytesOf(left, from), bytesOf(right, from)] as const;
        await Promise.all([
          left.payload.readInto(a, starts[0], context),
          right.payload.readInto(b, starts[1], context),
        ]);
        await observe(watch, pieces[0], starts[0], a);
        await observe(watch, pieces[1], starts[1], b);
        compareBlocks({ dtype: left.dtype, bytes: a }, { dtype: right.dtype, bytes: b }, from, tally);
        meter.add(a.length + b.length, pair.name);
      }),
    );
    if (tally.differs && options.brief) stopped = true;
  }

  /** Stretches that are longer than a buffer take turns. */
  let wideTurn: Promise<unknown> = Promise.resolve();
  async function lane(): Promise<void> {
    const compareBlocks = createBlockComparer(options.tolerance, context.sameBytes);
    try {
      for (const stretch of stretches) {
        if (stopped) return;
        throwIfCancelled(context.signal);
        const bytes = Math.max(
          ...[stretch.pair.left, stretch.pair.right].map((side) => bytesOf(side, stretch.to - stretch.from)),
        );
        if (bytes <= context.bufferBytes) await compare(stretch, compareBlocks);
        else {
          const mine = wideTurn.then(() => compare(stretch, compareBlocks));
          wideTurn = mine.catch(() => undefined);
          await mine;
        }
      }
    } catch (error) {
      stopped = true;
      throw error;
    }
  }

  const ends = await Promise.allSettled(Array.from({ length: context.jobs }, lane));
  for (const end of ends) if (end.status === "rejected") throw end.reason;
  return tallies;
}

function bytesOf({ dtype }: LazyTensor, elements: number): number {
  return (elements * bitsOf(dtype)) / 8;
}

async function observe(watch: ChecksumWatch, piece: Piece, from: number, bytes: Uint8Array): Promise<void> {
  const parts = [{ piece, from, to: from + bytes.length }];
  if (watch.concerns(parts)) await watch.observe(parts, bytes);
}

function* cutIntoStretches(
  pairs: readonly TensorPair[],
  tallies: readonly Tally[],
  context: RunContext,
): Generator<Stretch> {
  for (const [index, pair] of pairs.entries()) {
    const elements = elementCount(pair.left.shape, { tensor: pair.name });
    const step = stretchElements(pair, context.bufferBytes);
    const pieces = [pieceOf(pair.name, pair.left), pieceOf(pair.name, pair.right)] as const;
    for (let from = 0; from < elements; from += step) {
      yield { pair, tally: tallies[index] as Tally, pieces, from, to: Math.min(elements, from + step) };
    }
  }
}

function pieceOf(tensor: string, { payload }: LazyTensor): Piece {
  return { kind: "payload", tensor, source: payload };
}

/** As many elements as fit a buffer, or as a source prefers, in whole granules of both sides. */
function stretchElements({ left, right }: TensorPair, bufferBytes: number): number {
  const unit = leastCommonMultiple(wholeElements(left), wholeElements(right));
  const wanted = Math.min(
    ...[left, right].map((side) =>
      elementsWithin(side, Math.max(bufferBytes, side.payload.preferredBytes ?? 0)),
    ),
  );
  return Math.max(unit, Math.floor(wanted / unit) * unit);
}

function elementsWithin({ dtype }: LazyTensor, bytes: number): number {
  return Math.floor((bytes * 8) / bitsOf(dtype));
}

/** The fewest elements that fill whole bytes and whole granules. */
function wholeElements({ dtype, payload }: LazyTensor): number {
  const granuleBits = 8 * (payload.granule ?? 1);
  return leastCommonMultiple(bitsOf(dtype), granuleBits) / bitsOf(dtype);
}

function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return (a / x) * b;
}
