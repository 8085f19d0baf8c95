import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { type ScanOptions, type ScanReport, scanFiles, scanModel } from "../convert/look/scan.ts";
import type { ModelInput } from "../convert/open/open.ts";
import type { Format } from "../core/format.ts";
import { inputFolder } from "../node/input-folder.ts";
import { platform } from "../node/platform.ts";
import { systemError } from "../node/system-errors.ts";
import { resolveInput } from "./resolve-input.ts";
import { isRemote, remoteInputs } from "./resolve-remote.ts";

/** Scans a file, the shards of an index, or every file in a folder and below it. */
export async function scanPath(
  path: string,
  formats: readonly Format[],
  options: ScanOptions = {},
): Promise<ScanReport> {
  const all = { ...platform, ...options };
  if (isRemote(path)) return scanRemote(path, formats, all);
  if (isFolder(path)) return scanFiles(path, filesBelow(path), formats, all);
  const input = await resolveInput(path, options.signal);
  try {
    return await scanModel(input, formats, all);
  } finally {
    await input.folder.close();
  }
}

/** A repository is scanned like a folder; what is text by its name is not asked for. */
async function scanRemote(
  path: string,
  formats: readonly Format[],
  options: ScanOptions,
): Promise<ScanReport> {
  const inputs = await remoteInputs(path, options.signal, "below");
  const [only] = inputs;
  if (only !== undefined && inputs.length === 1) return scanModel(only, formats, options);
  const files = inputs.filter(({ name }) => !/^\.|\.(md|txt|json|jsonl|py|ya?ml|gitattributes)$/.test(name));
  const report = await scanFiles(path, each(files), formats, options);
  return only?.traffic === undefined ? report : { ...report, traffic: only.traffic };
}

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
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
