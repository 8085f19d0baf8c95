import type { ZipEntry } from "../../containers/zip/directory.ts";
import { entrySource } from "../../containers/zip/entry.ts";
import type { RunContext } from "../../core/context.ts";
import { ConvertError } from "../../core/errors.ts";
import type { ByteSource } from "../../core/source.ts";

/** The records of a torch archive, by their name below its one folder. */
export interface RecordFolder {
  readonly file: string;
  find(record: string): ByteSource | undefined;
}

/** Every record lies below one folder, whose name is that of the first entry's. Throws kind `unsupported` where it is not so. */
export function createRecordFolder(
  archive: ByteSource,
  entries: readonly ZipEntry[],
  context: RunContext,
): RecordFolder {
  const first = entries[0]?.name ?? "";
  const prefix = first.slice(0, first.indexOf("/") + 1);
  const records = new Map<string, ZipEntry>();
  let unchecked = 0;
  for (const entry of entries) {
    if (!entry.name.startsWith(prefix)) {
      throw new ConvertError(
        "unsupported",
        `this zip is no PyTorch file: ${JSON.stringify(entry.name)} lies outside its folder ${JSON.stringify(prefix)}`,
        { file: archive.name, offset: entry.headerOffset },
      );
    }
    if (entry.crc32 === 0 && entry.bytes > 0) unchecked++;
    records.set(entry.name.slice(prefix.length), entry);
  }
  if (unchecked > 0) {
    context.warn({
      code: "no-checksum",
      message: `${unchecked} records were saved without a checksum, so damage in them would go unseen`,
    });
  }
  return {
    file: archive.name,
    find(record) {
      const entry = records.get(record);
      return entry && entrySource(archive, entry, context);
    },
  };
}
