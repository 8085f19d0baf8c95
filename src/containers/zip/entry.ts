import { encodeUtf8 } from "../../bytes/utf8.ts";
import type { RunContext } from "../../core/context.ts";
import { worthCopying } from "../../core/copier.ts";
import { ConvertError } from "../../core/errors.ts";
import type { Scratch } from "../../core/scratch.ts";
import { type ByteSource, checkRange, type ReadRequest, readBytes } from "../../core/source.ts";
import type { ZipEntry } from "./directory.ts";
import { inflated } from "./inflate.ts";

const localSignature = 0x04034b50;
const localBytes = 30;

/**
 * The unpacked bytes of an entry. Its local header is read and compared with the directory at the first read, so
 * that listing an archive of many entries, perhaps far away, costs nothing. Throws kind `malformed` where they differ.
 */
export function entrySource(archive: ByteSource, entry: ZipEntry, context: RunContext): ByteSource {
  const name = `${archive.name}#${entry.name}`;
  const crc32 = entry.crc32 === 0 && entry.bytes > 0 ? undefined : entry.crc32;
  return entry.method === 8
    ? deflatedEntry(archive, entry, name, crc32, context)
    : storedEntry(archive, entry, name, crc32);
}

function deflatedEntry(
  archive: ByteSource,
  entry: ZipEntry,
  name: string,
  crc32: number | undefined,
  context: RunContext,
): ByteSource {
  let located: Promise<number> | undefined;
  const locate = (request?: ReadRequest): Promise<number> => {
    located ??= findData(archive, entry, request);
    return located;
  };
  return { ...inflated(archive, entry, name, locate, context), crc32 };
}

/** A checkpoint may have a hundred thousand of them, so each is one object and one function. */
function storedEntry(
  archive: ByteSource,
  entry: ZipEntry,
  name: string,
  crc32: number | undefined,
): ByteSource {
  let located: Promise<number> | undefined;
  const { place } = archive;
  return {
    name,
    size: entry.bytes,
    crc32,
    async readInto(target, offset, request) {
      checkRange(name, entry.bytes, offset, target.length);
      const isWhole = target.length === entry.bytes && located === undefined;
      if (isWhole && request?.scratch && entry.boundary - entry.headerOffset <= smallEntryBytes)
        return readSmall(archive, entry, target, { ...request, scratch: request.scratch });
      located ??= findData(archive, entry, request);
      const start = await located;
      await archive.readInto(target, start + offset, request);
    },
    place:
      place && entry.bytes >= worthCopying
        ? async (offset, request) => {
            located ??= findData(archive, entry, request);
            return place((await located) + offset, request);
          }
        : undefined,
  };
}

/** Header and contents of an entry up to this size are read at once; a checkpoint may have a hundred thousand of them. */
const smallEntryBytes = 16 * 1024;

function readSmall(
  archive: ByteSource,
  entry: ZipEntry,
  target: Uint8Array,
  request: ReadRequest & { scratch: Scratch },
): Promise<void> {
  return request.scratch.lend(entry.boundary - entry.headerOffset, async (bytes) => {
    await archive.readInto(bytes, entry.headerOffset, request);
    const start = dataStart(bytes, archive, entry) - entry.headerOffset;
    target.set(bytes.subarray(start, start + target.length));
  });
}

/** Checks the local header against the directory's words and tells where the data start. */
async function findData(
  archive: ByteSource,
  entry: ZipEntry,
  request: ReadRequest | undefined,
): Promise<number> {
  const roomForName = Math.min(
    localBytes + 0xffff,
    entry.boundary - entry.headerOffset,
    localBytes + 4 * entry.name.length,
  );
  const header = await readBytes(archive, entry.headerOffset, entry.headerOffset + roomForName, request);
  return dataStart(header, archive, entry);
}

/** Where the data start, by a local header that lies at the start of `header`. */
function dataStart(header: Uint8Array, archive: ByteSource, entry: ZipEntry): number {
  const site = { file: archive.name, offset: entry.headerOffset };
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  if (view.getUint32(0, true) !== localSignature) {
    throw new ConvertError("malformed", `there is no zip entry where "${entry.name}" should start`, site);
  }
  const nameEnd = localBytes + view.getUint16(26, true);
  const start = entry.headerOffset + nameEnd + view.getUint16(28, true);
  if (nameEnd > header.length || !sameName(header.subarray(localBytes, nameEnd), entry.name)) {
    throw new ConvertError("malformed", `zip entry "${entry.name}" has another name in its own header`, site);
  }
  if (view.getUint16(8, true) !== entry.method || (view.getUint16(6, true) & 0x2041) !== 0) {
    throw new ConvertError(
      "malformed",
      `zip entry "${entry.name}" is packed otherwise than the directory says`,
      site,
    );
  }
  if (start + entry.packedBytes > entry.boundary) {
    throw new ConvertError("malformed", `zip entry "${entry.name}" overlaps what follows it`, site);
  }
  return start;
}

function sameName(bytes: Uint8Array, name: string): boolean {
  // ASCII, or a name that is not UTF-8 and was shown as Latin-1.
  if (bytes.length === name.length && bytes.every((byte, index) => byte === name.charCodeAt(index)))
    return true;
  const expected = encodeUtf8(name);
  return bytes.length === expected.length && bytes.every((byte, index) => byte === expected[index]);
}
