import { type OutputPlan, outputPlan } from "../core/plan.ts";
import type { OutputRequest } from "../core/sink.ts";
import { keptStem } from "../shards/naming.ts";
import type { Target } from "./conversion.ts";
import type { LoadedConversion } from "./load-conversion.ts";
import { refuseChanges } from "./open/allowances.ts";
import type { DecidedTensors } from "./plan/decide-tensors.ts";
import { type NamedPlan, planOutput } from "./plan/plan-output.ts";
import { areUnchanged, planRewrite } from "./plan/plan-rewrite.ts";
import { planTemplate } from "./plan/plan-template.ts";
import { sumsName } from "./run/sha256-sums.ts";

/** The files of a conversion, decided to the byte. */
export interface PlannedFiles {
  readonly plan: OutputPlan;
  /** Whether a file that lies there belongs to an earlier version of the same model. */
  readonly isOfModel: OutputRequest["isStale"];
  /** Whether they are made of pieces of another file, so that `verify` compares pieces rather than tensors. */
  readonly inPieces: boolean;
}

/** Decides on the files: a graph with other weights, a file written over again, or the tensors in files of their own. */
export async function planFiles(
  loaded: LoadedConversion,
  decided: DecidedTensors,
  target: Target,
): Promise<PlannedFiles> {
  const { output, options } = target;
  const rewrites = loaded.isRewrite && areUnchanged(loaded.dict, decided.chosen, loaded.context);
  if (loaded.isRewrite && !rewrites) refuseChanges(decided.chosen, options.allow ?? [], loaded.path);
  const { plan: weights, isOfModel } = await planWeights(loaded, decided, target, rewrites);
  const beside = (await output.beside?.(weights, decided.dict)) ?? [];
  const replacesAll = output.name === undefined && options.variant === undefined;
  return {
    plan: outputPlan(weights.format, [...weights.files, ...beside]),
    // Hashes of an earlier output in the folder would be wrong for this one; a variant comes beside it.
    isOfModel: (name) => isOfModel(name) || (name === sumsName && replacesAll),
    inPieces: rewrites || loaded.template !== undefined,
  };
}

async function planWeights(
  { context, first, template }: LoadedConversion,
  { dict }: DecidedTensors,
  { output, format, formats, options }: Target,
  rewrites: boolean,
): Promise<NamedPlan> {
  const { maxShardBytes, externalData, variant, metadata } = options;
  if (template) {
    const partial = options.allow?.includes("partial-swap") ?? false;
    return planTemplate(dict, { template, partial }, output, formats, context);
  }
  const folderStem = keptStem(first.name ?? "");
  const layout = { maxShardBytes, externalData, variant, folderStem, formats, warn: context.warn };
  if (rewrites) return planRewrite({ input: first, format, metadata }, output.name, layout, context);
  return planOutput(dict, format, output.name, layout);
}
