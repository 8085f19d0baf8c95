import { readUint64 } from "../../bytes/size.ts";
import type { RunContext } from "../../core/context.ts";
import { ConvertError } from "../../core/errors.ts";
import { type ByteSource, readBytes } from "../../core/source.ts";

/** Where a zip's central directory lies. */
export interface ZipEnd {
  readonly directoryStart: number;
  readonly directoryBytes: number;
  readonly entryCount: number;
}

const endSignature = 0x06054b50;
const endBytes = 22;
const locatorSignature = 0x07064b50;
const locatorBytes = 20;
const end64Signature = 0x06064b50;
const end64Bytes = 56;

/** Finds and checks the end records (APPNOTE 4.3.14 to 4.3.16). A file without them is cut short, or no zip at all. */
export async function findEnd(source: ByteSource, context: RunContext): Promise<ZipEnd> {
  const tailStart = Math.max(0, source.size - (endBytes + 0xffff));
  const tail = await readBytes(source, tailStart, source.size, context);
  const view = new DataView(tail.buffer, tail.byteOffset, tail.byteLength);
  const at = lastEndRecord(view);
  if (at === undefined) {
    throw new ConvertError("malformed", "the zip archive has no end record", {
      file: source.name,
      offset: source.size,
      hint: "the file is cut short; download or save it again",
    });
  }
  const recordOffset = tailStart + at;
  const after = source.size - (recordOffset + endBytes + view.getUint16(at + 20, true));
  if (after > 0) {
    context.warn({ code: "trailing-bytes", message: `${after} bytes follow the end of the zip archive` });
  }
  const short: ZipEnd = {
    entryCount: view.getUint16(at + 10, true),
    directoryBytes: view.getUint32(at + 12, true),
    directoryStart: view.getUint32(at + 16, true),
  };
  if (view.getUint16(at + 4, true) !== 0 || view.getUint16(at + 6, true) !== 0) {
    throw new ConvertError("unsupported", "the zip archive is split over several disks", {
      file: source.name,
    });
  }
  const located = await readZip64(source, recordOffset, short, context);
  const limit = located?.recordOffset ?? recordOffset;
  const end = located?.end ?? short;
  // Bytes before the directory are counted from the file's start; anything else means a prefix or a forged record.
  if (end.directoryStart + end.directoryBytes !== limit) {
    throw new ConvertError(
      "malformed",
      `the zip directory is said to end at byte ${end.directoryStart + end.directoryBytes}, but its end record starts at ${limit}`,
      {
        file: source.name,
        offset: recordOffset,
        hint: "the file is damaged, or has bytes before the archive",
      },
    );
  }
  return end;
}

/** The last signature whose record, comment included, lies within the file. */
function lastEndRecord(view: DataView): number | undefined {
  for (let at = view.byteLength - endBytes; at >= 0; at--) {
    if (
      view.getUint32(at, true) === endSignature &&
      at + endBytes + view.getUint16(at + 20, true) <= view.byteLength
    ) {
      return at;
    }
  }
  return undefined;
}

async function readZip64(
  source: ByteSource,
  recordOffset: number,
  short: ZipEnd,
  context: RunContext,
): Promise<{ end: ZipEnd; recordOffset: number } | undefined> {
  const locatorOffset = recordOffset - locatorBytes;
  if (locatorOffset < end64Bytes) return undefined;
  const locator = new DataView((await readBytes(source, locatorOffset, recordOffset, context)).buffer);
  if (locator.getUint32(0, true) !== locatorSignature) return undefined;
  const site = { file: source.name, offset: locatorOffset };
  const offset = readUint64(locator, 8);
  if (offset === undefined || offset + end64Bytes > locatorOffset) {
    throw new ConvertError("malformed", "the zip64 locator points outside the file", site);
  }
  const record = new DataView((await readBytes(source, offset, offset + end64Bytes, context)).buffer);
  if (record.getUint32(0, true) !== end64Signature) {
    throw new ConvertError("malformed", "the zip64 locator points at something else", site);
  }
  const entryCount = readUint64(record, 32);
  const directoryBytes = readUint64(record, 40);
  const directoryStart = readUint64(record, 48);
  if (entryCount === undefined || directoryBytes === undefined || directoryStart === undefined) {
    throw new ConvertError("malformed", "the zip64 end record holds impossible numbers", site);
  }
  const agrees =
    agree(short.entryCount, entryCount, 0xffff) &&
    agree(short.directoryBytes, directoryBytes, 0xffffffff) &&
    agree(short.directoryStart, directoryStart, 0xffffffff);
  if (!agrees) {
    throw new ConvertError("malformed", "the two end records of the zip archive contradict each other", {
      ...site,
      hint: "readers disagree about which one counts, so none is read",
    });
  }
  return { end: { entryCount, directoryBytes, directoryStart }, recordOffset: offset };
}

/** A short field either tells the same or is all ones, which means "see zip64". */
function agree(short: number, wide: number, saturated: number): boolean {
  return short === wide || short === saturated;
}
