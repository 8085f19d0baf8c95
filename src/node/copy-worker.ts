import { readSync, writeSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import { crc32 } from "node:zlib";
import type { CopyRequest } from "../core/copier.ts";

/** What came of a request. */
export type CopyAnswer =
  | { readonly kind: "done"; readonly crc32: number }
  /** The file to be read ended at `position`. */
  | { readonly kind: "short"; readonly position: number }
  /** The system refused to read or to write. */
  | {
      readonly kind: "failed";
      readonly side: "from" | "to";
      readonly code: string;
      readonly message: string;
    };

/** Read, summed and written before it leaves the cache of the processor that does all three. */
const buffer = Buffer.allocUnsafe(256 * 1024);

function copy({ from, to, size, wantsCrc32 }: CopyRequest): CopyAnswer {
  let checksum = 0;
  let side: "from" | "to" = "from";
  try {
    for (let done = 0; done < size; ) {
      side = "from";
      const count = readSync(
        from.handle,
        buffer,
        0,
        Math.min(buffer.length, size - done),
        from.position + done,
      );
      if (count === 0) return { kind: "short", position: from.position + done };
      if (wantsCrc32) checksum = crc32(buffer.subarray(0, count), checksum);
      side = "to";
      for (let written = 0; written < count; )
        written += writeSync(to.handle, buffer, written, count - written, to.position + done + written);
      done += count;
    }
    return { kind: "done", crc32: checksum };
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    return { kind: "failed", side, code, message };
  }
}

parentPort?.on("message", (request: CopyRequest) => parentPort?.postMessage(copy(request)));
