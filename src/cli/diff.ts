import type { DiffReport, TensorDifference } from "../convert/diff/diff.ts";
import { diff } from "../node.ts";
import { type Console, printable } from "./console.ts";
import { exitCodeOf } from "./exit.ts";
import { reportNotices } from "./notices.ts";
import { type CostFlags, costsOf, parseTolerance } from "./options.ts";
import { withProgressLine } from "./progress.ts";
import { type Column, formatTable } from "./table.ts";

/** Options as they stand on the command line. */
export interface DiffFlags extends CostFlags {
  readonly selectA?: string;
  readonly selectB?: string;
  readonly atol?: string;
  readonly rtol?: string;
  readonly ignoreDtype?: boolean;
  readonly brief?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly progress: boolean;
}

/** `diff A B`: what differs, tensor by tensor. Gives the exit code: 0 for equal models, else that of a mismatch. */
export async function diffCommand(
  a: string,
  b: string,
  flags: DiffFlags,
  console: Console,
  signal: AbortSignal,
): Promise<number> {
  const report = await withProgressLine(console, flags, (onProgress) =>
    diff(a, b, {
      selectA: flags.selectA,
      selectB: flags.selectB,
      absoluteTolerance: parseTolerance(flags.atol, "--atol"),
      relativeTolerance: parseTolerance(flags.rtol, "--rtol"),
      ignoreDType: flags.ignoreDtype,
      brief: flags.brief,
      ...costsOf(flags),
      signal,
      onProgress,
    }),
  );
  if (!flags.quiet) reportNotices(report.notices, console);
  if (flags.json) console.out(`${JSON.stringify(report, spellNumbers)}\n`);
  else if (!flags.quiet)
    console.out(flags.brief ? `${lastLine(report, true)}\n` : textReport(report, console));
  return report.equal ? 0 : exitCodeOf("mismatch");
}

/** JSON has no word for these; they are written as strings, and minus zero as a number with its sign lost. */
function spellNumbers(_: string, value: unknown): unknown {
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}

const columns: readonly Column[] = [
  { title: "tensor", align: "left", elastic: true },
  { title: "difference", align: "left" },
  { title: "elements", align: "right" },
  { title: "largest", align: "right" },
  { title: "at", align: "left" },
];

function textReport(report: DiffReport, { width }: Console): string {
  const rows = [
    ...report.onlyInA.map((name) => [printable(name), "only in A", "", "", ""]),
    ...report.onlyInB.map((name) => [printable(name), "only in B", "", "", ""]),
    ...report.differing.map(differenceRow),
  ];
  const table = rows.length === 0 ? [] : formatTable(columns, rows, width);
  return `${[...table, lastLine(report, false)].join("\n")}\n`;
}

function differenceRow(difference: TensorDifference): readonly string[] {
  const { name, reason, dtypes, shapes, count, elements, maxAbs, at, values } = difference;
  const what = { shape: shapes?.map((shape) => `[${shape.join(", ")}]`), dtype: dtypes, values: undefined }[
    reason
  ];
  return [
    printable(name),
    what === undefined ? reason : `${reason} ${what.join(" / ")}`,
    count === undefined ? "" : `${count} of ${elements}`,
    maxAbs === undefined ? "" : brief(maxAbs),
    at === undefined || values === undefined ? "" : `[${at.join(", ")}]: ${values.map(brief).join(" / ")}`,
  ];
}

function brief(value: number): string {
  return Object.is(value, -0) ? "-0" : String(Number(value.toPrecision(6)));
}

function lastLine({ equal, a, b, onlyInA, onlyInB, differing }: DiffReport, isBrief: boolean): string {
  if (equal) return `equal: ${a.tensors} ${a.tensors === 1 ? "tensor" : "tensors"}`;
  if (isBrief) return "different";
  const common = a.tensors - onlyInA.length;
  const parts = [
    `${differing.length} of ${common} tensors ${differing.length === 1 ? "differs" : "differ"}`,
    `${onlyInA.length} only in A (${printable(a.path)})`,
    `${onlyInB.length} only in B (${printable(b.path)})`,
  ];
  return `different: ${parts.join(", ")}`;
}
