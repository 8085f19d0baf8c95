import { readUint64 } from "../../bytes/size.ts";
import { decodeUtf8 } from "../../bytes/utf8.ts";
import type { RunContext } from "../../core/context.ts";
import { ConvertError } from "../../core/errors.ts";
import { checkLimit } from "../../core/limits.ts";
import { type ByteSource, readBytes } from "../../core/source.ts";
import { findEnd } from "./end-record.ts";

/** One member of a zip, as the central directory has it; the local header is looked at when it is opened. */
export interface ZipEntry {
  readonly name: string;
  readonly flags: number;
  /** 0 stored, 8 deflated; others are refused. */
  readonly method: number;
  /** CRC-32 of the unpacked bytes; writers that skip it leave 0. */
  readonly crc32: number;
  readonly packedBytes: number;
  readonly bytes: number;
  /** Where the local header starts in the file. */
  readonly headerOffset: number;
  /** Where the next entry or the directory starts: header, name, extra and data all lie before. */
  readonly boundary: number;
}

/** The directory of a zip: its entries in directory order. */
export interface ZipDirectory {
  readonly source: ByteSource;
  readonly entries: readonly ZipEntry[];
  /** The entry of exactly this name. */
  find(name: string): ZipEntry | undefined;
}

const centralSignature = 0x02014b50;
const centralBytes = 46;
const localBytes = 30;

/**
 * Reads a zip's central directory (PKWARE APPNOTE 4.3, with zip64). Refuses what two zip readers could understand
 * in two ways: names that repeat (letter case aside), entries that overlap, counts that disagree.
 */
export async function readZipDirectory(source: ByteSource, context: RunContext): Promise<ZipDirectory> {
  const end = await findEnd(source, context);
  const site = { file: source.name, offset: end.directoryStart };
  checkLimit(context.limits, "headerBytes", end.directoryBytes, "the zip directory's size", site);
  checkLimit(context.limits, "entries", end.entryCount, "the number of zip entries", site);
  const bytes = await readBytes(source, end.directoryStart, end.directoryStart + end.directoryBytes, context);
  const entries = parseDirectory(bytes, end.entryCount, source.name, end.directoryStart);
  if (entries.length !== end.entryCount) {
    throw new ConvertError(
      "malformed",
      `the zip directory has ${entries.length} entries, but its end record counts ${end.entryCount}`,
      site,
    );
  }
  const byName = indexNames(entries, source.name);
  setBoundaries(entries, source.name, end.directoryStart);
  return {
    source,
    entries,
    find(name) {
      // Most names are in lower case already.
      const entry = byName.get(name) ?? byName.get(name.toLowerCase());
      return entry?.name === name ? entry : undefined;
    },
  };
}

/** An entry whose boundary is not known yet. */
type ListedEntry = { -readonly [K in keyof ZipEntry]: ZipEntry[K] };

function parseDirectory(bytes: Uint8Array, count: number, file: string, base: number): ListedEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: ListedEntry[] = [];
  let at = 0;
  while (at < bytes.length && entries.length <= count) {
    const site = { file, offset: base + at };
    if (at + centralBytes > bytes.length || view.getUint32(at, true) !== centralSignature) {
      throw new ConvertError("malformed", `entry ${entries.length} of the zip directory is broken`, site);
    }
    const nameEnd = at + centralBytes + view.getUint16(at + 28, true);
    const extraEnd = nameEnd + view.getUint16(at + 30, true);
    const next = extraEnd + view.getUint16(at + 32, true);
    if (next > bytes.length) {
      throw new ConvertError(
        "malformed",
        `entry ${entries.length} of the zip directory runs past its end`,
        site,
      );
    }
    const name = decodeName(bytes.subarray(at + centralBytes, nameEnd));
    const sizes = readSizes(view, at, nameEnd, extraEnd, name, site);
    const entry: ListedEntry = {
      name,
      flags: view.getUint16(at + 8, true),
      method: view.getUint16(at + 10, true),
      crc32: view.getUint32(at + 16, true),
      packedBytes: sizes.packedBytes,
      bytes: sizes.bytes,
      headerOffset: sizes.headerOffset,
      boundary: 0,
    };
    checkEntry(entry, site);
    entries.push(entry);
    at = next;
  }
  return entries;
}

interface EntrySizes {
  readonly packedBytes: number;
  readonly bytes: number;
  readonly headerOffset: number;
}

/** Sizes and offset; a field that is all ones stands in the zip64 extra block, in this order (APPNOTE 4.5.3). */
function readSizes(
  view: DataView,
  at: number,
  extraStart: number,
  extraEnd: number,
  name: string,
  site: { file: string; offset: number },
): EntrySizes {
  const zip64 = findExtra(view, extraStart, extraEnd, 0x0001);
  let field = zip64?.start ?? 0;
  function wide(short: number): number {
    if (short !== 0xffffffff) return short;
    const value = zip64 && field + 8 <= zip64.end ? readUint64(view, field) : undefined;
    field += 8;
    if (value === undefined) {
      throw new ConvertError("malformed", `zip entry "${name}" has no usable 64-bit size`, site);
    }
    return value;
  }
  const bytes = wide(view.getUint32(at + 24, true));
  const packedBytes = wide(view.getUint32(at + 20, true));
  const headerOffset = wide(view.getUint32(at + 42, true));
  return { bytes, packedBytes, headerOffset };
}

function findExtra(
  view: DataView,
  start: number,
  end: number,
  id: number,
): { start: number; end: number } | undefined {
  let at = start;
  while (at + 4 <= end) {
    const blockEnd = at + 4 + view.getUint16(at + 2, true);
    if (blockEnd > end) return undefined;
    if (view.getUint16(at, true) === id) return { start: at + 4, end: blockEnd };
    at = blockEnd;
  }
  return undefined;
}

/** Names are UTF-8 where a writer is modern; other bytes are shown as Latin-1, which keeps names apart. */
function decodeName(bytes: Uint8Array): string {
  return decodeUtf8(bytes) ?? Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

function checkEntry(entry: ListedEntry, site: { file: string; offset: number }): void {
  // Bit 0 encryption, bit 6 strong encryption, bit 13 masked headers: APPNOTE 4.4.4.
  if ((entry.flags & 0x2041) !== 0) {
    throw new ConvertError("unsupported", `zip entry "${entry.name}" is encrypted`, {
      ...site,
      hint: "decrypt the archive first",
    });
  }
  if (entry.method !== 0 && entry.method !== 8) {
    throw new ConvertError("unsupported", `zip entry "${entry.name}" is packed by method ${entry.method}`, {
      ...site,
      hint: "only stored and deflated entries are read; pack the archive again",
    });
  }
  if (entry.method === 0 && entry.packedBytes !== entry.bytes) {
    throw new ConvertError(
      "malformed",
      `zip entry "${entry.name}" is stored, but has sizes ${entry.packedBytes} and ${entry.bytes}`,
      site,
    );
  }
}

/** Entries by their names in lower case: torch looks records up without regard to case, other readers do not. */
function indexNames(entries: readonly ListedEntry[], file: string): ReadonlyMap<string, ZipEntry> {
  const byName = new Map<string, ZipEntry>();
  for (const entry of entries) byName.set(entry.name.toLowerCase(), entry);
  if (byName.size === entries.length) return byName;
  const twice = entries.find((entry) => byName.get(entry.name.toLowerCase()) !== entry);
  throw new ConvertError("malformed", `the zip has two entries named "${twice?.name}"`, {
    file,
    hint: "readers disagree about which one counts, so none is read",
  });
}

/** Notes where each entry has to end: at the next one in the file, or at the directory. */
function setBoundaries(entries: readonly ListedEntry[], file: string, directoryStart: number): void {
  const ordered = [...entries].sort((a, b) => a.headerOffset - b.headerOffset);
  for (const [index, entry] of ordered.entries()) {
    entry.boundary = ordered[index + 1]?.headerOffset ?? directoryStart;
    // The name's bytes may outnumber its characters; the local header tells when the entry is opened.
    if (entry.headerOffset + localBytes + entry.name.length + entry.packedBytes > entry.boundary) {
      throw new ConvertError("malformed", `zip entry "${entry.name}" overlaps what follows it`, {
        file,
        offset: entry.headerOffset,
      });
    }
  }
}
