import { type ContextOptions, createContext, type Notice, type RunContext } from "../core/context.ts";
import { payloadBytes, type TensorDict } from "../core/dict.ts";
import { ConvertError } from "../core/errors.ts";
import type { ExternalData, Format } from "../core/format.ts";
import { type OutputPlan, outputPlan } from "../core/plan.ts";
import type { InputFolder } from "../core/sink.ts";
import { keptStem } from "../shards/naming.ts";
import type { ScriptOptions } from "../torchscript/compile/parse-request.ts";
import { checkAllowances, refuseChanges } from "./allowances.ts";
import { checkGrowth, checkStorages } from "./check-storages.ts";
import { compileProgram } from "./compile-program.ts";
import { type CastReport, type Dropped, decideTensors, type TensorOptions } from "./decide-tensors.ts";
import { createInputRecord, journalOf } from "./fingerprint.ts";
import { type InputOptions, type InputReport, loadInputs } from "./load-inputs.ts";
import { type NamingOptions, resolveNaming } from "./naming.ts";
import { formatByExtension, formatById, type ModelInput } from "./open.ts";
import { type ModelOutput, planOutput } from "./plan-output.ts";
import { areUnchanged, isRewritable, planRewrite } from "./plan-rewrite.ts";
import { planTemplate } from "./plan-template.ts";
import { type OutputReport, reportOutputs } from "./report-outputs.ts";
import { runPlan } from "./run-plan.ts";
import { refuseDangerous } from "./unsafe.ts";
import { verifyOutput } from "./verify-output.ts";
import { verifyPieces } from "./verify-pieces.ts";

/** What a conversion may be told. */
export interface ConvertOptions extends Omit<ContextOptions, "naming">, InputOptions, TensorOptions {
  /** Format ids that override what content and extension say. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** Largest payload of one shard in bytes; `Infinity` writes one file. By default 5 GB into a folder, one file otherwise. */
  readonly maxShardBytes?: number | undefined;
  /**
   * Where the output can leave weights outside its file: `auto` (where it would be larger than others can read),
   * `always`, `never`, or the id of another format, whose files are then written for it to point into.
   */
  readonly externalData?: ExternalData | (string & {}) | undefined;
  /** Word in the names of files in a folder by which loaders tell versions apart: `fp16` for `model.fp16.safetensors`. */
  readonly variant?: string | undefined;
  /** How tensors are to be called whose file has names and layouts of its own. */
  readonly naming?: NamingOptions | undefined;
  /** A file that the output is to be a copy of, with these weights in the place of its own. */
  readonly template?: ModelInput | undefined;
  /** Hash every output file while it is written, and list the hashes in `SHA256SUMS` beside them; needs `sha256`. */
  readonly checksums?: boolean | undefined;
  /** Go on where an equal conversion was interrupted, and after a failure leave what the next one can go on from. */
  readonly resume?: boolean | undefined;
  /** Read the output back and compare it with the input. */
  readonly verify?: boolean | undefined;
  /** Fail (kind `lossy`) where there would be a notice. */
  readonly strict?: boolean | undefined;
  /** What the program of a TorchScript archive is compiled for, where the output holds graphs. */
  readonly script?: ScriptOptions | undefined;
  /** What would otherwise be refused, by the words that the errors name: `unsafe-pickle`. */
  readonly allow?: readonly string[] | undefined;
}

/** What a conversion did, or with a plan alone would do. */
export interface ConvertResult {
  /** The first of `inputs`. */
  readonly input: InputReport;
  readonly inputs: readonly InputReport[];
  readonly outputs: readonly OutputReport[];
  readonly plan: OutputPlan;
  /** Number of tensors written. */
  readonly tensors: number;
  /** Bytes of all output files. */
  readonly bytes: number;
  /** How many tensors were cast, by types. */
  readonly casts: readonly CastReport[];
  readonly dropped: readonly Dropped[];
  readonly notices: readonly Notice[];
  /** Bytes that an interrupted conversion had left, where it was to be resumed. */
  readonly resumed?: number | undefined;
}

/** A conversion that is decided and not begun. */
export interface PlannedConversion {
  readonly result: ConvertResult;
  /** Writes the files. `written` reads them back for `verify`, and has to be given with it. */
  run(written?: InputFolder): Promise<ConvertResult>;
}

/** Reads headers and decides everything; writes nothing. Several inputs become one output. */
export async function planConversion(
  input: ModelInput | readonly ModelInput[],
  output: ModelOutput,
  formats: readonly Format[],
  options: ConvertOptions = {},
): Promise<PlannedConversion> {
  const notices: Notice[] = [];
  const allow = options.allow ?? [];
  checkAllowances(allow);
  const format = outputFormat(output, formats, options);
  const { opened, record } = createInputRecord();
  const wanted = namingFor(format, options);
  const guided = { ...wanted, reference: wanted.reference && record(wanted.reference) };
  const naming = await resolveNaming(guided, formats, options.signal);
  const plain = createContext({ ...options, naming, onNotice: collect(notices, options) });
  const context: RunContext = { ...plain, review: refuseDangerous(allow, plain.warn) };
  const open = { formats, from: options.from };
  const { dict: loaded, reports } = await loadInputs([input].flat().map(record), open, options, context);
  const path = reports.map((report) => report.path).join(" + ");
  const isRewrite =
    naming.names === format.id && !options.template && !options.select && isRewritable(format, reports);
  if (!isRewrite) warnOfLeftovers(loaded, context);
  const { dict: whole, unused } = options.template
    ? { dict: loaded, unused: [] }
    : await compileProgram(loaded, format, options.script, context);
  const { dict, chosen, stored, losses, casts, dropped } = decideTensors(
    whole,
    format,
    {
      ...options,
      // What is written over again stays as it is, and needs no word.
      allow: isRewrite ? [...allow, "densify"] : allow,
      path,
      keepsTies: isRewrite,
      // A template names each of its weights, and says itself which of them are one.
      tied: options.template ? "copy" : options.tied,
    },
    context,
  );
  const rewrite =
    isRewrite && areUnchanged(whole, chosen, context)
      ? { input: [input].flat()[0] as ModelInput, format, metadata: options.metadata }
      : undefined;
  if (isRewrite && rewrite === undefined) refuseChanges(chosen, allow, path);
  warnOfMetadata(dict, format, context);
  checkGrowth(chosen, payloadBytes(dict), context, path);
  const { maxShardBytes, externalData, variant } = options;
  const folderStem = keptStem([input].flat()[0]?.name ?? "");
  const layout = { maxShardBytes, externalData, variant, folderStem, formats, warn: context.warn };
  const template = options.template && record(options.template);
  const request = template && { template, partial: allow.includes("partial-swap") };
  const { plan: weights, isOfModel } = request
    ? await planTemplate(dict, request, output, formats, context)
    : rewrite
      ? await planRewrite(rewrite, output.name, layout, context)
      : await planOutput(dict, format, output.name, layout);
  const beside = (await output.beside?.(weights, dict)) ?? [];
  const plan = outputPlan(weights.format, [...weights.files, ...beside]);
  const result: ConvertResult = {
    input: reports[0],
    inputs: reports,
    outputs: reportOutputs(plan, output.folder, options.checksums ?? false, new Map()),
    plan,
    tensors: dict.tensors.size,
    bytes: plan.size,
    casts,
    dropped: [...unused, ...dropped],
    notices,
  };
  refuseNotices(notices, options);
  return {
    result,
    async run(written) {
      await checkStorages(stored, context);
      const { checksums = false, resume = false } = options;
      const journal = journalOf(output, { plan, inputs: opened, options }, resume, context);
      const finished = await runPlan(plan, output.folder, isOfModel, context, {
        checksums,
        journal,
        recount: casts.length > 0,
      });
      try {
        losses.settle(context);
        if (options.verify && written && (template || rewrite)) await verifyPieces(plan, written, context);
        else if (options.verify && written) await verifyOutput(plan, dict, format, written, context);
        refuseNotices(notices, options);
      } catch (error) {
        await finished.undo();
        throw error;
      }
      const outputs = reportOutputs(plan, output.folder, checksums, finished.hashes);
      return { ...result, outputs, ...(resume ? { resumed: finished.resumed } : {}) };
    },
  };
}

function collect(notices: Notice[], options: ConvertOptions): (notice: Notice) => void {
  return (notice) => {
    notices.push(notice);
    options.onNotice?.(notice);
  };
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

/** A file that is written over again keeps its own names, unless the caller wants others. */
function namingFor(format: Format, { naming = {}, template }: ConvertOptions): NamingOptions {
  const isAsked = naming.names !== undefined || naming.reference !== undefined;
  return format.loadRewriter && !template && !isAsked ? { ...naming, names: format.id } : naming;
}

function warnOfMetadata({ metadata }: TensorDict, format: Format, context: RunContext): void {
  const keys = [...metadata.keys()].filter((key) => key !== "format" && !key.startsWith("tensorferry."));
  if (format.holdsMetadata || keys.length === 0) return;
  context.warn({
    code: "metadata-dropped",
    message: `${format.title} has no room for metadata: ${keys.join(", ")}`,
  });
}

function warnOfLeftovers({ leftovers }: TensorDict, context: RunContext): void {
  if (leftovers.length === 0) return;
  const shown = leftovers.slice(0, 8).map(({ name, what }) => `"${name}" (${what})`);
  const rest = leftovers.length > shown.length ? ` and ${leftovers.length - shown.length} more` : "";
  context.warn({
    code: "left-behind",
    message: `left behind, being no tensors of the state dict: ${shown.join(", ")}${rest}`,
  });
}

function refuseNotices(notices: readonly Notice[], options: ConvertOptions): void {
  const [first] = notices;
  if (!options.strict || first === undefined) return;
  throw new ConvertError("lossy", first.message, {
    tensor: first.tensor,
    hint: "without --strict this is a notice",
  });
}
