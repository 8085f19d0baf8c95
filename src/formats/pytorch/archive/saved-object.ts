import type { PickleValue } from "../../../containers/pickle/values.ts";
import { readZipDirectory } from "../../../containers/zip/directory.ts";
import type { RunContext } from "../../../core/context.ts";
import { ConvertError } from "../../../core/errors.ts";
import type { ByteSource } from "../../../core/source.ts";
import { readArchivePickle, readByteOrder } from "./archive-pickle.ts";
import { createRecordFolder, type RecordFolder } from "./records.ts";

/** The object of an archive of `torch.save` that is part of something else. Throws kind `malformed` for any other bytes. */
export async function readSavedZip(source: ByteSource, context: RunContext): Promise<PickleValue> {
  const records = createRecordFolder(await readZipDirectory(source, context), context);
  const pickle = records.find("data.pkl");
  if (pickle) return readObject(pickle, records, context);
  throw new ConvertError("malformed", "the archive within has no data.pkl", { file: source.name });
}

/** The object that `torch.save` pickled into the record `pickle` of an archive. */
export async function readObject(
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
