import { statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { ConvertError } from "../core/errors.ts";
import type { InputFolder } from "../core/sink.ts";
import { fileBelow } from "./file-below.ts";
import { type FileSource, openFileSource } from "./file-source.ts";
import { createHandlePool } from "./handle-pool.ts";

/** The files of one folder on disk. Names are bare; each is opened once. */
export function inputFolder(path: string): InputFolder {
  const opened = new Map<string, Promise<FileSource>>();
  const pool = createHandlePool();
  return {
    async open(name) {
      if (name === "" || name === "." || name === ".." || /[/\\]/.test(name)) {
        throw new ConvertError("unsafe", `${JSON.stringify(name)} is no bare file name`, { file: path });
      }
      const file = join(path, name);
      if (statSync(file, { throwIfNoEntry: false }) === undefined) return undefined;
      const source = opened.get(name) ?? openFileSource(file);
      opened.set(name, source);
      return source;
    },
    async openBelow(name, beside) {
      // Whoever asks has checked the words; a backslash leads away on some systems.
      if (name === "" || isAbsolute(name) || name.includes("\\") || name.split("/").includes(".."))
        throw new ConvertError("unsafe", `${JSON.stringify(name)} is no path within the folder`, {
          file: path,
        });
      const file = fileBelow(path, name, beside);
      return file && { ...pool.source(file.path, file.stats), name: join(path, name) };
    },
    async close() {
      await pool.close();
      const sources = await Promise.allSettled(opened.values());
      opened.clear();
      for (const source of sources) if (source.status === "fulfilled") await source.value.close();
    },
  };
}
