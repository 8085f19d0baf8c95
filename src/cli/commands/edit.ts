import type { Command } from "commander";
import type { EditFlags } from "../edit.ts";
import { collect } from "../options.ts";
import type { Session } from "./session.ts";

const examples = `
Examples:
  tensorferry edit model.safetensors --metadata author=me
  tensorferry edit out/ --remove-metadata author            shards with their index
  tensorferry edit model.safetensors --metadata author=me --dry-run
`;

/** Adds `edit`: metadata in place. */
export function addEdit(program: Command, { console, signal }: Session): void {
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
    .addHelpText("after", examples)
    .action(async (file: string, flags: EditFlags) => {
      const { editCommand } = await import("../edit.ts");
      await editCommand(file, flags, console, signal);
    });
}
