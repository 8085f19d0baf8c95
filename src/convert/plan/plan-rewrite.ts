import type { RunContext } from "../../core/context.ts";
import type { TensorDict } from "../../core/dict.ts";
import type { Format } from "../../core/format.ts";
import { type ModelInput, openSource } from "../open/open.ts";
import type { InputReport } from "./load-inputs.ts";
import { type NamedPlan, type OutputLayout, planSpread } from "./plan-output.ts";

/** A file that is to be written over again in its own format. */
export interface RewriteRequest {
  readonly input: ModelInput;
  /** Of input and output. */
  readonly format: Format;
  /** Keys to add to its metadata. */
  readonly metadata: ReadonlyMap<string, string> | undefined;
}

/** Whether input and output are of a format whose files hold more than a dict can carry, so that one is made of the other. */
export function isRewritable(format: Format, reports: readonly InputReport[]): boolean {
  const [first, ...others] = reports;
  const isOfFormat = first?.format === format.id && first.container !== "shards";
  return format.loadRewriter !== undefined && others.length === 0 && isOfFormat;
}

/** Whether the tensors are still those of the file; otherwise a notice tells what is left behind. */
export function areUnchanged(before: TensorDict, after: TensorDict, context: RunContext): boolean {
  if (before === after) return true;
  const message =
    "the graph around the weights is left behind, since it needs all of them under their names, with their dtypes";
  context.warn({ code: "left-behind", message });
  return false;
}

/** Plans a file over again: all of it stays, and its weights go where the layout wants them. */
export async function planRewrite(
  { input, format, metadata = new Map() }: RewriteRequest,
  name: string | undefined,
  layout: OutputLayout,
  context: RunContext,
): Promise<NamedPlan> {
  const source = await openSource(input);
  const rewriter = await format.loadRewriter?.();
  const rewriting = await rewriter?.open(source, input.folder, metadata, context);
  if (rewriting === undefined) throw new Error(`${format.title} cannot be written over again`);
  return planSpread(rewriting.dict, format, rewriting, name, layout);
}
