import type { Progress, RunContext } from "../../core/context.ts";

/** Counts bytes and reports them ten times a second at most, and at the end. */
export function createMeter(
  phase: Progress["phase"],
  total: number,
  context: RunContext,
): { add(bytes: number, label: string): void } {
  let done = 0;
  let last = 0;
  return {
    add(bytes, label) {
      done += bytes;
      const now = Date.now();
      if (now - last < 100 && done < total) return;
      last = now;
      context.progress({ phase, done, total, label });
    },
  };
}
