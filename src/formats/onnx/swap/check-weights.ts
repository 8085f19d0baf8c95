import type { RunContext } from "../../../core/context.ts";
import { ConvertError } from "../../../core/errors.ts";
import type { LazyTensor } from "../../../core/tensor.ts";
import type { Fusion } from "../names/fusion.ts";
import type { Slot } from "../names/graph-index.ts";
import { joinName, sameShape } from "../names/reference.ts";
import type { MappedParameter, WeightMap } from "../names/weight-map.ts";
import { dtypeOf } from "./new-values.ts";

/** What is compared: the weights of the graph and those that are to stand in their place. */
export interface SwapCheck {
  readonly map: WeightMap;
  readonly tensors: ReadonlyMap<string, LazyTensor>;
  readonly fusions: readonly Fusion[];
  /** Names that share a tensor of the graph with another name. */
  readonly tied: ReadonlyMap<string, string>;
  /** Whether weights may be left over on either side. */
  readonly partial: boolean;
  readonly file: string;
}

/**
 * Refuses weights that do not fit (kind `unsupported`), and unless a partial swap is allowed, weights that are left over
 * on either side (kind `lossy`), each by name. Tells what stays as it is in the template.
 */
export function checkWeights(check: SwapCheck, context: RunContext): void {
  const { map, tensors, file } = check;
  for (const parameter of map.parameters.values()) {
    const tensor = tensors.get(parameter.name);
    if (tensor) checkFit(parameter, tensor, check);
  }
  const needed = new Set([...map.parameters.values()].flatMap((parameter) => sourcesOf(parameter, check)));
  const missing = [...needed].filter((name) => !tensors.has(name));
  const unpaired = check.fusions.filter(({ norms }) => norms.length === 0);
  const lost = [...map.unnamed, ...foldedSlots(map)];
  const unnamed = lost.filter((slot) => isWeight(dtypeOf(slot), slot.tensor.dims));
  const used = usedNames(check, needed);
  const extra = [...tensors.keys()].filter((name) => !used.has(name));
  const stays = [...missing, ...unnamed.map(({ name }) => name)];
  if (check.partial) {
    tellPartial(stays, extra, context);
    return;
  }
  const hint = "--allow partial-swap goes on without";
  refuse(missing, "the graph needs", "which is not among the weights", file, hint);
  refuse(
    unpaired.map(({ convolution }) => joinName(convolution, "weight")),
    "a norm went into",
    "and which one cannot be told from names or order",
    file,
    hint,
  );
  refuse(
    unnamed.map(({ name }) => name),
    "the graph holds",
    "computed from weights when it was exported, and nobody knows how",
    file,
    hint,
  );
  refuse(extra, "the graph has no place for", "which is among the weights", file, hint);
}

/** Tensors that were computed from parameters in ways that cannot be repeated. */
function foldedSlots({ parameters, index }: WeightMap): readonly Slot[] {
  const folded = [...parameters.values()].filter(({ how }) => how === "folded");
  return folded.flatMap(({ blocks }) => blocks.flatMap(({ stored }) => index.slots.get(stored.tensor) ?? []));
}

function refuse(names: readonly string[], before: string, after: string, file: string, hint: string): void {
  const [first] = names;
  if (first === undefined) return;
  const more = names.length > 1 ? ` (and ${names.length - 1} more: ${shown(names.slice(1))})` : "";
  throw new ConvertError("lossy", `${before} "${first}", ${after}${more}`, { file, tensor: first, hint });
}

function shown(names: readonly string[]): string {
  const listed = names.slice(0, 5).map((name) => `"${name}"`);
  return listed.join(", ") + (names.length > listed.length ? ", …" : "");
}

/** What of the given weights a parameter of the graph is made of. */
function sourcesOf({ name, how }: MappedParameter, { fusions, tensors }: SwapCheck): readonly string[] {
  if (how === "folded") return [];
  if (how !== "fused") return [name];
  // A norm gives its convolution a bias that the module need not have.
  const fusion = fusions.find(({ convolution }) => joinName(convolution, "bias") === name);
  if (fusion === undefined) return [name];
  const ofNorms = fusion.norms.flatMap((norm) =>
    ["running_mean", "running_var"].map((leaf) => joinName(norm, leaf)),
  );
  return tensors.has(name) ? [name, ...ofNorms] : ofNorms;
}

function usedNames({ fusions, tied, tensors }: SwapCheck, needed: ReadonlySet<string>): ReadonlySet<string> {
  const used = new Set([...needed, ...tied.keys()]);
  for (const { norms } of fusions)
    for (const norm of norms) for (const leaf of ["weight", "bias"]) used.add(joinName(norm, leaf));
  // Batches are counted for training alone; no graph has it.
  for (const name of tensors.keys()) if (/(^|\.)num_batches_tracked$/.test(name)) used.add(name);
  return used;
}

function checkFit({ name, shape, how, blocks }: MappedParameter, tensor: LazyTensor, check: SwapCheck): void {
  const { map, file } = check;
  if (how === "folded") return;
  const slot = map.index.slots.get(blocks[0]?.stored.tensor ?? "") as Slot;
  if (!sameShape(shape, tensor.shape)) {
    throw new ConvertError(
      "unsupported",
      `"${name}" is [${tensor.shape.join(", ")}], but the graph has [${shape.join(", ")}]`,
      { file, tensor: name, hint: "only weights of the network that was exported fit its graph" },
    );
  }
  if (dtypeOf(slot) === tensor.dtype) return;
  throw new ConvertError("unsupported", `"${name}" is ${tensor.dtype}, but the graph has ${dtypeOf(slot)}`, {
    file,
    tensor: name,
    hint: `cast it: --dtype ${dtypeOf(slot).toLowerCase()}`,
  });
}

/** Shapes and axes that were folded are whole numbers, and depend on no weight. */
function isWeight(dtype: string, dims: readonly number[]): boolean {
  return /^(F|BF|C)/.test(dtype) && dims.length > 0;
}

function tellPartial(stays: readonly string[], extra: readonly string[], context: RunContext): void {
  const [firstStays] = stays;
  if (firstStays !== undefined)
    context.warn({
      code: "kept-from-template",
      message: `as in the template, having no new values: ${shown(stays)} (${stays.length})`,
      tensor: firstStays,
    });
  const [firstExtra] = extra;
  if (firstExtra !== undefined)
    context.warn({
      code: "left-behind",
      message: `left behind, the graph having no place for them: ${shown(extra)} (${extra.length})`,
      tensor: firstExtra,
    });
}
