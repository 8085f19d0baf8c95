import { isKind, type PickleValue } from "../../../containers/pickle/values.ts";
import type { RunContext } from "../../../core/context.ts";
import type { ScriptArchive } from "../../../core/script-archive.ts";
import type { ByteSource } from "../../../core/source.ts";
import { readArchivePickle } from "../archive/archive-pickle.ts";
import { readRecord } from "../archive/checked-record.ts";
import type { RecordFolder } from "../archive/records.ts";
import { openTensor } from "../tensors/open-tensor.ts";
import { openValue } from "../tensors/open-value.ts";
import { asTensor } from "../values/torch-values.ts";
import { createCodeReader } from "./code-reader.ts";
import { scriptCall } from "./script-calls.ts";

/** What a compiler needs of an archive whose pickles have been read. */
export function scriptArchive(
  records: RecordFolder,
  version: number,
  object: PickleValue,
  constants: PickleValue,
  context: RunContext,
): ScriptArchive<PickleValue> {
  // What is to be said about a tensor has been said where the state dict was read.
  const quiet: RunContext = { ...context, warn: () => undefined };
  return {
    file: records.file,
    version,
    object,
    constants,
    sources: () => readSources(records, context),
    exampleInputs: () => readWithoutData("traced_inputs.pkl", records, context),
    sourceRanges: (file) => readWithoutData(`${file}.debug_pkl`, records, context),
    openTensor(value, name) {
      const tensor = isKind(value, "host") ? asTensor(value) : undefined;
      if (tensor === undefined) return undefined;
      if (tensor.quantizer !== undefined) return openValue(name, value, records.file, quiet)[0]?.[1];
      return openTensor(name, tensor, records.file, quiet);
    },
  };
}

async function readSources(records: RecordFolder, context: RunContext): Promise<ReadonlyMap<string, string>> {
  const sources = new Map<string, string>();
  const readCode = createCodeReader(records, context);
  for (const name of records.names) {
    if (!name.startsWith("code/") || !name.endsWith(".py")) continue;
    const text = await readCode(name);
    if (text !== undefined) sources.set(name, text);
  }
  return sources;
}

/**
 * A pickle beside the model's own, if the archive has it. Since torch 2.0 a traced archive keeps the dtypes and shapes of
 * its example inputs, and not their data.
 */
async function readWithoutData(
  name: string,
  records: RecordFolder,
  context: RunContext,
): Promise<PickleValue | undefined> {
  const pickle = records.find(name);
  if (pickle === undefined) return undefined;
  const withoutData: RecordFolder = { ...records, find: () => undefined };
  const storages = {
    records: withoutData,
    nameOf: (key: string) => key,
    order: "little",
    call: scriptCall,
  } as const;
  const { value } = await readArchivePickle(pickle, { ...storages, absent: emptySource }, context);
  return value;
}

/** Stands for a storage that was never written: it has a size, and nobody asks for its bytes. */
function emptySource(name: string, bytes: number): ByteSource {
  return { name, size: bytes, readInto: async (target) => void target.fill(0) };
}

/** The version of operators that an archive says it needs; 3, which most say, where it says nothing legible. */
export async function readScriptVersion(records: RecordFolder, context: RunContext): Promise<number> {
  const record = records.find("version") ?? records.find(".data/version");
  if (record === undefined || record.size > 16) return 3;
  const text = String.fromCharCode(...(await readRecord(record, "the version", context))).trim();
  return /^\d{1,4}$/.test(text) ? Number(text) : 3;
}
