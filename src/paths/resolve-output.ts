import { existsSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import type { ModelOutput } from "../convert/plan/plan-output.ts";
import { outputFolder } from "../node/output-folder.ts";

/** What an output path means: a path that ends in a slash, or is a folder, gets the Hub's file names; any other is a file. */
export function resolveOutput(path: string, replace: boolean, checkpointMs?: number): ModelOutput {
  const isFolder = /[/\\]$/.test(path) || (existsSync(path) && statSync(path).isDirectory());
  if (isFolder) return { folder: outputFolder(path, replace, checkpointMs) };
  return { folder: outputFolder(dirname(path), replace, checkpointMs), name: basename(path) };
}
