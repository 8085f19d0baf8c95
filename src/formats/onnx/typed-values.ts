import type { WireRun } from "../../containers/protobuf/repeated.ts";
import { ConvertError, type ErrorSite } from "../../core/errors.ts";
import { type ByteSource, checkRange, type ReadRequest } from "../../core/source.ts";
import { borrow } from "./borrow.ts";

/**
 * Numbers of four or eight bytes in `float_data` or `double_data`, as bare bytes. `size` is what they have to come to;
 * throws kind `malformed` where the runs hold another number of bytes.
 */
export function fixedValues(
  file: ByteSource,
  runs: readonly WireRun[],
  itemBytes: 4 | 8,
  size: number,
  site: ErrorSite,
): ByteSource {
  let at = 0;
  const parts = runs.map((run) => {
    const step = itemBytes + run.tagBytes;
    const items = (run.end - run.start) / step;
    if (!Number.isInteger(items))
      throw new ConvertError("malformed", `"${site.tensor}" ends within a number`, site);
    const part = { ...run, first: at, past: at + items * itemBytes, step };
    at = part.past;
    return part;
  });
  refuseCount(at / itemBytes, size / itemBytes, site);
  const name = `${file.name}#${site.tensor}`;
  return {
    name,
    size,
    granule: itemBytes,
    async readInto(target, offset, request) {
      checkRange(name, size, offset, target.length);
      const end = offset + target.length;
      for (const { start, first, past, step, tagBytes } of parts) {
        const from = Math.max(first, offset);
        const to = Math.min(past, end);
        if (to <= from) continue;
        const piece = target.subarray(from - offset, to - offset);
        if (tagBytes === 0) await file.readInto(piece, start + from - first, request);
        else
          await readTagged(
            file,
            start + ((from - first) / itemBytes) * step,
            step,
            itemBytes,
            piece,
            request,
          );
      }
    },
  };
}

/** Numbers with a tag in front of each, through borrowed memory. */
async function readTagged(
  file: ByteSource,
  start: number,
  step: number,
  itemBytes: number,
  target: Uint8Array,
  request: ReadRequest = {},
): Promise<void> {
  const perWindow = Math.floor(windowBytes / step);
  await borrow(request, perWindow * step, async (window) => {
    const items = target.length / itemBytes;
    for (let done = 0; done < items; done += perWindow) {
      const count = Math.min(perWindow, items - done);
      const bytes = window.subarray(0, count * step);
      await file.readInto(bytes, start + done * step, request);
      for (let item = 0; item < count; item++) {
        const from = item * step + step - itemBytes;
        target.set(bytes.subarray(from, from + itemBytes), (done + item) * itemBytes);
      }
    }
  });
}

/** After so many numbers the place of one is kept, so that reads can begin there. */
const markEvery = 32_768;
const windowBytes = 64 * 1024;

/** A place between two numbers. */
interface Mark {
  readonly run: number;
  readonly at: number;
}

/**
 * Numbers as varints, each cut to its lowest `itemBytes` bytes (FORMAT.md, "Homes"): some writers extend the sign and
 * some do not. Throws kind `malformed` where there cannot be `count` of them, and while reading where there are not.
 */
export function varintValues(
  file: ByteSource,
  runs: readonly WireRun[],
  itemBytes: number,
  count: number,
  site: ErrorSite,
): ByteSource {
  const bytes = runs.reduce((sum, { start, end }) => sum + end - start, 0);
  const longest = runs.reduce((most, { tagBytes }) => Math.max(most, tagBytes), 0) + 10;
  if (bytes < count || bytes > count * longest) refuseCount(undefined, count, site);
  const name = `${file.name}#${site.tensor}`;
  const size = count * itemBytes;
  const marks: Mark[] = [{ run: 0, at: runs[0]?.start ?? 0 }];
  return {
    name,
    size,
    granule: itemBytes,
    preferredBytes: markEvery * itemBytes,
    async readInto(target, offset, request = {}) {
      checkRange(name, size, offset, target.length);
      if (target.length === 0) return;
      const first = offset / itemBytes;
      const past = first + target.length / itemBytes;
      const known = Math.min(Math.floor(first / markEvery), marks.length - 1);
      await borrow(request, windowBytes, (window) =>
        scan({ file, runs, window, request, site }, marks[known] as Mark, known * markEvery, past, {
          item(index, low, high) {
            if (index >= first) putWord(target, (index - first) * itemBytes, itemBytes, low, high);
          },
          reach(index, mark) {
            if (index === marks.length * markEvery) marks.push(mark);
            if (index === count && !isEnd(runs, mark)) refuseCount(undefined, count, site);
          },
        }),
      );
    },
  };
}

function isEnd(runs: readonly WireRun[], { run, at }: Mark): boolean {
  return run >= runs.length || (run === runs.length - 1 && at === runs[run]?.end);
}

function refuseCount(found: number | undefined, wanted: number, site: ErrorSite): void {
  if (found === wanted) return;
  const held = found === undefined ? "another number of values" : `${found} values`;
  throw new ConvertError(
    "malformed",
    `"${site.tensor}" holds ${held}, but its shape asks for ${wanted}`,
    site,
  );
}

interface Scan {
  readonly file: ByteSource;
  readonly runs: readonly WireRun[];
  readonly window: Uint8Array;
  readonly request: ReadRequest;
  readonly site: ErrorSite;
}

interface Seen {
  /** A number, by its position. */
  item(index: number, low: number, high: number): void;
  /** The place in front of a number, or behind the last one. */
  reach(index: number, mark: Mark): void;
}

/** Goes over numbers from `index` at `mark` up to `past`. */
async function scan(scan: Scan, mark: Mark, start: number, past: number, seen: Seen): Promise<void> {
  const { file, runs, window, request, site } = scan;
  let index = start;
  let { run, at } = mark;
  let windowStart = 0;
  let windowEnd = 0;
  for (; index < past; run++) {
    const { end, tagBytes } = runs[run] ?? { end: -1, tagBytes: 0 };
    if (end < 0) refuseCount(index, past, site);
    while (index < past && at < end) {
      const longest = Math.min(tagBytes + 10, end - at);
      if (at < windowStart || at + longest > windowEnd) {
        windowStart = at;
        windowEnd = Math.min(at + window.length, end);
        await file.readInto(window.subarray(0, windowEnd - windowStart), windowStart, request);
      }
      const from = at - windowStart + tagBytes;
      const length = readVarint(window, from, windowEnd - windowStart);
      if (length === 0) throw new ConvertError("malformed", `"${site.tensor}" ends within a number`, site);
      seen.item(index++, low, high);
      at += tagBytes + length;
      if (index % markEvery === 0 || index === past) seen.reach(index, { run, at });
    }
    if (index < past) at = runs[run + 1]?.start ?? 0;
  }
}

/** Halves of the number that was read last; two variables, as an object for each number would take longer than reading it. */
let low = 0;
let high = 0;

/** Bytes of the varint at `start`; 0 where it is cut short or too long. */
function readVarint(bytes: Uint8Array, start: number, end: number): number {
  low = high = 0;
  for (let length = 0; length < 10 && start + length < end; length++) {
    const byte = bytes[start + length] as number;
    const part = byte & 0x7f;
    if (length < 4) low |= part << (7 * length);
    else if (length === 4) {
      low |= part << 28;
      high = part >>> 4;
    } else high |= part << (7 * length - 32);
    if (byte < 0x80) return length + 1;
  }
  return 0;
}

function putWord(target: Uint8Array, at: number, itemBytes: number, low: number, high: number): void {
  for (let byte = 0; byte < itemBytes && byte < 4; byte++) target[at + byte] = low >>> (8 * byte);
  for (let byte = 4; byte < itemBytes; byte++) target[at + byte] = high >>> (8 * (byte - 4));
}
