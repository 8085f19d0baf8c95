import type { ByteSource, ReadRequest } from "../core/source.ts";

/** Size of one block in bytes. */
const blockBytes = 64 * 1024;

/** Blocks held at once: 4 MiB. */
const maxBlocks = 64;

/** Reads at least this long go past the cache: they are payloads, and come once. */
const directBytes = 4 * blockBytes;

/**
 * The same bytes, with short reads served from blocks that are held: for sources where every read costs a journey.
 * Blocks that are under way are not asked for twice.
 */
export function withBlockCache(source: ByteSource): ByteSource {
  const blocks = new Map<number, Promise<Uint8Array>>();

  function block(index: number, request: ReadRequest | undefined): Promise<Uint8Array> {
    const held = blocks.get(index);
    if (held !== undefined) {
      // The one used last goes last.
      blocks.delete(index);
      blocks.set(index, held);
      return held;
    }
    const bytes = new Uint8Array(Math.min(blockBytes, source.size - index * blockBytes));
    const reading = source.readInto(bytes, index * blockBytes, request).then(() => bytes);
    blocks.set(index, reading);
    reading.catch(() => blocks.delete(index));
    const [oldest] = blocks.keys();
    if (blocks.size > maxBlocks && oldest !== undefined) blocks.delete(oldest);
    return reading;
  }

  return {
    ...source,
    async readInto(target, offset, request) {
      if (target.length >= directBytes || offset + target.length > source.size) {
        await source.readInto(target, offset, request);
        return;
      }
      let done = 0;
      while (done < target.length) {
        const index = Math.floor((offset + done) / blockBytes);
        const within = offset + done - index * blockBytes;
        const bytes = (await block(index, request)).subarray(within, within + target.length - done);
        target.set(bytes, done);
        done += bytes.length;
      }
    },
  };
}
