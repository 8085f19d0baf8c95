import type { ConvertResult } from "../convert/conversion.ts";
import { formatBytes } from "../core/words.ts";
import { plan } from "../node.ts";
import { type Console, printable } from "./console.ts";
import { type ConvertFlags, convertOptions } from "./convert-options.ts";
import { reportNotices } from "./notices.ts";
import { withProgressLine } from "./progress.ts";
import { type Column, formatTable } from "./table.ts";

/** `convert INPUT... OUTPUT`: plans, runs, reports. */
export async function convertCommand(
  inputs: readonly string[],
  output: string,
  flags: ConvertFlags,
  console: Console,
  signal: AbortSignal,
): Promise<void> {
  const begun = performance.now();
  const result = await withProgressLine(console, flags, async (onProgress) => {
    const options = await convertOptions(flags);
    const conversion = await plan(inputs, output, { ...options, signal, onProgress });
    if (!flags.dryRun) return conversion.run();
    await conversion.close();
    return conversion.result;
  });
  report(result, flags.dryRun ? undefined : (performance.now() - begun) / 1000, flags, console);
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
  const summary = `${result.tensors} ${result.tensors === 1 ? "tensor" : "tensors"}, ${formatBytes(result.bytes)} ${took}`;
  return `${lines.join("\n")}\n${[summary, ...casts, ...without].join("; ")}\n`;
}

const columns: readonly Column[] = [
  { title: "file", align: "left", elastic: true },
  { title: "tensors", align: "right" },
  { title: "size", align: "right" },
];
