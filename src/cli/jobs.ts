import { dirname } from "node:path";
import { type JobResult, loadConfig, runJobs } from "../node.ts";
import { type Console, printable } from "./console.ts";
import { jsonReport, textReport } from "./convert.ts";
import { reportNotices } from "./notices.ts";
import { withProgressLine } from "./progress.ts";
import { type Column, formatTable } from "./table.ts";

/** Options as they stand on the command line. */
export interface JobFlags {
  readonly config?: string;
  readonly list?: boolean;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly progress: boolean;
}

/** `run [JOB...]`: the jobs of a configuration, or a list of them. */
export async function jobsCommand(
  names: readonly string[],
  flags: JobFlags,
  console: Console,
  signal: AbortSignal,
): Promise<void> {
  const { path, config } = await loadConfig(flags.config);
  if (flags.list) return list(config.jobs, flags, console);
  const results = await withProgressLine(console, flags, (onProgress) =>
    runJobs(config, {
      names,
      folder: dirname(path),
      force: flags.force,
      dryRun: flags.dryRun,
      signal,
      onProgress,
    }),
  );
  report(results, flags, console);
}

function report(results: readonly JobResult[], flags: JobFlags, console: Console): void {
  for (const { result } of results) if (!flags.quiet) reportNotices(result.notices, console);
  if (flags.json) {
    const jobs = results.map(({ name, result, seconds }) => ({
      name,
      ...jsonReport(result, flags.dryRun ? undefined : seconds),
    }));
    console.out(`${JSON.stringify({ jobs })}\n`);
  } else if (!flags.quiet) {
    for (const { name, result, seconds } of results) {
      console.out(
        `${console.colors.bold(printable(name))}\n${textReport(result, flags.dryRun ? undefined : seconds, console)}`,
      );
    }
  }
}

const columns: readonly Column[] = [
  { title: "job", align: "left" },
  { title: "input", align: "left", elastic: true },
  { title: "output", align: "left" },
];

function list(
  jobs: Awaited<ReturnType<typeof loadConfig>>["config"]["jobs"],
  { json }: JobFlags,
  console: Console,
): void {
  const rows = Object.entries(jobs).map(([name, { input, output }]) => ({
    name,
    input: [input].flat(),
    output,
  }));
  if (json) console.out(`${JSON.stringify({ jobs: rows })}\n`);
  else {
    const cells = rows.map(({ name, input, output }) => [name, input.join(" "), output].map(printable));
    console.out(`${formatTable(columns, cells, console.width).join("\n")}\n`);
  }
}
