import type { PickleValue } from "../../containers/pickle/values.ts";
import { readZipDirectory, type ZipDirectory } from "../../containers/zip/directory.ts";
import type { RunContext } from "../../core/context.ts";
import type { Checkpoint } from "../../core/dict.ts";
import { ConvertError } from "../../core/errors.ts";
import type { InputFolder } from "../../core/sink.ts";
import type { ByteSource } from "../../core/source.ts";
import { createRecordFolder, type RecordFolder } from "./archive/records.ts";
import { readObject } from "./archive/saved-object.ts";
import { checkpointOf } from "./objects/checkpoint.ts";

/** Reads the zip files of `torch.save` since 1.6, and PyTorch's other archives, told apart by their records. */
export async function readZip(
  source: ByteSource,
  folder: InputFolder,
  context: RunContext,
): Promise<Checkpoint> {
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
  if (has("constants.pkl"))
    return (await import("./torchscript/read-torchscript.ts")).readTorchScript(records, context);
  if (has("archive_format") || has("serialized_exported_program.json"))
    return (await import("./archive/read-export.ts")).readExport(records, context);
  const pickle = records.find("data.pkl");
  if (pickle) return readSaved(await readObject(pickle, records, context), source.name, folder, context);
  if (has(".data/version")) return (await import("./archive/read-package.ts")).readPackage(records, context);
  return refuseArchive(directory, records);
}

async function readSaved(
  root: PickleValue,
  file: string,
  folder: InputFolder,
  context: RunContext,
): Promise<Checkpoint> {
  const isPart = file.endsWith("model_states.pt") && !context.whole;
  const zero = isPart ? await import("./distributed/read-zero.ts") : undefined;
  return zero?.isZeroFile(file, root)
    ? zero.readZero(root, file, folder, context)
    : checkpointOf("zip", root, file, context);
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
  if (records.find("version") && records.find(".data/serialization_id")) {
    return refuse(
      "this file of torch.save has no data.pkl: what was to be saved could not be pickled",
      "see what torch.save said, and save the model again",
    );
  }
  const seen = entries.slice(0, 3).map((entry) => JSON.stringify(entry.name));
  return refuse(
    `this zip is no PyTorch file: it has no data.pkl, but ${entries.length} entries such as ${seen.join(", ")}`,
    "if the checkpoint lies inside it, unpack it first",
  );
}
