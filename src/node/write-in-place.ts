import { close, fdatasync, open, write } from "node:fs";
import { promisify } from "node:util";
import { ConvertError } from "../core/errors.ts";
import { systemError } from "./system-errors.ts";

const openAsync = promisify(open);
const writeAsync = promisify(write);
const syncAsync = promisify(fdatasync);
const closeAsync = promisify(close);

/** Overwrites bytes of a file in one write and brings them to the disk. Throws kind `output`. */
export async function writeInPlace(path: string, bytes: Uint8Array, position: number): Promise<void> {
  try {
    const handle = await openAsync(path, "r+");
    try {
      const { bytesWritten } = await writeAsync(handle, bytes, 0, bytes.length, position);
      if (bytesWritten !== bytes.length) {
        throw new ConvertError("output", `${bytesWritten} of ${bytes.length} bytes were written`, {
          file: path,
        });
      }
      await syncAsync(handle);
    } finally {
      await closeAsync(handle);
    }
  } catch (error) {
    throw systemError("output", path, error);
  }
}
