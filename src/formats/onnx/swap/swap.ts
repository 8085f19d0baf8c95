import type { RunContext } from "../../../core/context.ts";
import type { TensorDict } from "../../../core/dict.ts";
import type { FormatTemplater, Template, TemplatePlan } from "../../../core/format.ts";
import { plannedFile } from "../../../core/plan.ts";
import type { LazyTensor } from "../../../core/tensor.ts";
import { type ExternalData, layoutData } from "../data-files.ts";
import { entriesOf } from "../entries.ts";
import type { OnnxModel, OnnxTensor } from "../model.ts";
import { defaultEpsilon } from "../names/fuse.ts";
import { pairNorms } from "../names/fusion.ts";
import { createReference } from "../names/reference.ts";
import { findTied } from "../names/tied.ts";
import { mapWeights, type WeightMap } from "../names/weight-map.ts";
import { type OnnxFiles, openTensor } from "../open-tensor.ts";
import { filesOf } from "../read.ts";
import { skimModel } from "../skim.ts";
import { checkWeights } from "./check-weights.ts";
import { newValues } from "./new-values.ts";
import { type Edit, patched } from "./patch.ts";
import { rewriteTensor } from "./rewrite-tensor.ts";
import { splitAliases } from "./split-aliases.ts";
import { checkTied } from "./tied-values.ts";

/** Puts a state dict into a graph of torch: weights in the layouts, under the names and with the norms taken in as they were exported. */
export const templater: FormatTemplater = {
  async plan(template, dict, file, context) {
    const model = await skimModel(template.source, context);
    const map = mapWeights(model.graph, createReference(dict.tensors));
    const values = await valuesFor(map, template, dict, context);
    const files = filesOf(template.source, template.folder, context);
    const aliases = await splitAliases(model.graph, map, values, files);
    const tensors = await newTensors(model, map, aliases.values, files);
    return planFiles(model, tensors, aliases.edits, files, file, map.parameters.size);
  },
};

async function valuesFor(
  map: WeightMap,
  { partial, source }: Template,
  { tensors }: TensorDict,
  context: RunContext,
) {
  const reference = createReference(tensors);
  const tied = findTied(map, reference);
  const fusions = pairNorms(map, reference);
  checkWeights({ map, tensors, fusions, tied, partial, file: source.name }, context);
  await checkTied(tied, tensors, context);
  return newValues(map, { tensors, fusions, epsilon: context.naming.normEpsilon ?? defaultEpsilon });
}

/** A tensor of the template with the values that it gets. */
interface NewTensor {
  readonly tensor: OnnxTensor;
  readonly values: LazyTensor;
  readonly isChanged: boolean;
}

/** All tensors that are written anew: those with new values, and those that lie in other files. */
async function newTensors(
  model: OnnxModel,
  map: WeightMap,
  values: Awaited<ReturnType<typeof valuesFor>>,
  files: OnnxFiles,
): Promise<ReadonlyMap<string, NewTensor>> {
  const tensors = new Map<string, NewTensor>();
  const initializers = new Set(model.graph.initializers);
  for (const { key, tensor, sparse } of entriesOf(model)) {
    if (sparse) continue;
    const slot = initializers.has(tensor) ? map.index.slots.get(tensor.name) : undefined;
    const payload = slot && values.get(slot.name);
    if (payload === undefined && tensor.home.kind !== "external") continue;
    const old = await openTensor(key, tensor, files);
    const changed = payload ? { dtype: old.dtype, shape: old.shape, payload } : old;
    tensors.set(key, { tensor, values: changed, isChanged: payload !== undefined });
  }
  return tensors;
}

async function planFiles(
  { source }: OnnxModel,
  tensors: ReadonlyMap<string, NewTensor>,
  edits: readonly Edit[],
  { context }: OnnxFiles,
  file: string,
  tensorCount: number,
): Promise<TemplatePlan> {
  const outside = [...tensors].filter(([, { tensor }]) => tensor.home.kind === "external");
  const data: ExternalData =
    outside.length > 0
      ? layoutData(new Map(outside.map(([key, { values }]) => [key, values])), file, Infinity)
      : { files: [], places: new Map() };
  const all: Edit[] = [...edits];
  for (const [key, { tensor, values }] of tensors) {
    const place = data.places.get(key);
    const home = place
      ? ({ kind: "external", ...place } as const)
      : ({ kind: "inline", payload: values.payload } as const);
    all.push(...(await rewriteTensor(source, tensor, home, context)));
  }
  return { files: [plannedFile(file, patched(source, all), tensorCount), ...data.files] };
}
