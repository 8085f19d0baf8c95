import { readZipDirectory, type ZipDirectory, type ZipEntry } from "../../../containers/zip/directory.ts";
import { entrySource } from "../../../containers/zip/entry.ts";
import { inflated } from "../../../containers/zip/inflate.ts";
import { type FoundHeader, findLocalHeaders } from "../../../containers/zip/salvage.ts";
import { matchesChecksum } from "../../../core/checksum.ts";
import { type ByteSource, readBytes, section } from "../../../core/source.ts";
import { isZip } from "../signatures.ts";
import { type Scan, scanPickle, scanPickles, startsPickle, unread } from "./scan-pickle.ts";

/** Scans an archive within another one. */
export type ScanArchive = (source: ByteSource, scan: Scan) => Promise<void>;

/** Raw elements, by the names that torch gives them: the bulk of a file, and never unpickled. */
const rawStorage = /(^|\/)(data|constants|tensors|\.data)\/(\d+|[^/]*\.storage)$/;
const pickleName = /\.(pkl|pickle|p|dill|joblib)$/i;
const nativeName = /\.(so|dylib|dll|pyd|o|cubin|a)(\.\d+)*$/i;

/** Every pickle of a zip archive. Where its directory cannot be trusted, everything that looks like an entry is tried. */
export async function scanZip(source: ByteSource, scan: Scan, scanArchive: ScanArchive): Promise<void> {
  const scanned = new Set<number>();
  const before = scan.failure;
  try {
    const directory = await readZipDirectory(source, scan.context);
    noteCode(directory, scan);
    for (const entry of directory.entries) {
      if (rawStorage.test(entry.name)) continue;
      try {
        await scanEntry(source, entry, scan, scanArchive);
        scanned.add(entry.headerOffset);
      } catch (error) {
        unread(scan, error);
      }
    }
  } catch (error) {
    unread(scan, error);
  }
  if (scan.failure !== before) await salvage(source, scan, scanned);
}

async function scanEntry(
  archive: ByteSource,
  entry: ZipEntry,
  scan: Scan,
  scanArchive: ScanArchive,
): Promise<void> {
  if (entry.name.endsWith("/") || entry.bytes === 0) return;
  const record = entrySource(archive, entry, scan.context);
  const head = await readBytes(record, 0, Math.min(4, record.size), scan.context);
  if (isZip(head)) return scanArchive(record, scan);
  if (!pickleName.test(entry.name) && !(await startsPickle(record, 0, scan.context))) return;
  await noteChecksum(record, scan);
  await scanPickles(record, 0, scan);
}

/** A scanner that stops at a wrong checksum is one that a single byte gets past; torch reads on. */
async function noteChecksum(record: ByteSource, scan: Scan): Promise<void> {
  const { context } = scan;
  if (!(await matchesChecksum(record, context))) {
    context.warn({ code: "bad-checksum", message: `${record.name} does not match its checksum` });
  }
}

/** Code that an archive holds by design: named, and not looked at. */
function noteCode({ source, entries }: ZipDirectory, scan: Scan): void {
  const names = entries.map((entry) => entry.name);
  const isScript = names.some((name) => /(^|\/)constants\.pkl$/.test(name));
  scan.isScript ||= isScript;
  const scripts = names.filter((name) => isScript && /^[^/]*\/code\/.*\.py$/.test(name));
  const foreign = names.filter((name) => nativeName.test(name) || /\.pyc?$/.test(name));
  const unseen = foreign.filter((name) => !scripts.includes(name));
  if (scripts.length > 0) {
    scan.context.warn({
      code: "holds-code",
      message: `${source.name} holds TorchScript code (${scripts.length} files), which runs when the model is called; that is what TorchScript is for`,
    });
  }
  if (unseen.length > 0) {
    scan.isOpaque = true;
    scan.context.warn({
      code: "holds-code",
      message: `${source.name} holds Python or native code (${unseen.length} files, such as ${JSON.stringify(unseen[0])}), which is not scanned`,
    });
  }
}

/** What may be a pickle, by the local headers alone. Failures are not told: that the archive is broken is known by now. */
async function salvage(source: ByteSource, scan: Scan, scanned: ReadonlySet<number>): Promise<void> {
  try {
    for await (const header of findLocalHeaders(source, scan.context)) {
      if (scanned.has(header.headerOffset) || header.start >= source.size) continue;
      const record = recordOf(source, header, scan);
      if (record === undefined || rawStorage.test(header.name)) continue;
      const isPickle = await startsPickle(record, 0, scan.context).catch(() => false);
      if (isPickle || pickleName.test(header.name)) await scanPickle(record, 0, scan);
    }
  } catch (error) {
    unread(scan, error);
  }
}

/** The data behind a local header. A pickle knows where it ends, so a stored one needs no size. */
function recordOf(source: ByteSource, header: FoundHeader, scan: Scan): ByteSource | undefined {
  const { name, start, method, packedBytes, bytes } = header;
  const title = `${source.name}#${name}`;
  if (method !== 8) return section(source, start, source.size, title);
  if (packedBytes === 0 || bytes === 0 || start + packedBytes > source.size) return undefined;
  const entry: ZipEntry = { ...header, crc32: 0, boundary: source.size };
  return inflated(source, entry, title, async () => start, scan.context);
}
