import { ConvertError } from "../../../core/errors.ts";
import type { Naming } from "../../../core/naming.ts";
import { bytesSource } from "../../../core/source.ts";
import type { LazyTensor } from "../../../core/tensor.ts";
import { defaultEpsilon } from "./fuse.ts";
import { type Fusion, pairNorms } from "./fusion.ts";
import { isFusedDType, numbersOf, roundTo } from "./numbers.ts";
import { joinName, type Reference } from "./reference.ts";
import type { WeightMap } from "./weight-map.ts";

/**
 * In place of each product a convolution and a norm that do the same together: the norm has mean 0, variance 1, scale
 * √(1 + ε) and the product's bias, and the convolution the product's weight. Throws kind `usage` without a reference,
 * which alone knows what the norms are called.
 */
export function equivalentNorms(
  restored: ReadonlyMap<string, LazyTensor>,
  map: WeightMap,
  reference: Reference | undefined,
  { normEpsilon = defaultEpsilon }: Naming,
): ReadonlyMap<string, LazyTensor> {
  if (reference === undefined) {
    throw new ConvertError("usage", "norms that went into convolutions need their names to be put back", {
      hint: "give a checkpoint of the same network with --reference",
    });
  }
  const tensors = new Map(restored);
  for (const fusion of pairNorms(map, reference)) unfuse(tensors, fusion, reference, normEpsilon);
  return tensors;
}

function unfuse(
  tensors: Map<string, LazyTensor>,
  { convolution, norms }: Fusion,
  reference: Reference,
  epsilon: number,
): void {
  const biasName = joinName(convolution, "bias");
  const bias = tensors.get(biasName);
  const last = norms.at(-1);
  if (bias === undefined) return;
  if (last === undefined) {
    throw new ConvertError("unsupported", `which norm went into "${convolution}" cannot be told`, {
      tensor: joinName(convolution, "weight"),
      hint: "leave out --fused equivalent to have the products",
    });
  }
  tensors.delete(biasName);
  const fill = (name: string, value: number) => {
    if (reference.shapeOf(name)) tensors.set(name, filled(name, bias, value));
  };
  fill(biasName, 0);
  for (const norm of norms) {
    fill(joinName(norm, "weight"), Math.sqrt(1 + epsilon));
    fill(joinName(norm, "bias"), 0);
    fill(joinName(norm, "running_mean"), 0);
    fill(joinName(norm, "running_var"), 1);
  }
  if (reference.shapeOf(joinName(last, "bias"))) tensors.set(joinName(last, "bias"), bias);
  // A norm without parameters of its own still subtracts its mean.
  else
    throw new ConvertError("unsupported", `the norm "${last}" has no bias that could stand for it`, {
      tensor: joinName(convolution, "weight"),
      hint: "leave out --fused equivalent to have the products",
    });
}

/** A vector of one value, as long as another one. */
function filled(name: string, { dtype, shape, payload }: LazyTensor, value: number): LazyTensor {
  if (!isFusedDType(dtype))
    throw new ConvertError("unsupported", `norms of ${dtype} are not known`, { tensor: name });
  const bytes = new Uint8Array(payload.size);
  const numbers = numbersOf(dtype, bytes);
  const rounded = roundTo(dtype)(value);
  for (let at = 0; at < numbers.length; at++) numbers.set(at, rounded);
  return { dtype, shape, payload: bytesSource(name, bytes) };
}
