import type { Command } from "commander";
import type { Session } from "./session.ts";

/** Adds `formats`: what is read and written. */
export function addFormats(program: Command, { console }: Session): void {
  program
    .command("formats")
    .description("list what is read and written, with which dtypes")
    .option("--json", "one JSON document on standard output")
    .option("--quiet", "accepted for uniformity; there is nothing to leave out")
    .action(async (flags: { readonly json?: boolean }) => {
      const { formatsCommand } = await import("../formats.ts");
      formatsCommand(flags, console);
    });
}
