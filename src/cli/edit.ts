import { formatBytes } from "../core/words.ts";
import { type EditReport, edit } from "../node.ts";
import { type Console, printable } from "./console.ts";
import { parseLimits, parsePairs } from "./options.ts";
import { withProgressLine } from "./progress.ts";
import { type Column, formatTable } from "./table.ts";

/** Options as they stand on the command line. */
export interface EditFlags {
  readonly metadata?: readonly string[];
  readonly removeMetadata?: readonly string[];
  readonly limit?: readonly string[];
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly progress: boolean;
}

/** `edit FILE`: other metadata, the same tensors. */
export async function editCommand(
  path: string,
  flags: EditFlags,
  console: Console,
  signal: AbortSignal,
): Promise<void> {
  const report = await withProgressLine(console, flags, (onProgress) =>
    edit(path, {
      metadata: parsePairs(flags.metadata, "--metadata"),
      removeMetadata: flags.removeMetadata,
      limits: parseLimits(flags.limit),
      dryRun: flags.dryRun,
      signal,
      onProgress,
    }),
  );
  if (flags.json) console.out(`${JSON.stringify(report)}\n`);
  else if (!flags.quiet) console.out(textReport(report, flags.dryRun ?? false, console));
}

const columns: readonly Column[] = [
  { title: "file", align: "left", elastic: true },
  { title: "header", align: "left" },
  { title: "size", align: "right" },
];

const words = { unchanged: "unchanged", "in-place": "changed in place", rewrite: "file rewritten" } as const;

function textReport({ files, metadata }: EditReport, isDry: boolean, { width }: Console): string {
  const rows = files.map(({ path, how, bytes }) => [printable(path), words[how], formatBytes(bytes)]);
  const pairs = Object.entries(metadata).map(([key, value]) => `${printable(key)}=${printable(value)}`);
  const last = isDry ? ["this was a dry run"] : [];
  return `${[...formatTable(columns, rows, width), `metadata: ${pairs.join(", ")}`, ...last].join("\n")}\n`;
}
