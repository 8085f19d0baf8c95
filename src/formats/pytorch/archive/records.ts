import type { ZipDirectory } from "../../../containers/zip/directory.ts";
import { entrySource } from "../../../containers/zip/entry.ts";
import type { RunContext } from "../../../core/context.ts";
import { ConvertError } from "../../../core/errors.ts";
import type { ByteSource } from "../../../core/source.ts";

/** The records of a torch archive, by their name below its one folder. */
export interface RecordFolder {
  readonly file: string;
  /** Names of all records, below the folder, in the order of the directory. */
  readonly names: readonly string[];
  find(record: string): ByteSource | undefined;
}

/** Every record lies below one folder, whose name is that of the first entry's. Throws kind `unsupported` where it is not so. */
export function createRecordFolder(directory: ZipDirectory, context: RunContext): RecordFolder {
  const { source: archive, entries } = directory;
  const first = entries[0]?.name ?? "";
  const prefix = first.slice(0, first.indexOf("/") + 1);
  const outside = entries.find((entry) => !entry.name.startsWith(prefix));
  if (outside) {
    throw new ConvertError(
      "unsupported",
      `this zip is no PyTorch file: ${JSON.stringify(outside.name)} lies outside its folder ${JSON.stringify(prefix)}`,
      { file: archive.name, offset: outside.headerOffset },
    );
  }
  const unchecked = entries.filter((entry) => entry.crc32 === 0 && entry.bytes > 0).length;
  if (unchecked > 0) {
    context.warn({
      code: "no-checksum",
      message: `${unchecked} records were saved without a checksum, so damage in them would go unseen`,
    });
  }
  return {
    file: archive.name,
    get names() {
      return entries.map((entry) => entry.name.slice(prefix.length));
    },
    find(record) {
      const entry = directory.find(prefix + record);
      return entry && entrySource(archive, entry, context);
    },
  };
}
