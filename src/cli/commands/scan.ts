import type { Command } from "commander";
import { collect } from "../options.ts";
import type { ScanFlags } from "../scan.ts";
import type { Session } from "./session.ts";

const examples = `
Examples:
  tensorferry scan model.pth
  tensorferry scan downloads/                               every file in a folder and below
  tensorferry scan hf://owner/name                          before downloading it
  tensorferry scan model.pth --strict && python load.py     load only what is known to be harmless
  tensorferry scan model.pth --json | jq '.globals[] | select(.verdict != "clean")'

Exit codes: 0 clean or unknown, 6 dangerous (with --strict also unknown), others where a part cannot be read.
`;

/** Adds `scan`: what loading a file would run. */
export function addScan(program: Command, { console, signal, finish }: Session): void {
  program
    .command("scan")
    .description("list what loading a pickle would run, and how bad that is; runs nothing")
    .argument("<input>", "file, folder or index")
    .option("--strict", "fail unless all of it is known to be harmless")
    .option("--limit <name=value>", "raise a limit, repeatable", collect)
    .option("--json", "one JSON document on standard output")
    .option("--quiet", "the last line only")
    .addHelpText("after", examples)
    .action(async (input: string, flags: ScanFlags) => {
      const { scanCommand } = await import("../scan.ts");
      finish(await scanCommand(input, flags, console, signal));
    });
}
