import type { PickleValue } from "../../../containers/pickle/values.ts";
import type { RunContext } from "../../../core/context.ts";
import type { Candidate, Checkpoint, Leftover } from "../../../core/dict.ts";
import { ConvertError } from "../../../core/errors.ts";
import type { ByteSource } from "../../../core/source.ts";
import { candidateOf } from "../objects/named-candidate.ts";
import type { NamedValue } from "../objects/named-value.ts";
import { type ByteOrder, inLittleEndian } from "../values/byte-order.ts";
import { mappingEntries } from "../values/python-values.ts";
import { host, type TorchStorage } from "../values/torch-values.ts";
import { readByteOrder } from "./archive-pickle.ts";
import { readRecord } from "./checked-record.ts";
import { type ExportedTensor, exportConfigNames, parseExportConfig } from "./export-config.ts";
import type { RecordFolder } from "./records.ts";
import { readSavedZip } from "./saved-object.ts";

const weightsFolder = "data/weights/";
const configEnding = "_weights_config.json";

/**
 * Reads the state dict of each program in a `torch.export` archive (FORMAT.md, "torch.export"). Its graphs, constants
 * and sample inputs are left over; compiled code is not looked at.
 */
export async function readExport(records: RecordFolder, context: RunContext): Promise<Checkpoint> {
  const programs = programsIn(records.names);
  const candidates: Candidate[] = [];
  for (const { model, record } of programs) {
    const entries = record.endsWith(".json")
      ? await readConfigured(record, records, context)
      : await readSaved(record, records, context);
    const path = programs.length === 1 ? "" : model;
    const leftovers = await leftoversOf(model, records, context);
    const candidate = candidateOf({ path, auxiliary: false, entries, leftovers }, records.file, context);
    if (candidate) candidates.push(candidate);
  }
  if (candidates.length === 0) refuseEmpty(records);
  return { container: "export", candidates };
}

interface Program {
  readonly model: string;
  /** The list of its weights, or their archive. */
  readonly record: string;
}

/** Since 2.8 weights are records with a list of them; shortly before, and up to 2.7, an archive of `torch.save`. */
function programsIn(names: readonly string[]): readonly Program[] {
  const programs: Program[] = [];
  for (const record of names) {
    if (/^serialized_state_dict\.(pt|json)$/.test(record)) programs.push({ model: "", record: record });
    if (!record.startsWith(weightsFolder)) continue;
    const name = record.slice(weightsFolder.length);
    if (name.endsWith(configEnding)) programs.push({ model: name.slice(0, -configEnding.length), record });
    else if (name.endsWith(".pt")) programs.push({ model: name.slice(0, -".pt".length), record });
  }
  return programs;
}

async function readConfigured(
  record: string,
  records: RecordFolder,
  context: RunContext,
): Promise<readonly NamedValue[]> {
  const order = await readByteOrder(records, context);
  const storages = new Map<string, TorchStorage>();
  const entries: NamedValue[] = [];
  for (const [name, tensor] of await readConfig(record, records, context)) {
    const source = findWeight(name, tensor, records);
    const value = tensor.layout
      ? host({ type: "tensor", ...tensor.layout, storage: storageOf(name, tensor, source, order, storages) })
      : await readSavedZip(source, context);
    entries.push([name, value]);
  }
  return entries;
}

async function readConfig(
  name: string,
  records: RecordFolder,
  context: RunContext,
): Promise<ReadonlyMap<string, ExportedTensor>> {
  const record = records.find(name);
  if (record === undefined) return new Map();
  return parseExportConfig(await readRecord(record, "the list of weights", context), record.name);
}

function findWeight(name: string, { record }: ExportedTensor, records: RecordFolder): ByteSource {
  const source = records.find(weightsFolder + record);
  if (source) return source;
  throw new ConvertError("malformed", `"${name}" is placed in the record ${record}, which is not there`, {
    file: records.file,
    tensor: name,
  });
}

/** Tensors of one record share a storage; torch reads it by the type of the first. */
function storageOf(
  name: string,
  { record, layout }: ExportedTensor,
  source: ByteSource,
  order: ByteOrder,
  storages: Map<string, TorchStorage>,
): TorchStorage {
  const dtype = layout?.dtype;
  const storage: TorchStorage = storages.get(record) ?? {
    type: "storage",
    key: record,
    dtype,
    source: inLittleEndian(source, order, dtype),
  };
  storages.set(record, storage);
  if (storage.dtype === dtype) return storage;
  throw new ConvertError("malformed", `the record ${record} is given two element types`, {
    file: source.name,
    tensor: name,
  });
}

/** The whole state dict as `torch.save` wrote it, in one record. */
async function readSaved(
  name: string,
  records: RecordFolder,
  context: RunContext,
): Promise<readonly NamedValue[]> {
  const record = records.find(name);
  // A program without weights has no bytes there.
  if (record === undefined || record.size === 0) return [];
  const value: PickleValue = await readSavedZip(record, context);
  const entries = mappingEntries(value);
  if (entries) return [...entries];
  throw new ConvertError("malformed", "the weights of the program are no dict", { file: record.name });
}

/** Constants are no part of the state dict: buffers that are not saved, and tensors in the code. */
async function leftoversOf(
  model: string,
  records: RecordFolder,
  context: RunContext,
): Promise<readonly Leftover[]> {
  const leftovers: Leftover[] = [];
  const constants = records.find(`data/constants/${model}_constants_config.json`);
  if (constants) {
    const bytes = await readRecord(constants, "the list of constants", context);
    for (const name of exportConfigNames(bytes, constants.name))
      leftovers.push({ name, what: "a constant of the program" });
  }
  for (const name of [`data/constants/${model}.pt`, "serialized_constants.pt", "serialized_constants.json"])
    if ((records.find(name)?.size ?? 0) > 0) leftovers.push({ name, what: "constants of the program" });
  for (const name of [`data/sample_inputs/${model}.pt`, "serialized_example_inputs.pt"])
    if ((records.find(name)?.size ?? 0) > 0) leftovers.push({ name, what: "inputs to try the program with" });
  return leftovers;
}

function refuseEmpty({ names, file }: RecordFolder): never {
  if (names.some((name) => name.startsWith("data/aotinductor/"))) {
    throw new ConvertError(
      "unsupported",
      "this is an AOTInductor package: its weights are in compiled code",
      {
        file,
        hint: "convert the checkpoint or the exported program that it was compiled from",
      },
    );
  }
  throw new ConvertError("unsupported", "the torch.export archive holds no weights", { file });
}
