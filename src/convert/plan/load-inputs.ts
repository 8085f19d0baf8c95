import type { RunContext } from "../../core/context.ts";
import type { TensorDict } from "../../core/dict.ts";
import { ConvertError } from "../../core/errors.ts";
import { chooseStateDict } from "../open/choose-state-dict.ts";
import { isWithin } from "../open/join-candidates.ts";
import type { ModelInput, OpenOptions } from "../open/open.ts";
import { type OpenedModel, openModel } from "../open/open-model.ts";
import { type DuplicatePolicy, type MergePart, mergeDicts } from "./merge.ts";

/** How one dict is made of one or several inputs. */
export interface InputOptions {
  /** Path of the state dict within a checkpoint; `.` is the top. Of several inputs, those that have one there. */
  readonly select?: string | undefined;
  /** Put before the names of each input, one for each in their order. */
  readonly inputPrefixes?: readonly string[] | undefined;
  /** What becomes of a name that two inputs have; by default it is an error. */
  readonly duplicates?: DuplicatePolicy | undefined;
}

/** Where tensors came from. */
export interface InputReport {
  readonly path: string;
  /** Format id. */
  readonly format: string;
  readonly container: string;
}

/** Opens every input, chooses a state dict of each, and makes one dict of them. Reads headers only. */
export async function loadInputs(
  inputs: readonly ModelInput[],
  open: OpenOptions,
  options: InputOptions,
  context: RunContext,
): Promise<{ readonly dict: TensorDict; readonly reports: readonly [InputReport, ...InputReport[]] }> {
  checkInputs(inputs, options, context);
  const models: OpenedModel[] = [];
  for (const input of inputs) models.push(await openModel(input, open, context));
  const parts = models.map((model, index): MergePart => {
    const select = selectionIn(model, models, options.select);
    const chosen = chooseStateDict(model.checkpoint, select, model.name, context);
    return { path: model.name, dict: chosen.load(), prefix: options.inputPrefixes?.[index] ?? "" };
  });
  const dict = mergeDicts(parts, options.duplicates ?? "error", context);
  const [first, ...others] = models.map(reportOf) as [InputReport, ...InputReport[]];
  return { dict, reports: [first, ...others] };
}

function reportOf({ name, format, checkpoint }: OpenedModel): InputReport {
  return { path: name, format, container: checkpoint.container };
}

function checkInputs(inputs: readonly ModelInput[], options: InputOptions, context: RunContext): void {
  const { inputPrefixes = [] } = options;
  const prefixes = inputPrefixes.length;
  if (inputs.length === 0) throw new ConvertError("usage", "there is no input");
  if (prefixes > 0 && prefixes !== inputs.length) {
    throw new ConvertError("usage", `${inputs.length} inputs and ${prefixes} prefixes for them`, {
      hint: "give one prefix for each input, in their order; it may be empty",
    });
  }
  if (context.whole && (inputs.length > 1 || inputPrefixes.some((prefix) => prefix !== ""))) {
    throw new ConvertError("usage", "a checkpoint that is merged or prefixed cannot be taken as a whole", {
      hint: "without --all, the tensors of each are taken",
    });
  }
}

/** A path that one input has says nothing about the others. */
function selectionIn(
  model: OpenedModel,
  all: readonly OpenedModel[],
  select: string | undefined,
): string | undefined {
  const has = ({ checkpoint }: OpenedModel) =>
    select !== undefined && checkpoint.candidates.some(({ path }) => isWithin(path, select));
  return has(model) || !all.some(has) ? select : undefined;
}
