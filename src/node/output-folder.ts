import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, statfsSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { ConvertError } from "../core/errors.ts";
import type { OutputFolder, OutputRequest } from "../core/sink.ts";
import { formatBytes } from "../core/words.ts";
import { createFileSink } from "./file-sink.ts";
import { systemError } from "./system-errors.ts";

/** A folder on disk, made when it is needed. With `replace`, files of an earlier output give way once the new ones are there. */
export function outputFolder(path: string, replace: boolean): OutputFolder {
  let made: string | undefined;
  let stale: readonly string[] = [];
  return {
    inOrder: false,
    pathOf: (name) => join(path, name),
    async prepare(request) {
      try {
        stale = refuseTaken(path, request, replace);
        made = mkdirSync(path, { recursive: true });
      } catch (error) {
        throw systemError("output", path, error);
      }
      checkSpace(path, request);
    },
    create: (name, size) => createFileSink(path, name, size, replace),
    async settle() {
      for (const name of stale) rmSync(join(path, name), { force: true });
    },
    async abandon() {
      if (made === undefined) return;
      removeEmpty(path, made);
    },
  };
}

/** Names that are there already and are not among the new ones, but belong to the same model. Throws kind `output` without `replace`. */
function refuseTaken(path: string, { files, isStale }: OutputRequest, replace: boolean): readonly string[] {
  const present = existsSync(path) ? readdirSync(path) : [];
  const names = new Set(files.map((file) => file.name));
  const taken = present.filter((name) => names.has(name));
  const stale = present.filter((name) => !names.has(name) && isStale(name));
  for (const name of taken) {
    if (statSync(join(path, name)).isDirectory())
      throw new ConvertError("output", "it is a folder", { file: join(path, name) });
  }
  const [first] = [...taken, ...stale];
  if (first === undefined || replace) return stale;
  const what =
    taken.length > 0
      ? "it is there already"
      : "it is left from an earlier output, and loaders would mix it with the new one";
  throw new ConvertError("output", what, {
    file: join(path, first),
    hint: "--force replaces it, or choose another output",
  });
}

function checkSpace(path: string, { files }: OutputRequest): void {
  const { bavail, bsize } = statfsSync(path);
  const free = bavail * bsize;
  const needed = files.reduce((sum, file) => sum + file.size, 0);
  if (needed <= free) return;
  throw new ConvertError("output", `${formatBytes(needed)} are needed, but ${formatBytes(free)} are free`, {
    file: path,
    hint: "free some space, or write to another disk",
  });
}

/** Takes back folders that were made for an output that failed, from `path` up to `top`, if they are empty. */
function removeEmpty(path: string, top: string): void {
  for (let at = resolve(path); at.startsWith(resolve(top)); at = dirname(at)) {
    try {
      rmdirSync(at);
    } catch {
      return;
    }
  }
}
