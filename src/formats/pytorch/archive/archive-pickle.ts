import { readPickle } from "../../../containers/pickle/read.ts";
import type { PickleGlobal, PickleValue } from "../../../containers/pickle/values.ts";
import type { RunContext } from "../../../core/context.ts";
import { ConvertError } from "../../../core/errors.ts";
import { type ByteSource, bytesSource, readBytes } from "../../../core/source.ts";
import { arrayPayloads } from "../arrays/array-payload.ts";
import { type ByteOrder, inLittleEndian } from "../values/byte-order.ts";
import { rebuildCall } from "../values/rebuild.ts";
import { createStorageTable, parseStorageId } from "../values/storage-table.ts";
import { checkRecord } from "./checked-record.ts";
import type { RecordFolder } from "./records.ts";

/** Where the storages of a pickle lie. */
export interface StorageRecords {
  readonly records: RecordFolder;
  /** Name of the record that holds the storage of a key. */
  nameOf(key: string): string;
  readonly order: ByteOrder;
  /** What stands for a persistent id that is no storage; `undefined` for one that is. */
  resolve?(id: PickleValue): PickleValue | undefined;
  /** What a call comes to that only this kind of archive has; `undefined` for all others. */
  call?(callable: PickleGlobal, args: PickleValue): PickleValue | undefined;
  /** What stands for a storage whose record was left out on purpose. */
  absent?(name: string, bytes: number): ByteSource;
}

/** A pickle of an archive, its storages bound to their records. Throws kind `malformed` where one is missing or of another size. */
export async function readArchivePickle(
  pickle: ByteSource,
  storageRecords: StorageRecords,
  context: RunContext,
): Promise<{ value: PickleValue; globals: ReadonlyMap<string, PickleGlobal> }> {
  await checkRecord(pickle, "the pickle", context);
  const { records, nameOf, order } = storageRecords;
  const file = pickle.name;
  const storages = createStorageTable(({ key, dtype, bytes }, site) => {
    const name = nameOf(key);
    const record = records.find(name);
    if (record) return inLittleEndian(record, order, dtype);
    if (storageRecords.absent) return storageRecords.absent(name, bytes);
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
        const known = storageRecords.resolve?.(id);
        if (known !== undefined) return known;
        const site = { file, offset };
        return storages.resolve(parseStorageId(id, 5, site), site);
      },
      call: (callable, args, offset) =>
        storageRecords.call?.(callable, args) ?? rebuildCall(callable, args, file, offset, context),
      ...(context.whole ? {} : arrayPayloads(pickle)),
    },
    context,
  );
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
