import { realpathSync, type Stats, statSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { ConvertError } from "../core/errors.ts";
import { systemError } from "./system-errors.ts";

/** A file with its links followed. */
export interface FileBelow {
  readonly path: string;
  readonly stats: Stats;
}

/**
 * Where the file `path` of a folder really lies; `undefined` where there is none. Refuses (kind `unsafe`) what lies
 * neither in the folder nor in that in which the file `beside` really lies, or deeper.
 */
export function fileBelow(folder: string, path: string, beside: string): FileBelow | undefined {
  const file = join(folder, path);
  const real = realPath(file);
  if (real === undefined) return undefined;
  const roots = [realPath(folder), dirname(realPath(join(folder, beside)) ?? file)];
  if (!roots.some((root) => root !== undefined && lies(real, root))) {
    throw new ConvertError("unsafe", `a link leads out of the folder, to ${real}`, {
      file,
      hint: "copy the file to where the link is, if you trust it",
    });
  }
  const stats = statSync(real);
  if (stats.isFile()) return { path: real, stats };
  throw new ConvertError("io", stats.isDirectory() ? "it is a folder" : "it is no regular file", { file });
}

function lies(path: string, root: string): boolean {
  return path.startsWith(root.endsWith(sep) ? root : root + sep);
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync.native(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw systemError("io", path, error);
  }
}
