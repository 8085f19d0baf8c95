import { createContext, type Notice, type RunContext } from "../core/context.ts";
import type { TensorDict } from "../core/dict.ts";
import type { Format } from "../core/format.ts";
import type { ByteSource } from "../core/source.ts";
import type { ConvertOptions, Target } from "./conversion.ts";
import { createInputRecord } from "./fingerprint.ts";
import { collectNotices, warnOfLeftovers } from "./notices.ts";
import { type NamingOptions, resolveNaming } from "./open/naming.ts";
import type { ModelInput } from "./open/open.ts";
import { refuseDangerous } from "./open/unsafe.ts";
import { compileProgram } from "./plan/compile-program.ts";
import type { Dropped } from "./plan/decide-tensors.ts";
import { type InputReport, loadInputs } from "./plan/load-inputs.ts";
import { isRewritable } from "./plan/plan-rewrite.ts";

/** The input of a conversion, its headers read. */
export interface LoadedConversion {
  readonly context: RunContext;
  /** All of it, with a graph in the place of a program that was compiled. */
  readonly dict: TensorDict;
  /** What a graph has no use for. */
  readonly unused: readonly Dropped[];
  readonly reports: readonly [InputReport, ...InputReport[]];
  /** What the input is called in messages. */
  readonly path: string;
  readonly first: ModelInput;
  readonly template: ModelInput | undefined;
  /** Whether a file is written over again, with its weights elsewhere or other metadata, rather than converted. */
  readonly isRewrite: boolean;
  /** The files of each input that were opened. */
  readonly opened: readonly ReadonlyMap<string, ByteSource>[];
}

/** Reads the headers of all inputs as one dict. */
export async function loadConversion(
  inputs: readonly ModelInput[],
  { format, formats, options }: Target,
  notices: Notice[],
): Promise<LoadedConversion> {
  const { opened, record } = createInputRecord();
  const wanted = namingFor(format, options);
  const guided = { ...wanted, reference: wanted.reference && record(wanted.reference) };
  const naming = await resolveNaming(guided, formats, options.signal);
  const plain = createContext({ ...options, naming, onNotice: collectNotices(notices, options.onNotice) });
  const context = { ...plain, review: refuseDangerous(options.allow ?? [], plain.warn) };
  const open = { formats, from: options.from };
  const { dict: loaded, reports } = await loadInputs(inputs.map(record), open, options, context);
  const isRewrite =
    naming.names === format.id && !options.template && !options.select && isRewritable(format, reports);
  const { dict, unused } = options.template
    ? { dict: loaded, unused: [] }
    : await compileProgram(loaded, format, options.script, context);
  // A program that was compiled had all of its archive at hand.
  if (!isRewrite) warnOfLeftovers(dict, context);
  return {
    context,
    dict,
    unused,
    reports,
    path: reports.map((report) => report.path).join(" + "),
    first: inputs[0] as ModelInput,
    template: options.template && record(options.template),
    isRewrite,
    opened,
  };
}

/** A file that is written over again keeps its own names, unless the caller wants others. */
function namingFor(format: Format, { naming = {}, template }: ConvertOptions): NamingOptions {
  const isAsked = naming.names !== undefined || naming.reference !== undefined;
  return format.loadRewriter && !template && !isAsked ? { ...naming, names: format.id } : naming;
}
