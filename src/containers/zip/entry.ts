import { encodeUtf8 } from "../../bytes/utf8.ts";
import type { RunContext } from "../../core/context.ts";
import { ConvertError } from "../../core/errors.ts";
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
  let located: Promise<number> | undefined;
  const locate = (request?: ReadRequest): Promise<number> => {
    located ??= findData(archive, entry, request);
    return located;
  };
  const crc32 = entry.crc32 === 0 && entry.bytes > 0 ? undefined : entry.crc32;
  if (entry.method === 8) return { ...inflated(archive, entry, name, locate, context), crc32 };
  return {
    name,
    size: entry.bytes,
    crc32,
    async readInto(target, offset, request) {
      checkRange(name, entry.bytes, offset, target.length);
      const start = await locate(request);
      await archive.readInto(target, start + offset, request);
    },
  };
}

/** Checks the local header against the directory's words and tells where the data start. */
async function findData(
  archive: ByteSource,
  entry: ZipEntry,
  request: ReadRequest | undefined,
): Promise<number> {
  const site = { file: archive.name, offset: entry.headerOffset };
  const roomForName = Math.min(
    localBytes + 0xffff,
    entry.boundary - entry.headerOffset,
    localBytes + 4 * entry.name.length,
  );
  const header = await readBytes(archive, entry.headerOffset, entry.headerOffset + roomForName, request);
  const view = new DataView(header.buffer);
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
  const expected = encodeUtf8(name);
  if (bytes.length === expected.length && bytes.every((byte, index) => byte === expected[index])) return true;
  // A name that is not UTF-8 was shown as Latin-1.
  return bytes.length === name.length && bytes.every((byte, index) => byte === name.charCodeAt(index));
}
