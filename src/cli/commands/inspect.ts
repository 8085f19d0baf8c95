import type { Command } from "commander";
import type { InspectFlags } from "../inspect.ts";
import { collect } from "../options.ts";
import type { Session } from "./session.ts";

const examples = `
Examples:
  tensorferry inspect model.pth
  tensorferry inspect out/                                  the model in a folder
  tensorferry inspect hf://owner/name                       on the Hub, without downloading it
  tensorferry inspect model.pth --tree                      modules, repeated ones folded
  tensorferry inspect model.pth --tensor lm_head.weight     its values in short
  tensorferry inspect model.pth --json | jq '.tensors[].name'
`;

/** Adds `inspect`: what is in a model, or in one tensor. */
export function addInspect(program: Command, { console, signal }: Session): void {
  program
    .command("inspect")
    .description("list names, dtypes, shapes and sizes, from headers alone; or what is in a tensor")
    .argument("<input>", "file, folder, index or address")
    .option("--from <format>", "read the input as this format")
    .option("--select <path>", "which state dict of a checkpoint")
    .option("--tensor <name>", "what is inside one tensor: extremes, mean, NaN, first values, histogram")
    .option(
      "--tree",
      "modules with their sizes, repeated ones folded (default on a terminal beyond 40 tensors)",
    )
    .option("--flat", "a line for each tensor, in the order of the file")
    .option("--names <whose>", "pytorch or onnx: names and layouts of a graph's weights")
    .option("--reference <file>", "a checkpoint whose names and shapes guide --names pytorch")
    .option("--limit <name=value>", "raise a limit, repeatable", collect)
    .option("--json", "one JSON document on standard output")
    .option("--quiet", "no notes")
    .addHelpText("after", examples)
    .action(async (input: string, flags: InspectFlags) => {
      const { inspectCommand } = await import("../inspect.ts");
      await inspectCommand(input, flags, console, signal);
    });
}
