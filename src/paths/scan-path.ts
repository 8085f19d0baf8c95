import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { ModelInput } from "../convert/open.ts";
import { type ScanOptions, type ScanReport, scanFiles, scanModel } from "../convert/scan.ts";
import type { Format } from "../core/format.ts";
import { inputFolder } from "../node/input-folder.ts";
import { platform } from "../node/platform.ts";
import { systemError } from "../node/system-errors.ts";
import { resolveInput } from "./resolve-input.ts";

/** Scans a file, the shards of an index, or every file in a folder and below it. */
export async function scanPath(
  path: string,
  formats: readonly Format[],
  options: ScanOptions = {},
): Promise<ScanReport> {
  const all = { ...platform, ...options };
  if (isFolder(path)) return scanFiles(path, filesBelow(path), formats, all);
  const input = await resolveInput(path);
  try {
    return await scanModel(input, formats, all);
  } finally {
    await input.folder.close();
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    throw systemError("io", path, error);
  }
}

/** Files in the order of their names. A link to a file counts, since caches are made of them; one to a folder does not. */
async function* filesBelow(path: string): AsyncGenerator<ModelInput> {
  const entries = readdirSync(path, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const whole = join(path, entry.name);
    if (entry.isDirectory()) yield* filesBelow(whole);
    else if (statSync(whole, { throwIfNoEntry: false })?.isFile()) yield* opened(path, entry.name);
  }
}

/** One file at a time is open. */
async function* opened(path: string, name: string): AsyncGenerator<ModelInput> {
  const folder = inputFolder(path);
  try {
    yield { folder, name };
  } finally {
    await folder.close();
  }
}
