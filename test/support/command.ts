import { join } from "node:path";
import { run } from "../../src/cli/run.ts";
import { type RecordingConsole, recordingConsole } from "./console.ts";
import { fixtures } from "./files.ts";

/** A small network, a checkpoint with more inside, one with two models, and one with a tied pair. */
export const samples = {
  network: join(fixtures, "pytorch/torch-2.13/network.pth"),
  checkpoint: join(fixtures, "pytorch/torch-2.13/checkpoint.pth"),
  twoModels: join(fixtures, "pytorch/torch-2.13/checkpoint-two-models.pth"),
  tied: join(fixtures, "pytorch/torch-2.13/tied.pth"),
  shards: join(fixtures, "safetensors/sharded"),
} as const;

/** What a command said and how it ended. */
export interface CommandResult {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command in this process, as `tensorferry ...words` would. */
export async function command(
  words: readonly string[],
  console: RecordingConsole = recordingConsole(),
): Promise<CommandResult> {
  const exit = await run(words, console, new AbortController().signal);
  return { exit, out: console.outText, err: console.errText };
}

/** Runs a command with `--json` and reads its one document; fails on anything beside it. */
export async function commandJson(words: readonly string[]): Promise<CommandResult & { json: unknown }> {
  const result = await command([...words, "--json"]);
  if (!/^[^\n]+\n$/.test(result.out)) throw new Error(`no single line of JSON: ${result.out}${result.err}`);
  return { ...result, json: JSON.parse(result.out) };
}
