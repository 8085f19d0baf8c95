import { isConvertError } from "../../core/errors.ts";
import type { PlannedFile } from "../../core/plan.ts";
import type { OutputFolder, OutputRequest } from "../../core/sink.ts";
import { parseSums, sumsName, writeSums } from "./sha256-sums.ts";

/** A list of hashes that is in an output folder already. */
export interface EarlierSums {
  readonly bytes: Uint8Array;
  /** Those of files that the new output leaves as they are. */
  readonly kept: ReadonlyMap<string, string>;
}

/** Far more than the shards of any model. */
const maxBytes = 16 * 1024 * 1024;

/**
 * The list that an output with hashes of its own adds to. `undefined` where there is none, or one with more in it than
 * hashes, which would be lost.
 */
export async function earlierSums(
  folder: OutputFolder,
  files: readonly PlannedFile[],
  isStale: OutputRequest["isStale"],
): Promise<EarlierSums | undefined> {
  const bytes = await folder.readExisting?.(sumsName, maxBytes);
  const hashes = bytes && hashesIn(bytes);
  if (bytes === undefined || hashes === undefined) return undefined;
  const written = new Set(files.map(({ name }) => name));
  const kept = [...hashes].filter(([name]) => !written.has(name) && !isStale(name));
  return { bytes, kept: new Map(kept) };
}

function hashesIn(bytes: Uint8Array): ReadonlyMap<string, string> | undefined {
  try {
    const hashes = parseSums(bytes, sumsName);
    // Comments, and names that are listed twice, would be gone.
    return writeSums(hashes).length === bytes.length ? hashes : undefined;
  } catch (error) {
    if (isConvertError(error, "malformed")) return undefined;
    throw error;
  }
}
