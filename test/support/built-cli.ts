import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The command line as a user gets it; call `buildOnce` first. */
export const builtCli: string = `${root}dist/bin/tensorferry.js`;

/** Brings `dist` up to date, so that what is tested is what stands in `src`. */
export function buildOnce(): void {
  execFileSync(process.execPath, [`${root}scripts/build.mjs`], { stdio: "inherit" });
}

/** What a process said and how it ended. */
export interface Ended {
  readonly exit: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the built command line to its end. */
export function runBuilt(
  words: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
): Promise<Ended> {
  const env = { ...process.env, ...options.env };
  return new Promise((resolve) => {
    execFile(process.execPath, [builtCli, ...words], { ...options, env }, (error, out, err) => {
      resolve({ exit: typeof error?.code === "number" ? error.code : error ? -1 : 0, out, err });
    });
  });
}

/** Starts the built command line, for tests that meddle with it. */
export function startBuilt(words: readonly string[], execArgv: readonly string[] = []): ChildProcess {
  return spawn(process.execPath, [...execArgv, builtCli, ...words], { stdio: ["ignore", "pipe", "pipe"] });
}

/** Collects a process's output until it ends; a signal that ended it counts as -1. */
export function ended(child: ChildProcess): Promise<Ended> {
  let out = "";
  let err = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    out += chunk;
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    err += chunk;
  });
  return new Promise((resolve) => {
    child.on("close", (code) => resolve({ exit: code ?? -1, out, err }));
  });
}
