import type { Notice } from "../core/context.ts";
import { payloadBytes } from "../core/dict.ts";
import { ConvertError } from "../core/errors.ts";
import type { Format } from "../core/format.ts";
import type { ConvertOptions, ConvertResult, PlannedConversion, Target } from "./conversion.ts";
import { type LoadedConversion, loadConversion } from "./load-conversion.ts";
import { refuseNotices, warnOfMetadata } from "./notices.ts";
import { checkAllowances } from "./open/allowances.ts";
import { formatByExtension, formatById, type ModelInput } from "./open/open.ts";
import { checkGrowth } from "./plan/check-storages.ts";
import { type DecidedTensors, decideTensors } from "./plan/decide-tensors.ts";
import type { ModelOutput } from "./plan/plan-output.ts";
import { planFiles } from "./plan-files.ts";
import { reportOutputs } from "./run/report-outputs.ts";
import { sumsSize } from "./run/sha256-sums.ts";
import { runConversion } from "./run-conversion.ts";

/** Reads headers and decides everything; writes nothing. Several inputs become one output. */
export async function planConversion(
  input: ModelInput | readonly ModelInput[],
  output: ModelOutput,
  formats: readonly Format[],
  options: ConvertOptions = {},
): Promise<PlannedConversion> {
  const notices: Notice[] = [];
  checkAllowances(options.allow ?? []);
  const target: Target = { output, format: outputFormat(output, formats, options), formats, options };
  const loaded = await loadConversion([input].flat(), target, notices);
  const decided = decide(loaded, target);
  const files = await planFiles(loaded, decided, target);
  const result: ConvertResult = {
    input: loaded.reports[0],
    inputs: loaded.reports,
    outputs: reportOutputs(
      files.plan,
      output.folder,
      new Map(),
      options.checksums ? sumsSize(files.plan.files.map(({ name }) => name)) : undefined,
    ),
    plan: files.plan,
    tensors: decided.dict.tensors.size,
    bytes: files.plan.size,
    casts: decided.casts,
    dropped: [...loaded.unused, ...decided.dropped],
    notices,
  };
  refuseNotices(notices, options);
  return { result, run: (written) => runConversion({ target, loaded, decided, files, result }, written) };
}

function decide({ dict, path, isRewrite, context }: LoadedConversion, target: Target): DecidedTensors {
  const { format, options } = target;
  const allow = options.allow ?? [];
  const wishes = {
    ...options,
    // What is written over again stays as it is, and needs no word.
    allow: isRewrite ? [...allow, "densify"] : allow,
    path,
    keepsTies: isRewrite,
    // A template names each of its weights, and says itself which of them are one.
    tied: options.template ? ("copy" as const) : options.tied,
  };
  const decided = decideTensors(dict, format, wishes, context);
  warnOfMetadata(decided.dict, format, context);
  checkGrowth(decided.chosen, payloadBytes(decided.dict), context, path);
  return decided;
}

function outputFormat(output: ModelOutput, formats: readonly Format[], options: ConvertOptions): Format {
  if (options.to !== undefined) return formatById(options.to, formats);
  if (output.name === undefined) return formatById("safetensors", formats);
  const format = formatByExtension(output.name, formats);
  if (format) return format;
  throw new ConvertError("usage", `the extension of "${output.name}" names no format`, {
    hint: "give it one that tensorferry formats lists, end a folder with /, or say --to",
  });
}
