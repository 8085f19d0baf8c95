#!/usr/bin/env node
import { processConsole } from "./console.ts";
import { run } from "./run.ts";

const stop = new AbortController();
process.on("SIGINT", () => {
  // The first Ctrl-C cleans up, the second does not wait for it.
  if (stop.signal.aborted) process.exit(130);
  stop.abort(new Error("interrupted"));
});
process.on("SIGTERM", () => stop.abort(new Error("terminated")));
// Whoever reads our output may stop early, as `head` does.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

process.exitCode = await run(process.argv.slice(2), processConsole(), stop.signal);
