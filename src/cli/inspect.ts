import type { InspectReport, TensorReport } from "../convert/look/inspect.ts";
import { formatBytes } from "../core/words.ts";
import { inspect, inspectTensor, moduleTree } from "../node.ts";
import { type Console, printable } from "./console.ts";
import { graphLines } from "./graph.ts";
import { reportNotices, reportTraffic } from "./notices.ts";
import { namingOf, parseLimits } from "./options.ts";
import { type Column, formatTable } from "./table.ts";
import { tensorText } from "./tensor.ts";
import { treeLines } from "./tree.ts";

/** Options as they stand on the command line. */
export interface InspectFlags {
  readonly from?: string;
  readonly select?: string;
  readonly tensor?: string;
  readonly tree?: boolean;
  readonly flat?: boolean;
  readonly names?: string;
  readonly reference?: string;
  readonly limit?: readonly string[];
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** `inspect INPUT`: names, dtypes, shapes, sizes, and what else is inside. */
export async function inspectCommand(
  input: string,
  flags: InspectFlags,
  console: Console,
  signal: AbortSignal,
): Promise<void> {
  const options = {
    from: flags.from,
    select: flags.select,
    naming: namingOf(flags),
    limits: parseLimits(flags.limit),
    signal,
  };
  if (flags.tensor !== undefined) {
    const inspection = await inspectTensor(input, flags.tensor, options);
    if (!flags.quiet) reportNotices(inspection.notices, console);
    console.out(flags.json ? `${JSON.stringify(inspection)}\n` : tensorText(inspection, console));
    return;
  }
  const report = await inspect(input, options);
  if (!flags.quiet) {
    reportNotices(report.notices, console);
    reportTraffic(report.traffic, console);
  }
  if (flags.json) {
    const tree = flags.tree ? { tree: moduleTree(report.tensors) } : {};
    console.out(`${JSON.stringify({ ...report, ...tree })}\n`);
  } else {
    console.out(textReport(report, flags, console));
  }
}

/** On a terminal, a list of more tensors than this would leave the screen. */
const treeFrom = 40;

function wantsTree(report: InspectReport, flags: InspectFlags, { width }: Console): boolean {
  if (flags.tree || flags.flat) return flags.tree === true;
  return Number.isFinite(width) && report.tensors.length > treeFrom;
}

const tensorColumns: readonly Column[] = [
  { title: "name", align: "left", elastic: true },
  { title: "dtype", align: "left" },
  { title: "shape", align: "left" },
  { title: "size", align: "right" },
];

const dictColumns: readonly Column[] = [
  { title: "state dict", align: "left", elastic: true },
  { title: "tensors", align: "right" },
  { title: "size", align: "right" },
];

function textReport(report: InspectReport, flags: InspectFlags, console: Console): string {
  const { width, colors } = console;
  const lines = [colors.bold(`${printable(report.path)}: ${report.format}, ${report.container}`)];
  if (report.graph) lines.push(...graphLines(report.graph));
  if (report.selected === undefined && report.stateDicts.length === 0) {
    return `${[...lines, "no tensors"].join("\n")}\n`;
  }
  if (report.selected === undefined) {
    const rows = report.stateDicts.map(({ path, tensors, bytes }) => [
      printable(path || "."),
      String(tensors),
      formatBytes(bytes),
    ]);
    lines.push(...formatTable(dictColumns, rows, width), "several state dicts; choose one with --select");
    return `${lines.join("\n")}\n`;
  }
  if (wantsTree(report, flags, console)) lines.push(...treeLines(moduleTree(report.tensors), width));
  else lines.push(...formatTable(tensorColumns, report.tensors.map(tensorRow), width));
  const count = report.tensors.length === 1 ? "1 tensor" : `${report.tensors.length} tensors`;
  lines.push(`${count}, ${report.parameters.toLocaleString("en")} parameters, ${formatBytes(report.bytes)}`);
  if (report.dtypes.length > 1) {
    const sums = report.dtypes.map(
      ({ dtype, tensors, bytes }) => `${dtype} ${formatBytes(bytes)} in ${tensors}`,
    );
    lines.push(`by dtype: ${sums.join(", ")}`);
  }
  const metadata = Object.entries(report.metadata).map(
    ([key, value]) => `${printable(key)}=${printable(value)}`,
  );
  if (metadata.length > 0) lines.push(`metadata: ${metadata.join(", ")}`);
  const extras = report.extras.map(({ name, what }) => `${printable(name)} (${printable(what)})`);
  if (extras.length > 0) lines.push(`also inside: ${extras.join(", ")}`);
  return `${lines.join("\n")}\n`;
}

function tensorRow({ name, dtype, shape, bytes, tiedTo }: TensorReport): string[] {
  const label = tiedTo === undefined ? printable(name) : `${printable(name)} = ${printable(tiedTo)}`;
  return [label, dtype, `[${shape.join(", ")}]`, formatBytes(bytes)];
}
