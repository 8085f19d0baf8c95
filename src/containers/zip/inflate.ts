import type { RunContext } from "../../core/context.ts";
import { ConvertError } from "../../core/errors.ts";
import { checkLimit } from "../../core/limits.ts";
import { type ByteSource, checkRange, type ReadRequest, readBytes } from "../../core/source.ts";
import type { ZipEntry } from "./directory.ts";

const feedBytes = 64 * 1024;
/** Entries up to this size, packed and unpacked, are unpacked at once where the context can. */
const smallBytes = 1024 * 1024;
/** How many times over an entry may be unpacked because reads jump backwards, before it counts as an attack. */
const maxRestarts = 64;

/**
 * A deflated entry as a source: reads in order unpack once; a read behind the last one starts again. Holds one
 * block of 64 KiB and the decompressor's window while it is being read, or a small entry whole; nothing once its end is reached.
 */
export function inflated(
  archive: ByteSource,
  entry: ZipEntry,
  name: string,
  locate: (request?: ReadRequest) => Promise<number>,
  context: RunContext,
): ByteSource {
  const site = { file: archive.name, offset: entry.headerOffset };
  const ratio = Math.ceil(entry.bytes / Math.max(1, entry.packedBytes));
  if (entry.bytes > feedBytes)
    checkLimit(
      context.limits,
      "inflateRatio",
      ratio,
      `zip entry "${entry.name}" unpacks to many times its size`,
      site,
    );

  let cursor: InflateCursor | undefined;
  let restarts = 0;
  let turn: Promise<unknown> = Promise.resolve();

  async function read(target: Uint8Array, offset: number, request: ReadRequest | undefined): Promise<void> {
    if (cursor === undefined || cursor.position > offset) {
      await cursor?.close();
      if (restarts++ > maxRestarts) {
        throw new ConvertError(
          "unsupported",
          `zip entry "${entry.name}" is compressed and read too often out of order`,
          {
            ...site,
            hint: "pack the archive again without compression",
          },
        );
      }
      const start = await locate(request);
      cursor =
        (await openSmall(archive, start, entry, context, request)) ??
        openCursor(archive, start, entry, site, request);
    }
    await cursor.skipTo(offset);
    await cursor.fill(target);
    if (cursor.position === entry.bytes) {
      await cursor.expectEnd();
      cursor = undefined;
    }
  }

  return {
    name,
    size: entry.bytes,
    isSequential: true,
    readInto(target, offset, request) {
      checkRange(name, entry.bytes, offset, target.length);
      if (target.length === 0) return Promise.resolve();
      // Two readers take turns: there is one position.
      const mine = turn.then(() => read(target, offset, request));
      turn = mine.catch(() => undefined);
      return mine;
    },
  };
}

interface InflateCursor {
  readonly position: number;
  skipTo(offset: number): Promise<void>;
  fill(target: Uint8Array): Promise<void>;
  /** Refuses an entry that unpacks to more than it said. */
  expectEnd(): Promise<void>;
  close(): Promise<void>;
}

/** A stream costs more than its bytes where these are few, and an archive of code has hundreds. What is not in order is left to the stream, which says why. */
async function openSmall(
  archive: ByteSource,
  start: number,
  entry: ZipEntry,
  { inflate }: RunContext,
  request: ReadRequest | undefined,
): Promise<InflateCursor | undefined> {
  if (inflate === undefined || Math.max(entry.bytes, entry.packedBytes) > smallBytes) return undefined;
  const bytes = inflate(await readBytes(archive, start, start + entry.packedBytes, request), entry.bytes);
  if (bytes === undefined) return undefined;
  let position = 0;
  return {
    get position() {
      return position;
    },
    async skipTo(offset) {
      position = offset;
    },
    async fill(target) {
      target.set(bytes.subarray(position, position + target.length));
      position += target.length;
    },
    expectEnd: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}

function openCursor(
  archive: ByteSource,
  start: number,
  entry: ZipEntry,
  site: { file: string; offset: number },
  request: ReadRequest | undefined,
): InflateCursor {
  let fed = 0;
  const packed = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const size = Math.min(feedBytes, entry.packedBytes - fed);
      if (size === 0) return controller.close();
      const block = new Uint8Array(size);
      await archive.readInto(block, start + fed, request);
      fed += size;
      controller.enqueue(block);
    },
  });
  const reader = packed.pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  let block: Uint8Array = new Uint8Array(0);
  let position = 0;

  async function next(): Promise<boolean> {
    try {
      const { done, value } = await reader.read();
      block = value ?? new Uint8Array(0);
      return !done;
    } catch (cause) {
      throw new ConvertError("malformed", `zip entry "${entry.name}" does not unpack`, { ...site, cause });
    }
  }

  async function take(size: number, use: (part: Uint8Array) => void): Promise<void> {
    let left = size;
    while (left > 0) {
      if (block.length === 0 && !(await next())) {
        throw new ConvertError(
          "malformed",
          `zip entry "${entry.name}" unpacks to ${position} bytes, not ${entry.bytes}`,
          site,
        );
      }
      const part = block.subarray(0, left);
      use(part);
      block = block.subarray(part.length);
      left -= part.length;
      position += part.length;
    }
  }

  return {
    get position() {
      return position;
    },
    skipTo: (offset) => take(offset - position, () => undefined),
    async fill(target) {
      let at = 0;
      await take(target.length, (part) => {
        target.set(part, at);
        at += part.length;
      });
    },
    async expectEnd() {
      let more = block.length > 0;
      while (!more && (await next())) more = block.length > 0;
      if (more)
        throw new ConvertError(
          "malformed",
          `zip entry "${entry.name}" unpacks to more than ${entry.bytes} bytes`,
          site,
        );
    },
    close: () => reader.cancel().catch(() => undefined),
  };
}
