// Loaded into a child process: prints the largest resident size that it had, in KiB, as the last line of its errors.
import { readFileSync, writeSync } from "node:fs";

/** On Linux the kernel's own mark: the one of `resourceUsage` counts what the parent had before the child began. */
function peakKibibytes() {
  if (process.platform !== "linux") return process.resourceUsage().maxRSS;
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync("/proc/self/status", "utf8"))[1]);
}

process.on("exit", () => writeSync(2, `peak ${peakKibibytes()}\n`));
