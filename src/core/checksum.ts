import type { RunContext } from "./context.ts";
import { throwIfCancelled } from "./errors.ts";
import type { ByteSource } from "./source.ts";

/** Whether all bytes of a source match the checksum that its container recorded; one without a checksum does. Borrows one buffer. */
export async function matchesChecksum(source: ByteSource, context: RunContext): Promise<boolean> {
  if (source.crc32 === undefined) return true;
  let checksum = 0;
  await context.scratch.lend(Math.min(source.size, context.bufferBytes), async (buffer) => {
    for (let at = 0; at < source.size; at += buffer.length) {
      throwIfCancelled(context.signal);
      const part = buffer.subarray(0, Math.min(buffer.length, source.size - at));
      await source.readInto(part, at, context);
      checksum = context.crc32(part, checksum);
    }
  });
  return checksum === source.crc32;
}
