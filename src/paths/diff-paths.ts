import { type DiffOptions, type DiffReport, diffModels } from "../convert/diff/diff.ts";
import type { Format } from "../core/format.ts";
import { platform } from "../node/platform.ts";
import { resolveInput } from "./resolve-input.ts";

/** Compares the models at two paths: files, folders or indexes. */
export async function diffPaths(
  a: string,
  b: string,
  formats: readonly Format[],
  options: DiffOptions = {},
): Promise<DiffReport> {
  const inputs = [await resolveInput(a), await resolveInput(b)] as const;
  try {
    return await diffModels(inputs[0], inputs[1], formats, { ...platform, ...options });
  } finally {
    for (const { folder } of inputs) await folder.close();
  }
}
