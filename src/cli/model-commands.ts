import type { Command } from "commander";
import type { Console } from "./console.ts";
import type { DiffFlags } from "./diff.ts";
import type { EditFlags } from "./edit.ts";
import { collect } from "./options.ts";
import type { VerifyFlags } from "./verify.ts";

const diffExamples = `
Examples:
  tensorferry diff model.pth out/                           equal, bit for bit?
  tensorferry diff a.safetensors b.safetensors --atol 1e-6  equal but for rounding?
  tensorferry diff model.pth half.safetensors --ignore-dtype --rtol 1e-3
  tensorferry diff a.pth b.pth --brief --quiet && echo same

Exit codes: 0 equal, 10 different.
`;

const verifyExamples = `
Examples:
  tensorferry verify model.safetensors
  tensorferry verify out/                                   every model in a folder, its index and SHA256SUMS
  tensorferry verify out/ --json | jq -r '.problems[].message'

Exit codes: 0 sound, 10 unsound.
`;

const editExamples = `
Examples:
  tensorferry edit model.safetensors --metadata author=me
  tensorferry edit out/ --remove-metadata author            shards with their index
  tensorferry edit model.safetensors --metadata author=me --dry-run
`;

/** The commands for models that are there already: `diff`, `verify`, `edit`. */
export function addModelCommands(
  program: Command,
  console: Console,
  signal: AbortSignal,
  finish: (exit: number) => void,
): void {
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
    .addHelpText("after", diffExamples)
    .action(async (a: string, b: string, flags: DiffFlags) => {
      const { diffCommand } = await import("./diff.ts");
      finish(await diffCommand(a, b, flags, console, signal));
    });

  program
    .command("verify")
    .description("read a file or folder to its last byte: headers, checksums, index, SHA256SUMS")
    .argument("<path>", "file, folder, index or SHA256SUMS")
    .option("--jobs <n>", "reads at once")
    .option("--buffer <size>", "buffer of one read (default: 8MiB)")
    .option("--limit <name=value>", "raise a limit, repeatable", collect)
    .option("--json", "one JSON document on standard output")
    .option("--quiet", "print errors only; the exit code tells")
    .option("--no-progress", "no progress line")
    .addHelpText("after", verifyExamples)
    .action(async (path: string, flags: VerifyFlags) => {
      const { verifyCommand } = await import("./verify.ts");
      finish(await verifyCommand(path, flags, console, signal));
    });

  program
    .command("edit")
    .description("change the metadata of a safetensors file; tensors stay as they are")
    .argument("<file>", "file, folder or index")
    .option("--metadata <key=value>", "set a key, repeatable", collect)
    .option("--remove-metadata <key>", "take a key out, repeatable", collect)
    .option("--dry-run", "tell what would be done and write nothing")
    .option("--limit <name=value>", "raise a limit, repeatable", collect)
    .option("--json", "one JSON document on standard output")
    .option("--quiet", "print errors only")
    .option("--no-progress", "no progress line")
    .addHelpText("after", editExamples)
    .action(async (file: string, flags: EditFlags) => {
      const { editCommand } = await import("./edit.ts");
      await editCommand(file, flags, console, signal);
    });
}
