import type { Command, Option } from "commander";
import { defaultLimits } from "../core/limits.ts";
import { builtinFormats } from "../formats/index.ts";
import type { CompletedCommand, CompletedOption } from "./completion.ts";

/** What the options take whose words a shell can know; the help says the rest. */
const words: Readonly<Record<string, readonly string[] | "path">> = {
  "--from": builtinFormats.filter(({ loadReader }) => loadReader).map(({ id }) => id),
  "--to": builtinFormats.filter(({ loadWriter }) => loadWriter).map(({ id }) => id),
  "--max-shard-size": ["500MB", "2GB", "5GB", "none"],
  "--external-data": ["auto", "always", "never"],
  "--map": "path",
  "--duplicates": ["error", "first", "last"],
  "--dtype": ["f64", "f32", "f16", "bf16", "f8_e4m3", "f8_e5m2"],
  "--tied": ["drop", "copy"],
  "--allow": ["unsafe-pickle", "densify", "lossy-cast"],
  "--limit": Object.keys(defaultLimits).map((name) => `${name}=`),
};

/** The commands of a program with what a shell has to know of them. */
export function completedCommands(program: Command): readonly CompletedCommand[] {
  return program.commands.map((command) => {
    const [first] = command.registeredArguments;
    return {
      name: command.name(),
      description: command.description(),
      options: [...command.options.map(completedOption), help],
      operands: first === undefined ? "nothing" : (first.argChoices ?? "path"),
    };
  });
}

const help: CompletedOption = { flag: "--help", description: "show help", takes: "nothing" };

function completedOption({ long, description, required, argChoices }: Option): CompletedOption {
  const flag = long as string;
  const takes = required ? (argChoices ?? words[flag] ?? "text") : "nothing";
  return { flag, description, takes };
}
