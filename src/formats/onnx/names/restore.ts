import { safeProduct } from "../../../bytes/size.ts";
import type { RunContext } from "../../../core/context.ts";
import { bitsOf } from "../../../core/dtype.ts";
import type { Naming } from "../../../core/naming.ts";
import type { LazyTensor } from "../../../core/tensor.ts";
import type { OnnxModel } from "../model.ts";
import { assembleParameter } from "./assemble.ts";
import { equivalentNorms } from "./equivalent.ts";
import { createReference, type Reference } from "./reference.ts";
import { inOrder } from "./state-order.ts";
import { findTied } from "./tied.ts";
import { warnOfRestoring } from "./warn.ts";
import { type MappedParameter, mapWeights, type WeightMap } from "./weight-map.ts";

/** A state dict, and what there is to say about it. */
export interface RestoredDict {
  readonly tensors: ReadonlyMap<string, LazyTensor>;
  /** Tells what is not as it was. */
  warn(context: RunContext): void;
}

/**
 * The state dict that a graph of torch was exported from, as far as it is still there: names by what the weights are
 * used for, layouts as torch has them. `opened` has the initializers of the main graph by their own names. Reads no payload.
 */
export function restoreStateDict(
  { graph }: OnnxModel,
  opened: ReadonlyMap<string, LazyTensor>,
  naming: Naming,
): RestoredDict {
  const reference = naming.reference && createReference(naming.reference);
  const map = mapWeights(graph, reference);
  const restored = new Map<string, LazyTensor>();
  for (const name of inOrder(map, reference)) {
    const parameter = map.parameters.get(name);
    const tensor = parameter && restoreParameter(parameter, map, opened);
    if (tensor) restored.set(name, tensor);
  }
  const found = reference ? addTied(restored, map, reference) : restored;
  const whole = naming.fused === "equivalent" ? equivalentNorms(found, map, reference, naming) : found;
  const tensors = reference ? sorted(whole, reference) : new Map(whole);
  for (const { name } of map.unnamed) {
    const tensor = opened.get(name);
    if (tensor && !tensors.has(name)) tensors.set(name, tensor);
  }
  return { tensors, warn: (context) => warnOfRestoring(map, tensors, reference, naming, context) };
}

/** `undefined` for a tensor that is none here, such as one of texts. */
function restoreParameter(
  { name, shape, how, blocks }: MappedParameter,
  { index }: WeightMap,
  opened: ReadonlyMap<string, LazyTensor>,
): LazyTensor | undefined {
  const openSlot = (stored: string) => opened.get(index.slots.get(stored)?.tensor.name ?? "");
  const first = openSlot(blocks[0]?.stored.tensor ?? name);
  if (how === "kept" || first === undefined) return first;
  const itemBytes = bitsOf(first.dtype) / 8;
  const payload = assembleParameter(
    { name, shape, itemBytes, blocks },
    (stored) => (openSlot(stored) ?? first).payload,
  );
  return { dtype: first.dtype, shape, payload };
}

/** Names of the reference for parameters that another name has in the graph, because they were one tensor. */
function addTied(
  restored: ReadonlyMap<string, LazyTensor>,
  map: WeightMap,
  reference: Reference,
): ReadonlyMap<string, LazyTensor> {
  const all = new Map(restored);
  for (const [name, kept] of findTied(map, reference)) {
    const tensor = restored.get(kept);
    if (tensor === undefined) continue;
    const shared = tensor.view ? tensor : { ...tensor, view: wholeView(kept, tensor) };
    all.set(kept, shared).set(name, shared);
  }
  return all;
}

function wholeView(storage: string, { payload, shape }: LazyTensor): NonNullable<LazyTensor["view"]> {
  const strides: number[] = [];
  for (let dim = 0; dim < shape.length; dim++) strides.push(safeProduct(shape.slice(dim + 1)) ?? 0);
  return { storage, source: payload, start: 0, end: payload.size, strides, contiguous: true };
}

/** The order of the reference; what it lacks comes behind. */
function sorted(tensors: ReadonlyMap<string, LazyTensor>, reference: Reference): Map<string, LazyTensor> {
  const ordered = new Map<string, LazyTensor>();
  for (const name of reference.names) {
    const tensor = tensors.get(name);
    if (tensor) ordered.set(name, tensor);
  }
  for (const [name, tensor] of tensors) if (!ordered.has(name)) ordered.set(name, tensor);
  return ordered;
}
