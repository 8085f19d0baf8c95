import type { RunContext } from "../../core/context.ts";
import { bitsOf, type DType, elementCount } from "../../core/dtype.ts";
import { type ElementDecoder, elementDecoder } from "../../core/element-values.ts";
import { ConvertError, throwIfCancelled } from "../../core/errors.ts";
import type { LazyTensor } from "../../core/tensor.ts";
import { type Histogram, histogramFor, momentsFor } from "./moments.ts";

/** A number as JSON has it exactly: 64-bit integers beyond 2^53 as decimal text, and what is no finite number as its name. */
export type ExactNumber = number | string;

/** What the elements of one tensor are like. Complex ones go by their absolute values, but for `first`. */
export interface TensorValues {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: number;
  readonly elements: number;
  readonly nan: number;
  readonly positiveInfinity: number;
  readonly negativeInfinity: number;
  readonly zeros: number;
  /** Least and greatest, mean and standard deviation (n - 1) of the finite ones; absent where there are too few. */
  readonly min?: ExactNumber;
  readonly max?: ExactNumber;
  readonly mean?: number;
  readonly std?: number;
  /** The first eight, row-major; a complex one as its two parts. */
  readonly first: readonly (ExactNumber | boolean | readonly [ExactNumber, ExactNumber])[];
  /** Counts of finite ones between `min` and `max`. */
  readonly histogram?: Histogram;
}

/**
 * Reads a tensor twice through one borrowed buffer: for its extremes, then for what needs them. Throws kind `unsupported`
 * for a dtype of which the numbers are not known, `malformed` where the bytes do not match their recorded checksum.
 */
export async function tensorValues(
  name: string,
  tensor: LazyTensor,
  context: RunContext,
): Promise<TensorValues> {
  const { dtype, shape, payload } = tensor;
  const decoder = elementDecoder(dtype);
  if (decoder === undefined) {
    throw new ConvertError("unsupported", `the numbers of "${name}", which is ${dtype}, are not known`, {
      tensor: name,
      hint: "its bytes can be converted all the same",
    });
  }
  const elements = elementCount(shape, { tensor: name });
  const counts = { nan: 0, positiveInfinity: 0, negativeInfinity: 0, zeros: 0, finite: 0 };
  const extremes = { min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY };
  const exact = wideExtremes(dtype);
  let first: TensorValues["first"] = [];
  let crc = 0;
  await eachBlock(tensor, decoder, context, (numbers, bytes, at) => {
    if (at === 0) first = firstValues(dtype, decoder, numbers, bytes);
    if (payload.crc32 !== undefined) crc = context.crc32(bytes, crc);
    countBlock(numbers, counts, extremes);
    exact?.add(bytes);
  });
  if (payload.crc32 !== undefined && payload.crc32 !== crc && elements > 0) {
    throw new ConvertError("malformed", `"${name}" does not match its checksum`, {
      file: payload.name,
      tensor: name,
      hint: "the file is damaged; download or save it again",
    });
  }
  const { finite, ...reported } = counts;
  const head = { dtype, shape, bytes: payload.size, elements, ...reported, first };
  if (finite === 0) return head;
  const isWhole = /^(BOOL|[UI]\d+)$/.test(dtype);
  const histogram = histogramFor(extremes.min, extremes.max, isWhole);
  const moments = momentsFor(extremes.min, extremes.max);
  await eachBlock(tensor, decoder, context, (numbers) => {
    histogram.add(numbers);
    moments.add(numbers);
  });
  const { mean, std } = moments.result();
  const [min, max] = exact?.result() ?? [extremes.min, extremes.max];
  return { ...head, min, max, mean, ...(std === undefined ? {} : { std }), histogram: histogram.result() };
}

/** Elements that are decoded at once: their numbers fit the cache. */
const blockElements = 8192;

/** Hands over numbers (absolute values of complex ones) with the bytes they come from; neither is to be kept. */
async function eachBlock(
  { dtype, shape, payload }: LazyTensor,
  decoder: ElementDecoder,
  context: RunContext,
  use: (numbers: Float64Array, bytes: Uint8Array, at: number) => void,
): Promise<void> {
  const bits = bitsOf(dtype);
  const granule = (payload.granule ?? 1) * 16;
  const step = Math.max(granule, Math.floor(context.bufferBytes / granule) * granule);
  const decoded = new Float64Array(blockElements * decoder.parts);
  const total = elementCount(shape, {});
  await context.scratch.lend(Math.min(step, payload.size), async (buffer) => {
    for (let at = 0; at < payload.size; at += step) {
      throwIfCancelled(context.signal);
      const chunk = buffer.subarray(0, Math.min(step, payload.size - at));
      await payload.readInto(chunk, at, context);
      const last = Math.min(total, ((at + chunk.length) * 8) / bits);
      for (let element = (at * 8) / bits; element < last; element += blockElements) {
        const count = Math.min(blockElements, last - element);
        const from = (element * bits) / 8 - at;
        const bytes = chunk.subarray(from, from + Math.ceil((count * bits) / 8));
        decoder.decode(bytes, decoded);
        if (decoder.parts === 1) use(decoded.subarray(0, count), bytes, element);
        else use(absolutes(decoded, count), bytes, element);
      }
    }
  });
}

/** In place: an absolute value lies before the parts of the next. The parts of the first eight have to be decoded anew. */
function absolutes(parts: Float64Array, count: number): Float64Array {
  for (let index = 0; index < count; index++) {
    const [real, imaginary] = [parts[2 * index] as number, parts[2 * index + 1] as number];
    // Math.hypot finds infinity before NaN; either part that is no number makes the whole none.
    parts[index] = Number.isNaN(real) || Number.isNaN(imaginary) ? Number.NaN : Math.hypot(real, imaginary);
  }
  return parts.subarray(0, count);
}

function countBlock(
  numbers: Float64Array,
  counts: { nan: number; positiveInfinity: number; negativeInfinity: number; zeros: number; finite: number },
  extremes: { min: number; max: number },
): void {
  let { min, max } = extremes;
  for (const number of numbers) {
    if (number - number === 0) {
      counts.finite++;
      if (number === 0) counts.zeros++;
      if (number < min) min = number;
      if (number > max) max = number;
    } else if (number > 0) counts.positiveInfinity++;
    else if (number < 0) counts.negativeInfinity++;
    else counts.nan++;
  }
  extremes.min = min;
  extremes.max = max;
}

/** Least and greatest of 64-bit integers, which a double would round. */
function wideExtremes(
  dtype: DType,
): { add(bytes: Uint8Array): void; result(): [ExactNumber, ExactNumber] } | undefined {
  if (dtype !== "I64" && dtype !== "U64") return undefined;
  let min: bigint | undefined;
  let max: bigint | undefined;
  return {
    add(bytes) {
      for (let at = 0; at < bytes.length; at += 8) {
        const value = wideInteger(dtype, bytes, at);
        if (min === undefined || value < min) min = value;
        if (max === undefined || value > max) max = value;
      }
    },
    result: () => [exactNumber(min as bigint), exactNumber(max as bigint)],
  };
}

function wideInteger(dtype: "I64" | "U64", bytes: Uint8Array, at: number): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return dtype === "I64" ? view.getBigInt64(at, true) : view.getBigUint64(at, true);
}

function exactNumber(value: bigint | number): ExactNumber {
  if (typeof value === "bigint") {
    const rounded = Number(value);
    return Number.isSafeInteger(rounded) ? rounded : value.toString();
  }
  return Number.isFinite(value) ? value : String(value);
}

function firstValues(
  dtype: DType,
  decoder: ElementDecoder,
  numbers: Float64Array,
  bytes: Uint8Array,
): TensorValues["first"] {
  const count = Math.min(8, numbers.length);
  if (dtype === "I64" || dtype === "U64") {
    return Array.from({ length: count }, (_, index) => exactNumber(wideInteger(dtype, bytes, 8 * index)));
  }
  if (decoder.parts === 1) {
    const first = [...numbers.subarray(0, count)];
    return dtype === "BOOL" ? first.map((number) => number !== 0) : first.map(exactNumber);
  }
  const parts = new Float64Array(2 * count);
  decoder.decode(bytes.subarray(0, (count * bitsOf(dtype)) / 8), parts);
  return Array.from({ length: count }, (_, index) => [
    exactNumber(parts[2 * index] as number),
    exactNumber(parts[2 * index + 1] as number),
  ]);
}
