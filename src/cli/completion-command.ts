import type { Command } from "commander";
import { completionScript, type Shell } from "./completion.ts";
import { completedCommands } from "./completion-words.ts";
import type { Console } from "./console.ts";

/** `completion SHELL`: the script that teaches a shell the words of `program`. */
export function completionCommand(
  shell: Shell,
  { json }: { readonly json?: boolean },
  program: Command,
  console: Console,
): void {
  const script = completionScript(shell, completedCommands(program));
  console.out(json ? `${JSON.stringify({ shell, script })}\n` : script);
}
