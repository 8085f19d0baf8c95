import { close, ftruncate, link, open, rename, unlink, write } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ByteSink } from "../core/sink.ts";
import { systemError } from "./system-errors.ts";

const openAsync = promisify(open);
const writeAsync = promisify(write);
const closeAsync = promisify(close);
const truncateAsync = promisify(ftruncate);
const linkAsync = promisify(link);
const renameAsync = promisify(rename);
const unlinkAsync = promisify(unlink);

/** Name of a file while it is being written: hidden, and of this process alone. */
function partName(name: string): string {
  return `.${name}.${process.pid}.tensorferry-part`;
}

/** A file that is written under a part name and appears under its own when committed. Throws kind `output`. */
export async function createFileSink(
  folder: string,
  name: string,
  size: number,
  replace: boolean,
): Promise<ByteSink> {
  const path = join(folder, name);
  const part = join(folder, partName(name));
  const guard = async <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      throw systemError("output", path, error);
    });

  const handle = await guard(openAsync(part, "w"));
  let open = true;
  let committed = false;

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

  try {
    await guard(truncateAsync(handle, size));
  } catch (error) {
    await closeOnce();
    await unlinkAsync(part).catch(() => undefined);
    throw error;
  }

  return {
    name: path,
    async writeAt(chunk, position) {
      let done = 0;
      while (done < chunk.length) {
        const { bytesWritten } = await guard(
          writeAsync(handle, chunk, done, chunk.length - done, position + done),
        );
        done += bytesWritten;
      }
    },
    finish: () => guard(closeOnce()),
    async commit() {
      await guard(show());
      committed = true;
    },
    async discard() {
      await closeOnce().catch(() => undefined);
      await unlinkAsync(committed ? path : part).catch(() => undefined);
    },
  };
}
