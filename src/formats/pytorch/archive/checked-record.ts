import { matchesChecksum } from "../../../core/checksum.ts";
import type { RunContext } from "../../../core/context.ts";
import { ConvertError } from "../../../core/errors.ts";
import { checkLimit } from "../../../core/limits.ts";
import { type ByteSource, readBytes } from "../../../core/source.ts";

/**
 * Compares a record with the checksum of its archive, if it has one. What decides what other bytes mean is read against
 * its checksum before it is believed. Throws kind `malformed` where they differ; `what` is what the record is called.
 */
export async function checkRecord(record: ByteSource, what: string, context: RunContext): Promise<void> {
  if (!(await matchesChecksum(record, context))) refuseDamage(record, what);
}

/** A whole record in new memory, checked; for descriptions, never for tensors. Throws kind `limit` beyond `headerBytes`. */
export async function readRecord(record: ByteSource, what: string, context: RunContext): Promise<Uint8Array> {
  checkLimit(context.limits, "headerBytes", record.size, `the size of ${what}`, { file: record.name });
  const bytes = await readBytes(record, 0, record.size, context);
  if (record.crc32 !== undefined && context.crc32(bytes, 0) !== record.crc32) refuseDamage(record, what);
  return bytes;
}

function refuseDamage(record: ByteSource, what: string): never {
  throw new ConvertError("malformed", `${what}'s checksum is wrong`, {
    file: record.name,
    hint: "the file is damaged; download or save it again",
  });
}
