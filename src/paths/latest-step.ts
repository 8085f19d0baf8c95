import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { hasUsualModel } from "./main-file.ts";

/**
 * DeepSpeed keeps a folder for each step it saved, and the name of the last in a file `latest`; the Trainer of transformers
 * has both beside its own files. The path of that folder, where there is one and the model lies nowhere else.
 */
export function latestStep(path: string, names: readonly string[]): string | undefined {
  if (!names.includes("latest") || hasUsualModel(names)) return undefined;
  const file = statSync(join(path, "latest"));
  const step = file.isFile() && file.size < 1000 ? readFileSync(join(path, "latest"), "utf8").trim() : "";
  if (!names.includes(step)) return undefined;
  const folder = join(path, step);
  const isStep =
    statSync(folder).isDirectory() && readdirSync(folder).some((name) => name.endsWith("_model_states.pt"));
  return isStep ? folder : undefined;
}
