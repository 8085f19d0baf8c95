import { createScratchPool, type Scratch } from "../../../core/scratch.ts";
import { type ByteSource, checkRange, type ReadRequest } from "../../../core/source.ts";
import { type FusedDType, numbersOf, roundTo } from "./numbers.ts";

/** What torch adds to a variance unless told otherwise. */
export const defaultEpsilon = 1e-5;

/** The vectors of a norm, one value a channel; without `weight` and `bias` it scales by one and adds nothing. */
export interface NormVectors {
  readonly weight: ByteSource | undefined;
  readonly bias: ByteSource | undefined;
  readonly mean: ByteSource;
  readonly variance: ByteSource;
}

/** How a convolution takes in the norms behind it, each in turn. */
export interface FuseOptions {
  readonly name: string;
  readonly dtype: FusedDType;
  readonly itemBytes: number;
  readonly norms: readonly NormVectors[];
  /** Added to the variance; the graph does not keep it. */
  readonly epsilon: number;
}

/**
 * The weight of a convolution times the norms' scales, `weight[c] · γ[c] / √(σ²[c] + ε)`, rounded after each operation as
 * torch does it. `perChannel` is the number of elements of one output channel. Borrows its memory.
 */
export function fusedWeight(weight: ByteSource, perChannel: number, options: FuseOptions): ByteSource {
  const { name, itemBytes, dtype, norms } = options;
  return computed(name, weight.size, itemBytes, async (target, offset, request) => {
    await weight.readInto(target, offset, request);
    const values = numbersOf(dtype, target);
    const first = offset / itemBytes;
    const firstChannel = Math.floor(first / perChannel);
    const channels = Math.floor((first + values.length - 1) / perChannel) - firstChannel + 1;
    for (const norm of norms) {
      await withVectors(norm, firstChannel, channels, options, request, ({ scales }) => {
        for (let at = 0; at < values.length; ) {
          const channel = Math.floor((first + at) / perChannel);
          const end = Math.min(values.length, (channel + 1) * perChannel - first);
          const scale = scales[channel - firstChannel] as number;
          for (; at < end; at++) values.set(at, values.get(at) * scale);
        }
      });
    }
  });
}

/** The bias of such a convolution: `β − μ·s`, or `(b − μ)·s + β` where it had one. */
export function fusedBias(
  bias: ByteSource | undefined,
  channelCount: number,
  options: FuseOptions,
): ByteSource {
  const { name, itemBytes, dtype, norms } = options;
  return computed(name, channelCount * itemBytes, itemBytes, async (target, offset, request) => {
    const first = offset / itemBytes;
    const values = numbersOf(dtype, target);
    if (bias) await bias.readInto(target, offset, request);
    let isEmpty = bias === undefined;
    for (const norm of norms) {
      await withVectors(norm, first, values.length, options, request, ({ scales, means, offsets }) => {
        const round = roundTo(dtype);
        for (let at = 0; at < values.length; at++) {
          const [scale, mean, add] = [scales[at] as number, means[at] as number, offsets[at] as number];
          const value = isEmpty
            ? add - round(mean * scale)
            : round(round(values.get(at) - mean) * scale) + add;
          values.set(at, value);
        }
      });
      isEmpty = false;
    }
  });
}

interface ChannelValues {
  readonly scales: Float64Array;
  readonly means: Float64Array;
  readonly offsets: Float64Array;
}

/** The vectors of some channels, as numbers. */
async function withVectors(
  norm: NormVectors,
  first: number,
  count: number,
  { dtype, itemBytes, epsilon }: FuseOptions,
  request: ReadRequest & { readonly scratch: Scratch },
  use: (values: ChannelValues) => void,
): Promise<void> {
  const round = roundTo(dtype);
  async function read(source: ByteSource | undefined, absent: number): Promise<Float64Array> {
    if (source === undefined) return new Float64Array(count).fill(absent);
    return request.scratch.lend(count * itemBytes, async (bytes) => {
      await source.readInto(bytes, first * itemBytes, request);
      const numbers = numbersOf(dtype, bytes);
      return Float64Array.from({ length: count }, (_, at) => numbers.get(at));
    });
  }
  const weights = await read(norm.weight, 1);
  const variances = await read(norm.variance, 1);
  const scales = weights.map((weight, at) => {
    const shifted = round((variances[at] as number) + (dtype === "F64" ? epsilon : Math.fround(epsilon)));
    return round(weight / round(Math.sqrt(shifted)));
  });
  use({ scales, means: await read(norm.mean, 0), offsets: await read(norm.bias, 0) });
}

/** A source of numbers that works in aligned memory. */
function computed(
  name: string,
  size: number,
  itemBytes: number,
  fill: (
    target: Uint8Array,
    offset: number,
    request: ReadRequest & { readonly scratch: Scratch },
  ) => Promise<void>,
): ByteSource {
  return {
    name,
    size,
    granule: itemBytes,
    async readInto(target, offset, request = {}) {
      checkRange(name, size, offset, target.length);
      if (target.length === 0) return;
      const scratch = request.scratch ?? createScratchPool();
      if (target.byteOffset % itemBytes === 0) return fill(target, offset, { ...request, scratch });
      await scratch.lend(target.length, async (aligned) => {
        await fill(aligned, offset, { ...request, scratch });
        target.set(aligned);
      });
    },
  };
}
