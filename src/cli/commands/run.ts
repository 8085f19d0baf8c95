import type { Command } from "commander";
import type { JobFlags } from "../jobs.ts";
import type { Session } from "./session.ts";

const examples = `
Examples:
  tensorferry run                                           all jobs of tensorferry.config.{ts,js,json}
  tensorferry run encoder decoder --force                   two of them, replacing what is there
  tensorferry run --list
`;

/** Adds `run`: the jobs of a configuration. */
export function addRun(program: Command, { console, signal }: Session): void {
  program
    .command("run")
    .description("run conversions that a tensorferry.config.{ts,js,json} describes")
    .argument("[jobs...]", "which; all by default")
    .option("--config <path>", "the configuration, or its folder (default: here)")
    .option("--list", "list the jobs and run none")
    .option("--force", "replace what is there already")
    .option("--dry-run", "print the plans and write nothing")
    .option("--json", "one JSON document on standard output")
    .option("--quiet", "print errors only")
    .option("--no-progress", "no progress line")
    .addHelpText("after", examples)
    .action(async (names: readonly string[], flags: JobFlags) => {
      const { jobsCommand } = await import("../jobs.ts");
      await jobsCommand(names, flags, console, signal);
    });
}
