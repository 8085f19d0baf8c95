import { close, fstatSync, open, type Stats } from "node:fs";
import { promisify } from "node:util";
import { ConvertError } from "../core/errors.ts";
import { type ByteSource, checkRange } from "../core/source.ts";
import { readFully } from "./file-source.ts";
import { systemError } from "./system-errors.ts";

const openAsync = promisify(open);
const closeAsync = promisify(close);

/** Files that are open at once; systems allow some hundreds, and a model may have a file for each tensor. */
const mostOpen = 64;

/** Keeps the files that are read most of late open, and opens others when they are read. */
export interface HandlePool {
  /** A file with these facts; throws kind `io` while reading where it has been put in the place of another. */
  source(path: string, stats: Stats): ByteSource;
  close(): Promise<void>;
}

interface Handle {
  readonly number: Promise<number>;
  users: number;
}

/** A pool without any file open. */
export function createHandlePool(): HandlePool {
  /** By path, what was used last at the end. */
  const handles = new Map<string, Handle>();

  async function use<T>(path: string, stats: Stats, read: (handle: number) => Promise<T>): Promise<T> {
    const handle = handles.get(path) ?? { number: openSame(path, stats), users: 0 };
    handles.delete(path);
    handles.set(path, handle);
    handle.users++;
    try {
      return await read(await handle.number);
    } finally {
      handle.users--;
      await closeIdle(mostOpen);
    }
  }

  async function closeIdle(limit: number): Promise<void> {
    for (const [path, { users, number }] of handles) {
      if (handles.size <= limit) return;
      if (users > 0) continue;
      handles.delete(path);
      await number.then(closeAsync, () => undefined);
    }
  }

  return {
    source: (path, stats) => ({
      name: path,
      size: stats.size,
      async readInto(target, offset) {
        checkRange(path, stats.size, offset, target.length);
        await use(path, stats, (handle) => readFully(handle, path, target, offset));
      },
    }),
    close: () => closeIdle(0),
  };
}

async function openSame(path: string, stats: Stats): Promise<number> {
  const handle = await openAsync(path, "r").catch((error: unknown) => {
    throw systemError("io", path, error);
  });
  const now = fstatSync(handle);
  if (now.ino === stats.ino && now.dev === stats.dev && now.size === stats.size) return handle;
  await closeAsync(handle);
  throw new ConvertError("io", "another file was put in its place while it was read", { file: path });
}
