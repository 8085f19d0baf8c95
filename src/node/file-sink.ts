import { close, fdatasync, fstatSync, ftruncate, link, open, read, rename, unlink, write } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { ConvertError } from "../core/errors.ts";
import type { ByteSink } from "../core/sink.ts";
import { systemError } from "./system-errors.ts";

const openAsync = promisify(open);
const readAsync = promisify(read);
const writeAsync = promisify(write);
const closeAsync = promisify(close);
const truncateAsync = promisify(ftruncate);
const syncAsync = promisify(fdatasync);
const linkAsync = promisify(link);
const renameAsync = promisify(rename);
const unlinkAsync = promisify(unlink);

/** Name of a file while it is being written: hidden. The journal keeps two runs from using it at once. */
export function partName(name: string): string {
  return `.${name}.tensorferry-part`;
}

/** Where a file goes, and what of it is there. */
export interface FileTarget {
  readonly folder: string;
  readonly name: string;
  readonly size: number;
  /** Whether it may take the place of another. */
  readonly replace: boolean;
  /** Bytes at the front that an earlier run has left for good. */
  readonly start: number;
  /** Whether that run has already given it its name. */
  readonly isShown: boolean;
  reached(position: number): void;
  /** Before the handle is closed: `sync` brings to the disk what was written. */
  finishing(sync: () => Promise<void>): Promise<void>;
  committing(): void;
}

/** A sink on disk that can also bring its bytes there for good. */
export interface FileSink extends ByteSink {
  sync(): Promise<void>;
  /** Closes the file and leaves it as it is. */
  leave(): Promise<void>;
}

/** A file that is written under a part name and appears under its own when committed. Throws kind `output`. */
export async function createFileSink(target: FileTarget): Promise<FileSink> {
  const { folder, name, size, replace, start, isShown } = target;
  const path = join(folder, name);
  const part = join(folder, partName(name));
  const guard = async <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      throw systemError("output", path, error);
    });

  const handle = await guard(isShown ? openAsync(path, "r+") : openAsync(part, start > 0 ? "r+" : "w+"));
  let open = true;
  let committed = isShown;

  async function closeOnce(): Promise<void> {
    if (!open) return;
    open = false;
    await closeAsync(handle);
  }

  /** A link fails where the name is taken, which a rename would not notice; some file systems have no links. */
  async function show(): Promise<void> {
    if (replace) return renameAsync(part, path);
    try {
      await linkAsync(part, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") throw error;
      return renameAsync(part, path);
    }
    await unlinkAsync(part);
  }

  const sync = async () => {
    if (open) await guard(syncAsync(handle));
  };

  try {
    if (fstatSync(handle).size !== size) await guard(truncateAsync(handle, size));
  } catch (error) {
    await closeOnce();
    await unlinkAsync(part).catch(() => undefined);
    throw error;
  }

  return {
    name: path,
    start,
    async readAt(bytes, position) {
      let done = 0;
      while (done < bytes.length) {
        const { bytesRead } = await guard(
          readAsync(handle, bytes, done, bytes.length - done, position + done),
        );
        if (bytesRead === 0) throw new ConvertError("output", "it became shorter meanwhile", { file: part });
        done += bytesRead;
      }
    },
    async writeAt(chunk, position) {
      let done = 0;
      while (done < chunk.length) {
        const { bytesWritten } = await guard(
          writeAsync(handle, chunk, done, chunk.length - done, position + done),
        );
        done += bytesWritten;
      }
    },
    place: (position) => ({ handle, position, file: path }),
    reached: target.reached,
    sync,
    leave: closeOnce,
    async finish() {
      await target.finishing(sync);
      await guard(closeOnce());
    },
    async commit() {
      target.committing();
      if (!committed) await guard(show());
      committed = true;
    },
    async discard() {
      await closeOnce().catch(() => undefined);
      await unlinkAsync(committed ? path : part).catch(() => undefined);
    },
  };
}
