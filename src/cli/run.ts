import { CommanderError } from "commander";
import type { Console } from "./console.ts";
import { reportError } from "./exit.ts";
import { buildProgram } from "./program.ts";
import { version } from "./version.ts";

/** Runs the words of a command line and gives the exit code; never throws, and never ends the process. */
export async function run(argv: readonly string[], console: Console, signal: AbortSignal): Promise<number> {
  let exit = 0;
  const finish = (code: number) => {
    exit = code;
  };
  const program = buildProgram(version(), { console, signal, finish });
  if (argv.length === 0) {
    console.out(program.helpInformation());
    return 0;
  }
  try {
    await program.parseAsync(argv, { from: "user" });
    return exit;
  } catch (error) {
    // Commander has already printed what was wrong with the words, or the help that was asked for.
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      if (argv.includes("--json"))
        console.out(`${JSON.stringify({ error: { kind: "usage", message: error.message } })}\n`);
      return 2;
    }
    return reportError(error, console, argv.includes("--json"));
  }
}
