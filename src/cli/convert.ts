import type { ConvertResult } from "../convert/conversion.ts";
import { formatBytes } from "../core/words.ts";
import { plan, readNameMap } from "../node.ts";
import { type Console, printable } from "./console.ts";
import { reportNotices } from "./notices.ts";
import {
  namingOf,
  parseBuffer,
  parseChoice,
  parseJobs,
  parseLimits,
  parsePairs,
  parseRules,
  parseShardSize,
  parseVariant,
} from "./options.ts";
import { createProgressLine } from "./progress.ts";
import { parseScript, type ScriptFlags } from "./script-options.ts";
import { type Column, formatTable } from "./table.ts";

/** Options as they stand on the command line. */
export interface ConvertFlags extends ScriptFlags {
  readonly from?: string;
  readonly to?: string;
  readonly maxShardSize?: string;
  readonly externalData?: string;
  readonly variant?: string;
  readonly carry: boolean;
  readonly hub?: boolean;
  readonly select?: string;
  readonly all?: boolean;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly rename?: readonly string[];
  readonly map?: string;
  readonly stripPrefix?: string;
  readonly addPrefix?: string;
  readonly inputPrefix?: readonly string[];
  readonly duplicates?: string;
  readonly dtype?: readonly string[];
  readonly tied?: string;
  readonly keep?: readonly string[];
  readonly metadata?: readonly string[];
  readonly limit?: readonly string[];
  readonly jobs?: string;
  readonly buffer?: string;
  readonly names?: string;
  readonly reference?: string;
  readonly fused?: string;
  readonly bnEps?: string;
  readonly template?: string;
  readonly verify?: boolean;
  readonly checksums?: boolean;
  readonly resume?: boolean;
  readonly strict?: boolean;
  readonly allow?: readonly string[];
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly progress: boolean;
}

/** `convert INPUT... OUTPUT`: plans, runs, reports. */
export async function convertCommand(
  inputs: readonly string[],
  output: string,
  flags: ConvertFlags,
  console: Console,
  signal: AbortSignal,
): Promise<void> {
  const line = await createProgressLine(console, flags.progress && !flags.quiet);
  const begun = performance.now();
  try {
    const conversion = await plan(inputs, output, {
      from: flags.from,
      to: flags.to,
      maxShardBytes: parseShardSize(flags.maxShardSize),
      externalData: parseChoice(
        flags.externalData,
        ["auto", "always", "never", "safetensors", "pytorch"],
        "--external-data",
      ),
      variant: parseVariant(flags.variant),
      carry: flags.carry,
      hub: flags.hub,
      select: flags.select,
      all: flags.all,
      include: flags.include,
      exclude: flags.exclude,
      rename: parseRules(flags.rename),
      map: flags.map === undefined ? undefined : await readNameMap(flags.map),
      stripPrefix: flags.stripPrefix,
      addPrefix: flags.addPrefix,
      inputPrefixes: flags.inputPrefix,
      duplicates: parseChoice(flags.duplicates, ["error", "first", "last"], "--duplicates"),
      dtype: flags.dtype,
      tied: parseChoice(flags.tied, ["drop", "copy"], "--tied"),
      keep: flags.keep,
      metadata: parsePairs(flags.metadata, "--metadata"),
      limits: parseLimits(flags.limit),
      jobs: parseJobs(flags.jobs),
      bufferBytes: parseBuffer(flags.buffer),
      naming: namingOf(flags),
      template: flags.template,
      script: await parseScript(flags),
      verify: flags.verify,
      checksums: flags.checksums,
      resume: flags.resume,
      strict: flags.strict,
      allow: flags.allow,
      force: flags.force,
      signal,
      onProgress: line.show,
    });
    if (flags.dryRun) await conversion.close();
    const result = flags.dryRun ? conversion.result : await conversion.run();
    line.clear();
    report(result, flags.dryRun ? undefined : (performance.now() - begun) / 1000, flags, console);
  } finally {
    line.clear();
  }
}

function report(
  result: ConvertResult,
  seconds: number | undefined,
  flags: ConvertFlags,
  console: Console,
): void {
  if (!flags.quiet) reportNotices(result.notices, console);
  if (flags.json) console.out(`${JSON.stringify(jsonReport(result, seconds))}\n`);
  else if (!flags.quiet) console.out(textReport(result, seconds, console));
}

/** The keys that docs/convert.md lists. */
export function jsonReport(result: ConvertResult, seconds: number | undefined): object {
  const { input, inputs, outputs, tensors, bytes, casts, dropped, notices, resumed } = result;
  return {
    input,
    inputs,
    outputs,
    tensors,
    bytes,
    casts,
    dropped,
    notices,
    resumed,
    ...(seconds === undefined ? {} : { seconds }),
  };
}

/** A table of the files, and a line; without `seconds` it was a dry run. */
export function textReport(result: ConvertResult, seconds: number | undefined, console: Console): string {
  const rows = result.outputs.map(({ path, bytes, tensors }) => [
    printable(path),
    tensors === 0 ? "" : String(tensors),
    formatBytes(bytes),
  ]);
  const lines = formatTable(columns, rows, console.width);
  const took = seconds === undefined ? "would be written; this was a dry run" : `in ${seconds.toFixed(2)} s`;
  const excluded = result.dropped.filter(({ reason }) => reason === "excluded").length;
  const without = excluded === 0 ? [] : [`${excluded} left out`];
  const casts = result.casts.map(({ from, to, tensors }) => `${tensors} cast from ${from} to ${to}`);
  const summary = `${result.tensors} tensors, ${formatBytes(result.bytes)} ${took}`;
  return `${lines.join("\n")}\n${[summary, ...casts, ...without].join("; ")}\n`;
}

const columns: readonly Column[] = [
  { title: "file", align: "left", elastic: true },
  { title: "tensors", align: "right" },
  { title: "size", align: "right" },
];
