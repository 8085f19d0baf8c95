import { statSync } from "node:fs";
import { join } from "node:path";
import { ConvertError } from "../core/errors.ts";
import type { InputFolder } from "../core/sink.ts";
import { type FileSource, openFileSource } from "./file-source.ts";

/** The files of one folder on disk. Names are bare; each is opened once. */
export function inputFolder(path: string): InputFolder {
  const opened = new Map<string, Promise<FileSource>>();
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
    async close() {
      const sources = await Promise.allSettled(opened.values());
      opened.clear();
      for (const source of sources) if (source.status === "fulfilled") await source.value.close();
    },
  };
}
