import { readdirSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { sumsName } from "../convert/run/sha256-sums.ts";
import { type VerifyOptions, type VerifyReport, verifyModel } from "../convert/verify/verify-model.ts";
import type { VerifyTarget } from "../convert/verify/verify-scope.ts";
import type { Format } from "../core/format.ts";
import { inputFolder } from "../node/input-folder.ts";
import { platform } from "../node/platform.ts";
import { systemError } from "../node/system-errors.ts";
import { isRemote, remoteInputs } from "./resolve-remote.ts";

/**
 * Verifies a file, an index with its shards, or all models in a folder; also at an address (`https://`, `hf://`), which reads all of
 * them over the network. Throws kind `io` where nothing is there.
 */
export async function verifyPath(
  path: string,
  formats: readonly Format[],
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const target = isRemote(path) ? await remoteTarget(path, options.signal) : localTarget(path);
  try {
    return await verifyModel(target, formats, { ...platform, ...options });
  } finally {
    await target.folder.close();
  }
}

function localTarget(path: string): VerifyTarget {
  if (isFolderAt(path)) return { path, folder: inputFolder(path), present: filesIn(path) };
  const parent = dirname(path);
  return { path, folder: inputFolder(parent), present: filesIn(parent), name: basename(path) };
}

/** Beside one file on a server nothing can be listed; a list of hashes has a name that can be asked for. */
async function remoteTarget(path: string, signal: AbortSignal | undefined): Promise<VerifyTarget> {
  const inputs = await remoteInputs(path, signal);
  const [{ folder, name }] = inputs;
  if (inputs.length > 1) return { path, folder, present: inputs.map((input) => input.name).sort() };
  const hasSums = name !== sumsName && (await folder.open(sumsName)) !== undefined;
  return { path, folder, present: hasSums ? [name, sumsName] : [name], name };
}
function isFolderAt(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    throw systemError("io", path, error);
  }
}

/** Links count as what they lead to, since caches are made of them. */
function filesIn(path: string): readonly string[] {
  const entries = readdirSync(path, { withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}
