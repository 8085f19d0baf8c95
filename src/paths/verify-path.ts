import { readdirSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import { type VerifyOptions, type VerifyReport, verifyModel } from "../convert/verify/verify-model.ts";
import type { Format } from "../core/format.ts";
import { inputFolder } from "../node/input-folder.ts";
import { platform } from "../node/platform.ts";
import { systemError } from "../node/system-errors.ts";

/** Verifies a file, an index with its shards, or all models in a folder. Throws kind `io` where nothing is there. */
export async function verifyPath(
  path: string,
  formats: readonly Format[],
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const isFolder = isFolderAt(path);
  const parent = isFolder ? path : dirname(path);
  const folder = inputFolder(parent);
  const name = isFolder ? undefined : basename(path);
  try {
    return await verifyModel({ path, folder, present: filesIn(parent), name }, formats, {
      ...platform,
      ...options,
    });
  } finally {
    await folder.close();
  }
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
