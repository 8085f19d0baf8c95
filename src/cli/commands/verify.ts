import type { Command } from "commander";
import { collect } from "../options.ts";
import type { VerifyFlags } from "../verify.ts";
import type { Session } from "./session.ts";

const examples = `
Examples:
  tensorferry verify model.safetensors
  tensorferry verify out/                                   every model in a folder, its index and SHA256SUMS
  tensorferry verify hf://owner/name                        the same on the Hub; every byte is fetched
  tensorferry verify out/ --json | jq -r '.problems[].message'

Exit codes: 0 sound, 10 unsound.
`;

/** Adds `verify`: whether a model is sound. */
export function addVerify(program: Command, { console, signal, finish }: Session): void {
  program
    .command("verify")
    .description("read a file or folder to its last byte: headers, checksums, index, SHA256SUMS")
    .argument("<path>", "file, folder, index or SHA256SUMS, here or at an address")
    .option("--jobs <n>", "reads at once")
    .option("--buffer <size>", "buffer of one read (default: 8MiB)")
    .option("--limit <name=value>", "raise a limit, repeatable", collect)
    .option("--json", "one JSON document on standard output")
    .option("--quiet", "print errors only; the exit code tells")
    .option("--no-progress", "no progress line")
    .addHelpText("after", examples)
    .action(async (path: string, flags: VerifyFlags) => {
      const { verifyCommand } = await import("../verify.ts");
      finish(await verifyCommand(path, flags, console, signal));
    });
}
