import type { Command } from "commander";
import type { DiffFlags } from "../diff.ts";
import { collect } from "../options.ts";
import type { Session } from "./session.ts";

const examples = `
Examples:
  tensorferry diff model.pth out/                           equal, bit for bit?
  tensorferry diff a.safetensors b.safetensors --atol 1e-6  equal but for rounding?
  tensorferry diff model.pth half.safetensors --ignore-dtype --rtol 1e-3
  tensorferry diff a.pth b.pth --brief --quiet && echo same

Exit codes: 0 equal, 10 different.
`;

/** Adds `diff`: two models, tensor by tensor. */
export function addDiff(program: Command, { console, signal, finish }: Session): void {
  program
    .command("diff")
    .description("compare two models tensor by tensor, whatever their formats")
    .argument("<a>", "file, folder or index")
    .argument("<b>", "file, folder or index")
    .option("--atol <number>", "equal up to this distance (default: every bit counts)")
    .option("--rtol <number>", "equal up to this times the number in B, added to --atol")
    .option("--ignore-dtype", "compare the values of tensors whose dtypes differ")
    .option("--brief", "stop at the first difference")
    .option("--select-a <path>", "which state dict of A")
    .option("--select-b <path>", "which state dict of B")
    .option("--jobs <n>", "reads at once (default: 2)")
    .option("--buffer <size>", "buffer of one read (default: 8MiB)")
    .option("--limit <name=value>", "raise a limit, repeatable", collect)
    .option("--json", "one JSON document on standard output")
    .option("--quiet", "print errors only; the exit code tells")
    .option("--no-progress", "no progress line")
    .addHelpText("after", examples)
    .action(async (a: string, b: string, flags: DiffFlags) => {
      const { diffCommand } = await import("../diff.ts");
      finish(await diffCommand(a, b, flags, console, signal));
    });
}
