import { readdirSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { ModelInput } from "../convert/open/open.ts";
import type { Notice } from "../core/context.ts";
import { inputFolder } from "../node/input-folder.ts";
import { systemError } from "../node/system-errors.ts";
import { latestStep } from "./latest-step.ts";
import { mainFile } from "./main-file.ts";
import { isRemote, resolveRemote } from "./resolve-remote.ts";

/**
 * What a path on the command line means: a file, the model in a folder, or an address (`https://`, `hf://`). Throws kind `io` where nothing is there,
 * `usage` where a folder holds several models.
 */
export async function resolveInput(path: string, signal?: AbortSignal): Promise<ModelInput> {
  if (isRemote(path)) return resolveRemote(path, signal);
  const stats = stat(path);
  if (!stats.isDirectory()) return { folder: inputFolder(dirname(path)), name: basename(path) };
  const names = readdirSync(path).sort();
  const step = latestStep(path, names);
  if (step !== undefined) return inStep(step, await resolveInput(step, signal));
  const notices: Notice[] = [];
  const name = mainFile(names, path, (notice) => notices.push(notice));
  const files = names.filter((entry) => statSync(join(path, entry), { throwIfNoEntry: false })?.isFile());
  return { folder: inputFolder(path), name, notices, siblings: files };
}

function inStep(path: string, input: ModelInput): ModelInput {
  const notice: Notice = { code: "selected", message: `took the step that the file latest names, ${path}` };
  return { ...input, notices: [notice, ...(input.notices ?? [])] };
}

function stat(path: string) {
  try {
    return statSync(path);
  } catch (error) {
    throw systemError("io", path, error);
  }
}
