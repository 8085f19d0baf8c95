import { close, fstatSync, open, read, readSync } from "node:fs";
import { promisify } from "node:util";
import { ConvertError } from "../core/errors.ts";
import { type ByteSource, checkRange } from "../core/source.ts";
import { createReadAhead, type ReadAhead } from "./read-ahead.ts";
import { systemError } from "./system-errors.ts";

const openAsync = promisify(open);
const readAsync = promisify(read);
const closeAsync = promisify(close);

/** A source that holds an open file. */
export interface FileSource extends ByteSource {
  close(): Promise<void>;
}

/**
 * Reads this short are made at once: from the page cache they take some 2 µs, and handing them to a worker thread
 * ten times that, which dominates for checkpoints of many small tensors.
 */
const promptBytes = 16 * 1024;

/** Opens a regular file for positional reads. Throws kind `io` where it cannot be opened or is none. */
export async function openFileSource(path: string): Promise<FileSource> {
  const handle = await openAsync(path, "r").catch((error: unknown) => {
    throw systemError("io", path, error);
  });
  const stats = fstatSync(handle);
  if (!stats.isFile()) {
    await closeAsync(handle);
    const what = stats.isDirectory() ? "a folder" : "no regular file";
    throw new ConvertError("io", `it is ${what}`, {
      file: path,
      hint: "give a file on disk; pipes cannot be read in any order",
    });
  }
  const { size } = stats;
  const ahead = createReadAhead((target, start) => readSync(handle, target, 0, target.length, start));

  return {
    name: path,
    size,
    revision: `${stats.ino}:${stats.mtimeMs}`,
    async readInto(target, offset) {
      checkRange(path, size, offset, target.length);
      if (!serveAhead(ahead, target, offset, path)) await readFully(handle, path, target, offset);
    },
    place: async (offset) => ({ handle, position: offset, file: path }),
    close: () => closeAsync(handle),
  };
}

function serveAhead(ahead: ReadAhead, target: Uint8Array, offset: number, path: string): boolean {
  try {
    return ahead.serve(target, offset);
  } catch (error) {
    throw systemError("io", path, error);
  }
}

/** Fills all of `target` from byte `offset` of an open file. Throws kind `io`. */
export async function readFully(
  handle: number,
  path: string,
  target: Uint8Array,
  offset: number,
): Promise<void> {
  let done = 0;
  try {
    while (done < target.length) {
      const left = target.length - done;
      const count =
        left <= promptBytes
          ? readSync(handle, target, done, left, offset + done)
          : (await readAsync(handle, target, done, left, offset + done)).bytesRead;
      if (count === 0) {
        throw new ConvertError("io", "the file became shorter while it was read", {
          file: path,
          offset: offset + done,
        });
      }
      done += count;
    }
  } catch (error) {
    throw systemError("io", path, error);
  }
}
