import { decodeUtf8 } from "../../bytes/utf8.ts";
import type { RunContext } from "../../core/context.ts";
import { throwIfCancelled } from "../../core/errors.ts";
import type { ByteSource } from "../../core/source.ts";

/** A local header as it stands in the file, with nothing to confirm it. */
export interface FoundHeader {
  readonly name: string;
  readonly headerOffset: number;
  /** Where the packed bytes start. */
  readonly start: number;
  readonly flags: number;
  readonly method: number;
  /** Sizes as the header has them: 0 where the writer put them behind the data. */
  readonly packedBytes: number;
  readonly bytes: number;
}

const localBytes = 30;
const windowBytes = 1024 * 1024;

/**
 * Every local header in a file, whatever its directory says of them: for archives whose directory is missing, damaged or a
 * lie. Reads the whole file, a window at a time.
 */
export async function* findLocalHeaders(source: ByteSource, context: RunContext): AsyncIterable<FoundHeader> {
  const buffer = new Uint8Array(Math.min(source.size, windowBytes));
  let at = 0;
  while (at + localBytes <= source.size) {
    throwIfCancelled(context.signal);
    const window = buffer.subarray(0, Math.min(buffer.length, source.size - at));
    await source.readInto(window, at, context);
    let next = window.length;
    for (let hit = findSignature(window, 0); hit >= 0; hit = findSignature(window, hit + 4)) {
      const header = parseHeader(window, hit, at);
      // Cut off by the window's end: the next one starts with it.
      if (header === undefined && hit > 0 && at + window.length < source.size) {
        next = hit;
        break;
      }
      if (header !== undefined) yield header;
    }
    // A signature may lie across the end of the window.
    at += next === window.length && at + next < source.size ? next - 3 : next;
  }
}

/** APPNOTE 4.3.7: "PK\x03\x04". */
function findSignature(bytes: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(0x50, from); at >= 0; at = bytes.indexOf(0x50, at + 1))
    if (bytes[at + 1] === 0x4b && bytes[at + 2] === 3 && bytes[at + 3] === 4) return at;
  return -1;
}

function parseHeader(bytes: Uint8Array, at: number, base: number): FoundHeader | undefined {
  if (at + localBytes > bytes.length) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, localBytes);
  const nameEnd = at + localBytes + view.getUint16(26, true);
  if (nameEnd > bytes.length) return undefined;
  return {
    name: decodeUtf8(bytes.subarray(at + localBytes, nameEnd)) ?? "",
    headerOffset: base + at,
    start: base + nameEnd + view.getUint16(28, true),
    flags: view.getUint16(6, true),
    method: view.getUint16(8, true),
    packedBytes: view.getUint32(18, true),
    bytes: view.getUint32(22, true),
  };
}
