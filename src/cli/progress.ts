import type { Progress } from "../core/context.ts";
import { formatBytes } from "../core/words.ts";
import { type Console, printable } from "./console.ts";

/** Does `work` with a progress line, where one is wanted; the line is gone when it ends, however it does. */
export async function withProgressLine<T>(
  console: Console,
  { progress, quiet }: { readonly progress: boolean; readonly quiet?: boolean },
  work: (onProgress: (step: Progress) => void) => Promise<T>,
): Promise<T> {
  const line = await createProgressLine(console, progress && !quiet);
  try {
    return await work(line.show);
  } finally {
    line.clear();
  }
}

/** A progress line that can be taken away. */
interface ProgressLine {
  show(step: Progress): void;
  clear(): void;
}

/** A line with bytes, rate and time left on a terminal; nothing elsewhere. The library behind it loads when first needed. */
async function createProgressLine(console: Console, wanted: boolean): Promise<ProgressLine> {
  if (!wanted || !console.interactive) return { show: () => undefined, clear: () => undefined };
  const { default: cliProgress } = await import("cli-progress");
  const bar = new cliProgress.SingleBar({
    format: "{phase} {bar} {percentage}%  {bytes}  {rate}/s  {left} left  {label}",
    barsize: 20,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    clearOnComplete: true,
    hideCursor: true,
    linewrap: false,
    stopOnComplete: false,
    gracefulExit: false,
  });
  let phase: Progress["phase"] | undefined;
  let begun = 0;
  return {
    show(step) {
      if (step.phase !== phase) {
        if (phase !== undefined) bar.stop();
        phase = step.phase;
        begun = Date.now();
        bar.start(step.total, 0, payload(step, begun));
      }
      bar.update(step.done, payload(step, begun));
    },
    clear() {
      if (phase !== undefined) bar.stop();
      phase = undefined;
    },
  };
}

const phaseWords: Readonly<Record<Progress["phase"], string>> = {
  write: "writing ",
  verify: "checking",
  compare: "comparing",
  hash: "hashing ",
  upload: "sending ",
};

function payload({ phase, done, total, label }: Progress, begun: number): Record<string, string> {
  const seconds = Math.max(0.001, (Date.now() - begun) / 1000);
  const rate = done / seconds;
  return {
    phase: phaseWords[phase],
    bytes: `${formatBytes(done)} of ${formatBytes(total)}`,
    rate: formatBytes(rate),
    left: done === 0 ? "?" : formatSeconds((total - done) / rate),
    label: printable(label),
  };
}

function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.ceil(seconds % 60)} s`;
}
