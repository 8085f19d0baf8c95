import type { ScanReport } from "../convert/look/scan.ts";
import type { Verdict } from "../core/verdict.ts";
import { scan } from "../node.ts";
import { type Console, printable } from "./console.ts";
import { exitCodeOf } from "./exit.ts";
import { reportNotices, reportTraffic } from "./notices.ts";
import { parseLimits } from "./options.ts";
import { type Column, formatTable } from "./table.ts";

/** Options as they stand on the command line. */
export interface ScanFlags {
  readonly strict?: boolean;
  readonly limit?: readonly string[];
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `scan INPUT`: what loading it would run. Gives the exit code: 0 unless it is dangerous, or could not be read as a whole. */
export async function scanCommand(
  input: string,
  flags: ScanFlags,
  console: Console,
  signal: AbortSignal,
): Promise<number> {
  const report = await scan(input, { limits: parseLimits(flags.limit), signal });
  if (!flags.quiet) {
    reportNotices(report.notices, console);
    reportTraffic(report.traffic, console);
  }
  console.out(flags.json ? `${JSON.stringify(jsonReport(report))}\n` : textReport(report, flags, console));
  return exitCode(report, flags.strict ?? false);
}

function exitCode({ verdict, failure }: ScanReport, strict: boolean): number {
  if (verdict === "dangerous") return exitCodeOf("unsafe");
  if (failure !== undefined) return exitCodeOf(failure.kind);
  return strict && verdict !== "clean" ? exitCodeOf("unsafe") : 0;
}

function jsonReport({ path, verdict, globals, notices, traffic }: ScanReport): object {
  return { path, verdict, globals, notices, traffic };
}

const columns: readonly Column[] = [
  { title: "verdict", align: "left" },
  { title: "name", align: "left", elastic: true },
  { title: "calls", align: "right" },
];

function textReport(report: ScanReport, flags: ScanFlags, { width, colors }: Console): string {
  const rows = report.globals.map(({ module, name, verdict, calls }) => [
    verdict,
    printable(`${module}.${name}`),
    String(calls),
  ]);
  const table = flags.quiet || rows.length === 0 ? [] : formatTable(columns, rows, width);
  const paint = { clean: colors.bold, unknown: colors.yellow, dangerous: colors.red }[report.verdict];
  return [...table, `${printable(report.path)}: ${paint(report.verdict)}, ${inWords(report)}`, ""].join("\n");
}

function inWords({ verdict, globals, failure }: ScanReport): string {
  const count = (wanted: Verdict) => globals.filter(({ verdict }) => verdict === wanted).length;
  switch (verdict) {
    case "dangerous":
      return "do not load it in Python: it names what runs code, or reaches files or the network";
    case "unknown":
      if (count("unknown") > 0)
        return `${count("unknown")} of the names ${count("unknown") === 1 ? "is" : "are"} not known to be harmless`;
      return failure === undefined ? "it holds code that is not scanned" : "it could not be read to its end";
    case "clean":
      return globals.length === 0 ? "it names nothing to run" : "all that it names is known to be harmless";
  }
}
