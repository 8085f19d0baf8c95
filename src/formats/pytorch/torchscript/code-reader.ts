import { decodeUtf8 } from "../../../bytes/utf8.ts";
import type { RunContext } from "../../../core/context.ts";
import { ConvertError } from "../../../core/errors.ts";
import { checkLimit } from "../../../core/limits.ts";
import { readRecord } from "../archive/checked-record.ts";
import type { RecordFolder } from "../archive/records.ts";

/**
 * Reads files of an archive's code as text; `undefined` for one that is not there. All that one reader reads counts against
 * the limit `headerBytes`. Throws kind `malformed` where a file is no UTF-8.
 */
export function createCodeReader(
  records: RecordFolder,
  context: RunContext,
): (name: string) => Promise<string | undefined> {
  let bytes = 0;
  return async (name) => {
    const record = records.find(name);
    if (record === undefined) return undefined;
    bytes += record.size;
    checkLimit(context.limits, "headerBytes", bytes, "the size of the archive's code", {
      file: records.file,
    });
    const text = decodeUtf8(await readRecord(record, "the code", context));
    if (text !== undefined) return text;
    throw new ConvertError("malformed", "the code of a TorchScript class is no text", { file: record.name });
  };
}
