import type { SameBytes } from "../../bytes/difference.ts";
import { bitsOf, type DType } from "../../core/dtype.ts";
import { type ElementDecoder, elementDecoder } from "../../core/element-values.ts";

/** How far two numbers may lie apart and still count as equal: |a - b| <= absolute + relative * |b|, as in numpy. Two NaN are equal. */
export interface Tolerance {
  readonly absolute: number;
  readonly relative: number;
}

/** What is known so far of how two tensors differ; blocks may be added in any order. */
export interface Tally {
  differs: boolean;
  /** Elements that differ; stays 0 where the type's numbers are not known. */
  count: number;
  /** Largest |a - b| among them; NaN counts as larger than any. */
  maxAbs: number;
  /** Row-major index of the element with it, the first of several. */
  index: number;
  /** The two numbers there; of a complex element the real parts. */
  values: readonly [number, number];
}

/** One side of a block: whole elements, little-endian. */
export interface ElementBlock {
  readonly dtype: DType;
  readonly bytes: Uint8Array;
}

/** Compares blocks of two tensors; owns two small arrays of numbers, so it serves one block at a time. */
export type BlockComparer = (
  left: ElementBlock,
  right: ElementBlock,
  firstIndex: number,
  tally: Tally,
) => void;

/** A tally of nothing seen. */
export function emptyTally(): Tally {
  return { differs: false, count: 0, maxAbs: -1, index: -1, values: [0, 0] };
}

/** Elements that are decoded at once: their numbers fit the cache. */
const stepElements = 8192;

/** A comparer that looks at bytes first, and at numbers only where bytes differ. Without a tolerance every bit counts; between two types, the values. */
export function createBlockComparer(tolerance: Tolerance | undefined, sameBytes: SameBytes): BlockComparer {
  const numbers = [new Float64Array(2 * stepElements), new Float64Array(2 * stepElements)] as const;
  return (left, right, firstIndex, tally) => {
    const sameType = left.dtype === right.dtype;
    if (sameType && sameBytes(left.bytes, right.bytes)) return;
    const decoders = [elementDecoder(left.dtype), elementDecoder(right.dtype)] as const;
    if (decoders[0] === undefined || decoders[1] === undefined) {
      tally.differs = true;
      return;
    }
    const both = { decoders: decoders as readonly [ElementDecoder, ElementDecoder], numbers, tolerance };
    const total = (left.bytes.length * 8) / bitsOf(left.dtype);
    for (let from = 0; from < total; from += stepElements) {
      const to = Math.min(total, from + stepElements);
      const step = [cut(left, from, to), cut(right, from, to)] as const;
      if (sameType && sameBytes(step[0].bytes, step[1].bytes)) continue;
      compareStep(step, both, firstIndex + from, tally);
    }
  };
}

function cut({ dtype, bytes }: ElementBlock, from: number, to: number): ElementBlock {
  const bits = bitsOf(dtype);
  return { dtype, bytes: bytes.subarray((from * bits) / 8, (to * bits) / 8) };
}

interface StepContext {
  readonly decoders: readonly [ElementDecoder, ElementDecoder];
  readonly numbers: readonly [Float64Array, Float64Array];
  readonly tolerance: Tolerance | undefined;
}

function compareStep(
  blocks: readonly [ElementBlock, ElementBlock],
  { decoders, numbers, tolerance }: StepContext,
  firstIndex: number,
  tally: Tally,
): void {
  const [left, right] = numbers;
  decoders[0].decode(blocks[0].bytes, left);
  decoders[1].decode(blocks[1].bytes, right);
  const bits = bitsOf(blocks[0].dtype);
  const count = (blocks[0].bytes.length * 8) / bits;
  const steps = [decoders[0].parts, decoders[1].parts] as const;
  const distanceAt = distancesOf(blocks, numbers, steps);
  const bitwise = tolerance === undefined && blocks[0].dtype === blocks[1].dtype && bits >= 8;
  for (let index = 0; index < count; index++) {
    const apart = distanceAt(index);
    if (apart === 0 && !(bitwise && !sameBits(blocks, index, bits / 8))) continue;
    if (tolerance !== undefined) {
      const size = steps[1] === 2 ? modulus(right, index) : Math.abs(right[index] as number);
      if (apart <= tolerance.absolute + tolerance.relative * size) continue;
    }
    note(
      tally,
      apart,
      firstIndex + index,
      left[index * steps[0]] as number,
      right[index * steps[1]] as number,
    );
  }
}

function distancesOf(
  blocks: readonly [ElementBlock, ElementBlock],
  [left, right]: readonly [Float64Array, Float64Array],
  [stepLeft, stepRight]: readonly [1 | 2, 1 | 2],
): (index: number) => number {
  if (stepLeft === 2 || stepRight === 2) {
    const part = (numbers: Float64Array, index: number, step: 1 | 2) =>
      step === 2 ? (numbers[2 * index + 1] as number) : 0;
    return (index) =>
      Math.hypot(
        distance(left[index * stepLeft] as number, right[index * stepRight] as number),
        distance(part(left, index, stepLeft), part(right, index, stepRight)),
      );
  }
  if (isWideInteger(blocks[0].dtype) || isWideInteger(blocks[1].dtype)) {
    return (index) => wideDistance(blocks, index, left[index] as number, right[index] as number);
  }
  return (index) => distance(left[index] as number, right[index] as number);
}

function modulus(numbers: Float64Array, index: number): number {
  return Math.hypot(numbers[2 * index] as number, numbers[2 * index + 1] as number);
}

/** How far two numbers lie apart: 0 for two NaN and for equal infinities, NaN for a NaN and a number. */
function distance(a: number, b: number): number {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return 0;
  return Math.abs(a - b);
}

function note(tally: Tally, apart: number, index: number, a: number, b: number): void {
  tally.differs = true;
  tally.count++;
  const isLarger = Number.isNaN(apart) ? !Number.isNaN(tally.maxAbs) : apart > tally.maxAbs;
  const isFirst = Object.is(apart, tally.maxAbs) && index < tally.index;
  if (!isLarger && !isFirst) return;
  tally.maxAbs = apart;
  tally.index = index;
  tally.values = [a, b];
}

function sameBits(
  [left, right]: readonly [ElementBlock, ElementBlock],
  index: number,
  width: number,
): boolean {
  const end = (index + 1) * width;
  for (let at = index * width; at < end; at++) if (left.bytes[at] !== right.bytes[at]) return false;
  return true;
}

function isWideInteger(dtype: DType): boolean {
  return dtype === "I64" || dtype === "U64";
}

/** The distance of numbers of which one is an integer that a double may not hold. */
function wideDistance(
  [left, right]: readonly [ElementBlock, ElementBlock],
  index: number,
  a: number,
  b: number,
): number {
  if (Math.abs(a) < 2 ** 53 && Math.abs(b) < 2 ** 53) return distance(a, b);
  const [exactA, exactB] = [exactInteger(left, index, a), exactInteger(right, index, b)];
  if (exactA === undefined || exactB === undefined) return distance(a, b);
  const apart = Number(exactA - exactB);
  return Math.abs(apart);
}

function exactInteger({ dtype, bytes }: ElementBlock, index: number, value: number): bigint | undefined {
  if (!isWideInteger(dtype)) return Number.isInteger(value) ? BigInt(value) : undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + index * 8, 8);
  return dtype === "U64" ? view.getBigUint64(0, true) : view.getBigInt64(0, true);
}
