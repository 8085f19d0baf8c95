import { type FilePlace, worthCopying } from "./copier.ts";
import { ConvertError } from "./errors.ts";
import type { Scratch } from "./scratch.ts";

/** Random-access, read-only bytes. Offsets count from 0 and ends are exclusive. */
export interface ByteSource {
  /** What a person would call it: a path, a URL, or `model.pth#data/0`. */
  readonly name: string;
  readonly size: number;
  /** Fills all of `target` from `offset` on, or rejects with kind `io`; the caller owns `target`. */
  readInto(target: Uint8Array, offset: number, request?: ReadRequest): Promise<void>;
  /** Set where `offset` and `target.length` must be multiples of an element's width, in bytes. */
  readonly granule?: number | undefined;
  /** Set where reads of about this many bytes cost far less than smaller ones do. */
  readonly preferredBytes?: number | undefined;
  /** Set where bytes behind those of the last read cost all that lies before them, as in a compressed entry. */
  readonly isSequential?: boolean | undefined;
  /** Set where reading from front to back costs many times more than reading in patches. */
  readonly patchwork?: Patchwork | undefined;
  /** Changes when the bytes do, as far as the place they lie at can tell. */
  readonly revision?: string | undefined;
  /** CRC-32 of all the bytes where the container recorded one; whoever reads them all is to compare. */
  readonly crc32?: number | undefined;
  /** Where the bytes from `offset` on lie as they are; left out, or `undefined`, where they have to be read to be had. */
  place?: ((offset: number, request?: ReadRequest) => Promise<FilePlace | undefined>) | undefined;
}

/** Runs of a source that lie apart, all of one length. */
export interface Patch {
  /** Where the first run starts. */
  readonly offset: number;
  /** Bytes of one run. */
  readonly length: number;
  readonly count: number;
  /** From the start of one run to that of the next. */
  readonly step: number;
}

/** A way to read a source out of order. */
export interface Patchwork {
  /** All bytes of the source, each once. */
  patches(): Iterable<Patch>;
  /** Fills `target` with the runs of a patch, one behind the other. */
  readPatch(target: Uint8Array, patch: Patch, request?: ReadRequest): Promise<void>;
}

/** What a read may use and what may stop it. */
export interface ReadRequest {
  readonly signal?: AbortSignal | undefined;
  /** Where a source that must compute borrows its memory; without it, it allocates for the call. */
  readonly scratch?: Scratch | undefined;
}

/** Bytes in memory as a source; the bytes are not copied and must not change. */
export function bytesSource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.length,
    async readInto(target, offset) {
      checkRange(name, bytes.length, offset, target.length);
      target.set(bytes.subarray(offset, offset + target.length));
    },
  };
}

/** A window of `inner`: bytes `start` up to, not including, `end`. Refuses (kind `malformed`) a window that leaves it. */
export function section(inner: ByteSource, start: number, end: number, name: string): ByteSource {
  if (start < 0 || end < start || end > inner.size) {
    throw new ConvertError("malformed", `${name} spans bytes ${start} to ${end} of ${inner.size}`, {
      file: inner.name,
      offset: start,
    });
  }
  if (start === 0 && end === inner.size) return inner;
  const { place } = inner;
  return {
    name,
    size: end - start,
    granule: inner.granule,
    readInto: (target, offset, request) => inner.readInto(target, start + offset, request),
    // Most sections are too small for it.
    place:
      place && end - start >= worthCopying ? (offset, request) => place(start + offset, request) : undefined,
  };
}

/** Reads bytes `start` to `end` into new memory; for headers, never for payloads. */
export async function readBytes(
  source: ByteSource,
  start: number,
  end: number,
  request?: ReadRequest,
): Promise<Uint8Array> {
  checkRange(source.name, source.size, start, end - start);
  const bytes = new Uint8Array(end - start);
  await source.readInto(bytes, start, request);
  return bytes;
}

/** Refuses (kind `io`) a read that leaves the source: the file is shorter than something said. */
export function checkRange(name: string, size: number, offset: number, length: number): void {
  if (offset < 0 || length < 0 || offset + length > size) {
    throw new ConvertError(
      "io",
      `bytes ${offset} to ${offset + length} were asked for, but there are ${size}`,
      {
        file: name,
        offset,
      },
    );
  }
}
