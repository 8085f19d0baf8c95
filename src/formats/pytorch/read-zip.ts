import { readPickle } from "../../containers/pickle/read.ts";
import type { PickleValue } from "../../containers/pickle/values.ts";
import { readZipDirectory, type ZipDirectory } from "../../containers/zip/directory.ts";
import type { RunContext } from "../../core/context.ts";
import type { Checkpoint } from "../../core/dict.ts";
import { ConvertError } from "../../core/errors.ts";
import { type ByteSource, readBytes } from "../../core/source.ts";
import { type ByteOrder, inLittleEndian } from "./byte-order.ts";
import { checkpointOf } from "./checkpoint.ts";
import { rebuildCall } from "./rebuild.ts";
import { createRecordFolder, type RecordFolder } from "./records.ts";
import { createStorageTable, parseStorageId } from "./storage-table.ts";

/** Reads the zip files of `torch.save` since 1.6: one pickle, and one record for each storage. */
export async function readZip(source: ByteSource, context: RunContext): Promise<Checkpoint> {
  const directory = await readZipDirectory(source, context);
  const records = createRecordFolder(directory, context);
  const pickle = records.find("data.pkl");
  if (records.find("constants.pkl") || pickle === undefined) refuseArchive(directory, records);
  await checkRecord(pickle, context);
  const order = await readByteOrder(records, context);
  const value = await readObject(pickle, records, order, context);
  return checkpointOf("zip", value, source.name, context);
}

/** The object of `data.pkl`, its storages bound to their records. */
async function readObject(
  pickle: ByteSource,
  records: RecordFolder,
  order: ByteOrder,
  context: RunContext,
): Promise<PickleValue> {
  const storages = createStorageTable(({ key, dtype }, site) => {
    const record = records.find(`data/${key}`);
    if (record) return inLittleEndian(record, order, dtype);
    throw new ConvertError(
      "malformed",
      `the pickle refers to storage "${key}", but there is no record data/${key}`,
      site,
    );
  });
  const file = pickle.name;
  const { value } = await readPickle(
    pickle,
    0,
    {
      persistent: (id, offset) => storages.resolve(parseStorageId(id, 5, { file, offset }), { file, offset }),
      call: (callable, args, offset) => rebuildCall(callable, args, file, offset),
    },
    context,
  );
  return value;
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

/** Since 2.1 a record names the byte order; without it the storages are little-endian. */
async function readByteOrder(records: RecordFolder, context: RunContext): Promise<ByteOrder> {
  const record = records.find("byteorder");
  if (record === undefined) return "little";
  const text = String.fromCharCode(...(await readBytes(record, 0, Math.min(record.size, 16), context)));
  if (text === "little" || text === "big") return text;
  throw new ConvertError(
    "malformed",
    `the byte order is ${JSON.stringify(text)}, expected "little" or "big"`,
    {
      file: record.name,
    },
  );
}

/** Other archives of PyTorch, by the records that only they have (FORMAT.md, "Kinds of zip"). */
function refuseArchive({ source, entries }: ZipDirectory, records: RecordFolder): never {
  const refuse = (message: string, hint: string): never => {
    throw new ConvertError("unsupported", message, { file: source.name, hint });
  };
  if (records.find("constants.pkl")) {
    return refuse("this is a TorchScript archive", "load it with torch.jit.load and save its state_dict()");
  }
  if (
    records.find("archive_format") ||
    entries.some((entry) => entry.name === "serialized_exported_program.json")
  ) {
    return refuse("this is a torch.export archive", "load it with torch.export.load and save its state_dict");
  }
  if (records.find(".data/version")) {
    return refuse("this is a torch.package archive", "import its module and save the state_dict()");
  }
  const seen = entries.slice(0, 3).map((entry) => JSON.stringify(entry.name));
  return refuse(
    `this zip is no PyTorch file: it has no data.pkl, but ${entries.length} entries such as ${seen.join(", ")}`,
    "if the checkpoint lies inside it, unpack it first",
  );
}
