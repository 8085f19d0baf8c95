import { readPickle } from "../../containers/pickle/read.ts";
import type { PickleGlobal, PickleValue } from "../../containers/pickle/values.ts";
import type { RunContext } from "../../core/context.ts";
import { ConvertError } from "../../core/errors.ts";
import { type ByteSource, bytesSource, readBytes } from "../../core/source.ts";
import { type ByteOrder, inLittleEndian } from "./byte-order.ts";
import { rebuildCall } from "./rebuild.ts";
import type { RecordFolder } from "./records.ts";
import { createStorageTable, parseStorageId } from "./storage-table.ts";

/** Where the storages of a pickle lie. */
export interface StorageRecords {
  readonly records: RecordFolder;
  /** Name of the record that holds the storage of a key. */
  nameOf(key: string): string;
  readonly order: ByteOrder;
}

/** A pickle of an archive, its storages bound to their records. Throws kind `malformed` where one is missing or of another size. */
export async function readArchivePickle(
  pickle: ByteSource,
  storageRecords: StorageRecords,
  context: RunContext,
): Promise<{ value: PickleValue; globals: ReadonlyMap<string, PickleGlobal> }> {
  await checkRecord(pickle, context);
  const { records, nameOf, order } = storageRecords;
  const file = pickle.name;
  const storages = createStorageTable(({ key, dtype, bytes }, site) => {
    const name = nameOf(key);
    const record = records.find(name);
    if (record) return inLittleEndian(record, order, dtype);
    // libtorch neither needs nor reads the record of an empty storage.
    if (bytes === 0) return bytesSource(`${records.file}#${name}`, new Uint8Array(0));
    throw new ConvertError(
      "malformed",
      `the pickle refers to storage "${key}", but there is no record ${name}`,
      site,
    );
  });
  return readPickle(
    pickle,
    0,
    {
      persistent(id, offset) {
        const site = { file, offset };
        return storages.resolve(parseStorageId(id, 5, site), site);
      },
      call: (callable, args, offset) => rebuildCall(callable, args, file, offset, context),
    },
    context,
  );
}

/** The pickle decides what every byte means, so it is read against its checksum before it is believed. */
async function checkRecord(record: ByteSource, context: RunContext): Promise<void> {
  if (record.crc32 === undefined) return;
  let checksum = 0;
  await context.scratch.lend(Math.min(record.size, 1024 * 1024), async (buffer) => {
    for (let at = 0; at < record.size; at += buffer.length) {
      const part = buffer.subarray(0, Math.min(buffer.length, record.size - at));
      await record.readInto(part, at, context);
      checksum = context.crc32(part, checksum);
    }
  });
  if (checksum !== record.crc32) {
    throw new ConvertError("malformed", "the pickle's checksum is wrong", {
      file: record.name,
      hint: "the file is damaged; download or save it again",
    });
  }
}

/** Since 2.1 a record names the byte order; without it the storages are little-endian. Throws kind `malformed` for other words. */
export async function readByteOrder(records: RecordFolder, context: RunContext): Promise<ByteOrder> {
  const record = records.find("byteorder");
  if (record === undefined) return "little";
  const text = String.fromCharCode(...(await readBytes(record, 0, Math.min(record.size, 16), context)));
  if (text === "little" || text === "big") return text;
  throw new ConvertError(
    "malformed",
    `the byte order is ${JSON.stringify(text)}, expected "little" or "big"`,
    { file: record.name },
  );
}
