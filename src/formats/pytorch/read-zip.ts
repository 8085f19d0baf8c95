import type { PickleValue } from "../../containers/pickle/values.ts";
import { readZipDirectory, type ZipDirectory } from "../../containers/zip/directory.ts";
import type { RunContext } from "../../core/context.ts";
import type { Checkpoint } from "../../core/dict.ts";
import { ConvertError } from "../../core/errors.ts";
import type { ByteSource } from "../../core/source.ts";
import { readArchivePickle, readByteOrder } from "./archive-pickle.ts";
import { checkpointOf } from "./checkpoint.ts";
import { createRecordFolder, type RecordFolder } from "./records.ts";

/** Reads the zip files of `torch.save` since 1.6, and PyTorch's other archives, told apart by their records. */
export async function readZip(source: ByteSource, context: RunContext): Promise<Checkpoint> {
  if (source.name.endsWith(".distcp")) {
    // Several archives one after the other, of which a zip reader sees the last.
    throw new ConvertError("unsupported", "this is one part of a distributed checkpoint", {
      file: source.name,
      hint: "give the path of its folder, or of the .metadata in there",
    });
  }
  const directory = await readZipDirectory(source, context);
  const records = createRecordFolder(directory, context);
  const has = (record: string): boolean => records.find(record) !== undefined;
  if (has("constants.pkl")) return (await import("./read-torchscript.ts")).readTorchScript(records, context);
  if (has("archive_format") || has("serialized_exported_program.json"))
    return (await import("./read-export.ts")).readExport(records, context);
  const pickle = records.find("data.pkl");
  if (pickle) return checkpointOf("zip", await readObject(pickle, records, context), source.name, context);
  if (has(".data/version")) return (await import("./read-package.ts")).readPackage(records, context);
  return refuseArchive(directory, records);
}

/** The object of an archive of `torch.save` that is part of something else. Throws kind `malformed` for any other bytes. */
export async function readSavedZip(source: ByteSource, context: RunContext): Promise<PickleValue> {
  const records = createRecordFolder(await readZipDirectory(source, context), context);
  const pickle = records.find("data.pkl");
  if (pickle) return readObject(pickle, records, context);
  throw new ConvertError("malformed", "the archive within has no data.pkl", { file: source.name });
}

async function readObject(
  pickle: ByteSource,
  records: RecordFolder,
  context: RunContext,
): Promise<PickleValue> {
  const order = await readByteOrder(records, context);
  const { value } = await readArchivePickle(
    pickle,
    { records, nameOf: (key) => `data/${key}`, order },
    context,
  );
  return value;
}

/** Other archives of PyTorch, by the records that only they have (FORMAT.md, "Kinds of zip"). */
function refuseArchive({ source, entries }: ZipDirectory, records: RecordFolder): never {
  const refuse = (message: string, hint: string): never => {
    throw new ConvertError("unsupported", message, { file: source.name, hint });
  };
  if (records.find("model.json")) {
    return refuse(
      "this is a TorchScript archive of torch 1.0 to 1.2",
      "load it with torch.jit.load of torch 1.0 to 1.2 and save its state_dict()",
    );
  }
  const seen = entries.slice(0, 3).map((entry) => JSON.stringify(entry.name));
  return refuse(
    `this zip is no PyTorch file: it has no data.pkl, but ${entries.length} entries such as ${seen.join(", ")}`,
    "if the checkpoint lies inside it, unpack it first",
  );
}
