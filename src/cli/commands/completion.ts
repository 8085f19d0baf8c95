import { Argument, type Command } from "commander";
import type { Shell } from "../completion.ts";
import type { Session } from "./session.ts";

const examples = `
Examples:
  source <(tensorferry completion bash)                     this session of Bash; zsh likewise
  tensorferry completion fish > ~/.config/fish/completions/tensorferry.fish
`;

/** Adds `completion`: scripts for shells. */
export function addCompletion(program: Command, { console }: Session): void {
  program
    .command("completion")
    .description("print the script that completes these words in a shell")
    .addArgument(new Argument("<shell>", "the shell it is for").choices(["bash", "zsh", "fish"]))
    .option("--json", "one JSON document on standard output")
    .option("--quiet", "accepted for uniformity; there is nothing to leave out")
    .addHelpText("after", examples)
    .action(async (shell: Shell, flags: { readonly json?: boolean }) => {
      const { completionCommand } = await import("../completion-command.ts");
      completionCommand(shell, flags, program, console);
    });
}
