import { combineCrc32 } from "../bytes/crc32.ts";
import type { RunContext } from "./context.ts";
import { ConvertError, throwIfCancelled } from "./errors.ts";
import type { ByteSource } from "./source.ts";

/** Reads all bytes of a source from front to back, a buffer at a time; `take` must not keep what it is given. Borrows one buffer. */
export async function walkBytes(
  source: ByteSource,
  context: RunContext,
  take: (part: Uint8Array) => void,
): Promise<void> {
  const granule = source.granule ?? 1;
  const step = Math.max(granule, Math.floor(context.bufferBytes / granule) * granule);
  await context.scratch.lend(Math.min(source.size, step), async (buffer) => {
    for (let at = 0; at < source.size; at += buffer.length) {
      throwIfCancelled(context.signal);
      const part = buffer.subarray(0, Math.min(buffer.length, source.size - at));
      await source.readInto(part, at, context);
      take(part);
    }
  });
}

/** Whether all bytes of a source match the checksum that its container recorded; one without a checksum does. Borrows one buffer. */
export async function matchesChecksum(source: ByteSource, context: RunContext): Promise<boolean> {
  if (source.crc32 === undefined) return true;
  let checksum = 0;
  await walkBytes(source, context, (part) => {
    checksum = context.crc32(part, checksum);
  });
  return checksum === source.crc32;
}

/** Puts the checksum of a source together from those of its parts, in whatever order they come. */
export interface PartChecksums {
  /** Takes the checksum of the bytes `from` up to `to`; gives that of the whole once all of it was seen. */
  add(from: number, to: number, crc32: number): number | undefined;
}

/** For a source of `size` bytes, each of which comes in one part. */
export function collectChecksums(size: number): PartChecksums {
  const parts: { readonly from: number; readonly to: number; readonly crc32: number }[] = [];
  let seen = 0;
  return {
    add(from, to, crc32) {
      parts.push({ from, to, crc32 });
      seen += to - from;
      if (seen < size) return undefined;
      parts.sort((a, b) => a.from - b.from);
      return parts.reduce((whole, part) => combineCrc32(whole, part.crc32, part.to - part.from), 0);
    },
  };
}

/** Throws kind `malformed` where a checksum is not the one that the source's container recorded. */
export function compareChecksum(found: number, source: ByteSource, tensor: string): void {
  if (source.crc32 === undefined || found === source.crc32) return;
  throw new ConvertError("malformed", `the bytes of "${tensor}" do not match their checksum`, {
    file: source.name,
    tensor,
    hint: "the file is damaged; download or save it again",
  });
}

/** The same bytes, compared with the recorded checksum as they pass by, once; for sources that work out others from them. */
export function checkedSource(source: ByteSource, tensor: string, context: RunContext): ByteSource {
  if (source.crc32 === undefined) return source;
  let parts: PartChecksums | undefined = collectChecksums(source.size);
  return {
    name: source.name,
    size: source.size,
    granule: source.granule,
    preferredBytes: source.preferredBytes,
    async readInto(target, offset, request) {
      await source.readInto(target, offset, request);
      const whole = parts?.add(offset, offset + target.length, context.crc32(target, 0));
      if (whole === undefined) return;
      parts = undefined;
      compareChecksum(whole, source, tensor);
    },
  };
}
