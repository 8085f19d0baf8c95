import { createHash } from "node:crypto";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { basename, join, parse } from "node:path";
import { convert } from "../node.ts";
import type { AssetRequest } from "./request.ts";

/** Where what was converted stays for the next build. */
const cacheFolder = "node_modules/.cache/tensorferry";

/** Converts a model once for each state of the file and each set of options. Gives the path of the safetensors file. */
export async function convertAsset({ file, options }: AssetRequest, root: string): Promise<string> {
  const { size, mtimeMs } = statSync(file);
  const facts = JSON.stringify([file, size, mtimeMs, options], (_, value) =>
    value instanceof Map ? [...value] : value,
  );
  const key = createHash("sha256").update(facts).digest("hex").slice(0, 12);
  const folder = join(root, cacheFolder, key);
  const output = join(folder, `${parse(basename(file)).name}.safetensors`);
  // Files appear once they are complete, so one that is there is right.
  if (existsSync(output)) return output;
  mkdirSync(folder, { recursive: true });
  await convert(file, output, { ...options, force: true });
  return output;
}
