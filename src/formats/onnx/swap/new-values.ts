import { bitsOf } from "../../../core/dtype.ts";
import { ConvertError } from "../../../core/errors.ts";
import type { ByteSource } from "../../../core/source.ts";
import type { LazyTensor } from "../../../core/tensor.ts";
import { onnxDTypeByCode } from "../dtypes.ts";
import { assembleStored } from "../names/assemble.ts";
import type { Block } from "../names/blocks.ts";
import { type FuseOptions, fusedBias, fusedWeight, type NormVectors } from "../names/fuse.ts";
import type { Fusion } from "../names/fusion.ts";
import type { Slot } from "../names/graph-index.ts";
import { isFusedDType } from "../names/numbers.ts";
import { joinName } from "../names/reference.ts";
import type { WeightMap } from "../names/weight-map.ts";

/** What weights there are, and what for. */
export interface Weights {
  readonly tensors: ReadonlyMap<string, LazyTensor>;
  readonly fusions: readonly Fusion[];
  readonly epsilon: number;
}

/** The new values of each name of the graph that is all made of given parameters. */
export function newValues(map: WeightMap, weights: Weights): ReadonlyMap<string, ByteSource> {
  const values = new Map<string, ByteSource>();
  for (const [stored, blocks] of blocksByStored(map)) {
    const slot = map.index.slots.get(stored) as Slot;
    const given = blocks.map(({ parameter }) => weights.tensors.get(parameter.tensor));
    if (given.some((tensor) => tensor === undefined)) continue;
    const itemBytes = bitsOf((given[0] as LazyTensor).dtype) / 8;
    const assembly = { name: stored, shape: slot.tensor.dims, itemBytes, blocks };
    values.set(
      stored,
      assembleStored(assembly, (name) => (weights.tensors.get(name) as LazyTensor).payload),
    );
  }
  for (const fusion of weights.fusions) addFused(fusion, map, weights, values);
  return values;
}

/** Which parts of which parameters each tensor of the graph has. Products are left out. */
function blocksByStored({ parameters }: WeightMap): ReadonlyMap<string, readonly Block[]> {
  const byStored = new Map<string, Block[]>();
  for (const { how, blocks, copies } of parameters.values()) {
    if (how === "fused" || how === "folded") continue;
    for (const block of [...blocks, ...copies]) {
      const known = byStored.get(block.stored.tensor);
      if (known) known.push(block);
      else byStored.set(block.stored.tensor, [block]);
    }
  }
  return byStored;
}

function addFused(
  { convolution, norms }: Fusion,
  { parameters }: WeightMap,
  { tensors, epsilon }: Weights,
  values: Map<string, ByteSource>,
): void {
  const weightName = joinName(convolution, "weight");
  const weight = tensors.get(weightName);
  const storedWeight = parameters.get(weightName)?.blocks[0]?.stored.tensor;
  const storedBias = parameters.get(joinName(convolution, "bias"))?.blocks[0]?.stored.tensor;
  const vectors = norms.map((norm) => vectorsOf(norm, tensors));
  if (weight === undefined || storedWeight === undefined || storedBias === undefined) return;
  if (vectors.length === 0 || vectors.some((norm) => norm === undefined)) return;
  const { dtype, shape } = weight;
  if (!isFusedDType(dtype)) {
    throw new ConvertError("unsupported", `a norm goes into "${weightName}", which is ${dtype}`, {
      tensor: weightName,
      hint: "only floating-point convolutions take in norms",
    });
  }
  const options: FuseOptions = {
    name: weightName,
    dtype,
    itemBytes: bitsOf(dtype) / 8,
    norms: vectors as readonly NormVectors[],
    epsilon,
  };
  const [channels = 0, ...rest] = shape;
  const perChannel = rest.reduce((product, extent) => product * extent, 1);
  values.set(storedWeight, fusedWeight(weight.payload, perChannel, options));
  const bias = tensors.get(joinName(convolution, "bias"))?.payload;
  values.set(storedBias, fusedBias(bias, channels, { ...options, name: joinName(convolution, "bias") }));
}

/** A norm's vectors; `undefined` without statistics. */
function vectorsOf(norm: string, tensors: ReadonlyMap<string, LazyTensor>): NormVectors | undefined {
  const payload = (leaf: string) => tensors.get(joinName(norm, leaf))?.payload;
  const [mean, variance] = [payload("running_mean"), payload("running_var")];
  if (mean === undefined || variance === undefined) return undefined;
  return { weight: payload("weight"), bias: payload("bias"), mean, variance };
}

/** The element type of a tensor of the graph, in our words. */
export function dtypeOf({ tensor }: Slot): string {
  return onnxDTypeByCode.get(tensor.dataType)?.dtype ?? `type ${tensor.dataType}`;
}
