import type { Console } from "../console.ts";

/** What a command may use while it runs. */
export interface Session {
  readonly console: Console;
  /** Aborted by Ctrl-C and the like. */
  readonly signal: AbortSignal;
  /** Takes the exit code of a command that ends well, but not with 0. */
  finish(exit: number): void;
}
