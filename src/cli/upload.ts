import { text } from "node:stream/consumers";
import type { Notice } from "../core/context.ts";
import { formatBytes } from "../core/words.ts";
import { type UploadReport, upload } from "../node.ts";
import { type Console, printable } from "./console.ts";
import { reportNotices } from "./notices.ts";
import { parseLimits, parseShardSize } from "./options.ts";
import { withProgressLine } from "./progress.ts";
import { type Column, formatTable } from "./table.ts";

/** Options as they stand on the command line. */
export interface UploadFlags {
  readonly to?: string;
  readonly select?: string;
  readonly maxShardSize?: string;
  readonly branch?: string;
  readonly pr?: boolean;
  readonly private?: boolean;
  readonly message?: string;
  readonly folder?: string;
  readonly tokenStdin?: boolean;
  readonly allow?: readonly string[];
  readonly limit?: readonly string[];
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly progress: boolean;
}

/** `upload PATH OWNER/NAME`: sends files, or what they convert to. */
export async function uploadCommand(
  path: string,
  repository: string,
  flags: UploadFlags,
  console: Console,
  signal: AbortSignal,
): Promise<void> {
  const notices: Notice[] = [];
  const report = await withProgressLine(console, flags, async (onProgress) =>
    upload(path, repository, {
      to: flags.to,
      select: flags.select,
      maxShardBytes: parseShardSize(flags.maxShardSize),
      branch: flags.branch,
      pullRequest: flags.pr,
      isPrivate: flags.private,
      message: flags.message,
      folder: flags.folder,
      token: flags.tokenStdin ? (await text(process.stdin)).trim() : undefined,
      allow: flags.allow,
      limits: parseLimits(flags.limit),
      dryRun: flags.dryRun,
      signal,
      onProgress,
      onNotice: (notice) => notices.push(notice),
    }),
  );
  if (!flags.quiet) reportNotices(notices, console);
  if (flags.json) console.out(`${JSON.stringify({ ...report, notices })}\n`);
  else if (!flags.quiet) console.out(textReport(report, flags.dryRun ?? false, console));
}

const columns: readonly Column[] = [
  { title: "file", align: "left", elastic: true },
  { title: "size", align: "right" },
  { title: "", align: "left" },
];

function textReport(report: UploadReport, dryRun: boolean, console: Console): string {
  const rows = report.files.map(({ path, bytes, present }) => [
    printable(path),
    formatBytes(bytes),
    present ? "was there" : "",
  ]);
  const count = report.files.length === 1 ? "1 file" : `${report.files.length} files`;
  const end = dryRun ? "would be sent; this was a dry run" : (report.pullRequest ?? report.commit);
  return `${formatTable(columns, rows, console.width).join("\n")}\n${count}, ${formatBytes(report.bytes)}: ${end}\n`;
}
