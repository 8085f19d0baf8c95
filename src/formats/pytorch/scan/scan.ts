import type { ReadPickle } from "../../../containers/pickle/read.ts";
import { isKind, type PickleValue } from "../../../containers/pickle/values.ts";
import { readTarArchive } from "../../../containers/tar/archive.ts";
import type { Notice } from "../../../core/context.ts";
import { ConvertError, isConvertError } from "../../../core/errors.ts";
import type { FormatScanner } from "../../../core/format.ts";
import { type ByteSource, readBytes } from "../../../core/source.ts";
import { worse, worstOf } from "../../../core/verdict.ts";
import { readStorages, readTensors, type TarObjects } from "../legacy/read-tar.ts";
import { isLegacy, isTar, isZip } from "../signatures.ts";
import { parseStorageId } from "../values/storage-table.ts";
import { createScan, type Scan, scanPickle, scanPickles, startsPickle, unread } from "./scan-pickle.ts";
import { scanZip } from "./scan-zip.ts";
import { judge } from "./verdicts.ts";

/** Zip archives may lie within each other: the sample inputs of exported programs do. */
const maxDepth = 4;

/** Goes through every pickle of a file: zip, legacy stream, tar, or bare, whatever its name. Nothing in them is run. */
export const scanner: FormatScanner = {
  async scan(source, context) {
    const notices: Notice[] = [];
    const begin = () => {
      notices.length = 0;
      return createScan({ ...context, warn: (notice) => void notices.push(notice) });
    };
    const head = await readBytes(source, 0, Math.min(source.size, 512), context);
    const scan = begin();
    const found = (await scanKnown(source, head, scan)) ? scan : await scanUnknown(source, head, begin);
    if (found === undefined) return undefined;
    for (const notice of notices) context.warn(notice);
    const globals = judge(found.globals, found);
    const floor = found.failure === undefined && !found.isOpaque ? "clean" : "unknown";
    return { verdict: worse(worstOf(globals), floor), globals, failure: found.failure };
  },
};

/** A bare pickle, or an archive behind something else: some readers look for one from the end of a file. */
async function scanUnknown(
  source: ByteSource,
  head: Uint8Array,
  begin: () => Scan,
): Promise<Scan | undefined> {
  const bare = begin();
  await scanPickles(source, 0, bare);
  const found = isBarePickle(head, bare) ? bare : begin();
  const before = found.pickles;
  const { context } = found;
  const tail = await readBytes(source, Math.max(0, source.size - 65_557), source.size, context);
  if (hasZipEnd(tail)) await scanZip(source, found, scanArchive);
  return found === bare || found.pickles > before ? found : undefined;
}

/** Scans a file whose first bytes say what it is. */
async function scanKnown(source: ByteSource, head: Uint8Array, scan: Scan): Promise<boolean> {
  if (isLegacy(head)) await scanLegacy(source, scan);
  else if (isZip(head)) await scanZip(source, scan, scanArchive);
  else if (isTar(head) || hasTarChecksum(head)) await scanTar(source, scan);
  else return false;
  return true;
}

async function scanArchive(source: ByteSource, scan: Scan): Promise<void> {
  if (scan.depth >= maxDepth) {
    unread(scan, new ConvertError("limit", "archives lie within archives too deep", { file: source.name }));
    return;
  }
  scan.depth++;
  await scanZip(source, scan, scanArchive);
  scan.depth--;
}

/**
 * Whether a file that nothing but its opcodes mark as a pickle is one. Text may look like it for a while, so a pickle has to
 * end, or to have named something in binary form, or to have called something.
 */
function isBarePickle(head: Uint8Array, scan: Scan): boolean {
  const uses = judge(scan.globals, scan);
  const { failure } = scan;
  if (head[0] !== 0x80 || (head[1] as number) > 5) {
    if (failure === undefined) return uses.length > 0;
    return uses.some(({ calls, verdict }) => calls > 0 || verdict === "dangerous");
  }
  // A number may look like PROTO, but what follows it is no opcode.
  return failure === undefined || uses.length > 0 || (failure.site.offset ?? 0) > 3;
}

/** Five pickles, then raw storages behind their counts; whatever follows those might be loaded by a second call. */
async function scanLegacy(source: ByteSource, scan: Scan): Promise<void> {
  const sizes = new Map<string, number>();
  let at = 0;
  let last: ReadPickle | undefined;
  for (let count = 0; count < 5; count++) {
    last = await scanPickle(source, at, scan, (id) => noteSize(id, sizes));
    if (last === undefined) return;
    at = last.end;
  }
  for (const key of isKind(last?.value, "list") ? last.value.items : [])
    at += 8 + (sizes.get(String(key)) ?? Number.POSITIVE_INFINITY);
  if (at >= source.size) return;
  scan.context.warn({
    code: "trailing-bytes",
    message: `${source.name}: ${source.size - at} bytes follow the last storage`,
  });
  if (await startsPickle(source, at, scan.context)) await scanPickles(source, at, scan);
}

function noteSize(id: PickleValue, sizes: Map<string, number>): void {
  try {
    const { key, bytes } = parseStorageId(id, 6, {});
    sizes.set(key, bytes);
  } catch (error) {
    // Ids of modules have no size.
    if (!isConvertError(error)) throw error;
  }
}

/** The object, and two members in which pickles and raw bytes take turns. */
async function scanTar(source: ByteSource, scan: Scan): Promise<void> {
  const members = new Map<string, ByteSource>();
  await readTarArchive(source, scan.context, members).catch((error) => unread(scan, error));
  const context = { ...scan.context, globals: scan.globals };
  const objects: TarObjects = new Map();
  for (const [name, read] of [
    ["storages", readStorages],
    ["tensors", readTensors],
  ] as const) {
    const member = members.get(name);
    if (member === undefined) continue;
    scan.pickles++;
    await read(member, objects, context).catch((error) => unread(scan, error));
    members.delete(name);
  }
  for (const [name, member] of members) {
    const isObject = name === "pickle" || name === "sys_info";
    if (isObject || (await startsPickle(member, 0, scan.context))) await scanPickles(member, 0, scan);
  }
}

/** Python reads tars that lack the word "ustar"; their checksum tells them apart. */
function hasTarChecksum(head: Uint8Array): boolean {
  if (head.length < 512) return false;
  const digits = String.fromCharCode(...head.subarray(148, 156)).replace(/[\0 ]+$/, "");
  let sum = 8 * 0x20;
  for (const [index, byte] of head.entries()) if (index < 148 || index >= 156) sum += byte;
  return /^ *[0-7]+$/.test(digits) && Number.parseInt(digits, 8) === sum;
}

/** APPNOTE 4.3.16: "PK\x05\x06". */
function hasZipEnd(tail: Uint8Array): boolean {
  for (let at = tail.indexOf(0x50); at >= 0; at = tail.indexOf(0x50, at + 1))
    if (tail[at + 1] === 0x4b && tail[at + 2] === 5 && tail[at + 3] === 6) return true;
  return false;
}
