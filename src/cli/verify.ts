import type { VerifyReport } from "../convert/verify/verify-model.ts";
import { formatBytes } from "../core/words.ts";
import { verify } from "../node.ts";
import { type Console, printable } from "./console.ts";
import { exitCodeOf } from "./exit.ts";
import { reportNotices } from "./notices.ts";
import { type CostFlags, costsOf } from "./options.ts";
import { withProgressLine } from "./progress.ts";

/** Options as they stand on the command line. */
export interface VerifyFlags extends CostFlags {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly progress: boolean;
}

/** `verify PATH`: is it sound? Gives the exit code: 0 if so, else that of a mismatch. */
export async function verifyCommand(
  path: string,
  flags: VerifyFlags,
  console: Console,
  signal: AbortSignal,
): Promise<number> {
  const report = await withProgressLine(console, flags, (onProgress) =>
    verify(path, {
      ...costsOf(flags),
      signal,
      onProgress,
    }),
  );
  if (!flags.quiet) reportNotices(report.notices, console);
  if (flags.json) console.out(`${JSON.stringify(report)}\n`);
  else if (!flags.quiet) console.out(textReport(report, console));
  return report.sound ? 0 : exitCodeOf("mismatch");
}

function textReport({ path, sound, problems, files }: VerifyReport, { colors }: Console): string {
  const lines = problems.map(
    ({ code, file, message }) => `${printable(file)}: ${printable(message)} ${colors.dim(`(${code})`)}`,
  );
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  const counted = files.length === 1 ? "1 file" : `${files.length} files`;
  const verdict = sound
    ? `${colors.bold("sound")}, ${counted}, ${formatBytes(bytes)}`
    : `${colors.red("unsound")}, ${problems.length === 1 ? "1 problem" : `${problems.length} problems`} in ${counted}`;
  return `${[...lines, `${printable(path)}: ${verdict}`].join("\n")}\n`;
}
