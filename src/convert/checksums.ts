import { combineCrc32 } from "../bytes/crc32.ts";
import type { RunContext } from "../core/context.ts";
import { ConvertError } from "../core/errors.ts";
import type { ByteSource } from "../core/source.ts";
import type { Chunk, ChunkPart } from "./chunks.ts";

interface PartChecksum {
  readonly from: number;
  readonly bytes: number;
  readonly crc32: number;
}

/** Compares what was read with the checksums that the input recorded, whatever the order of the reads. */
export interface ChecksumWatch {
  /** Takes note of a filled chunk. Throws kind `malformed` once a whole payload is seen and is damaged. */
  observe(chunk: Chunk, bytes: Uint8Array): void;
}

/** A watch over one run of a plan. */
export function createChecksumWatch(context: RunContext): ChecksumWatch {
  const seen = new Map<ByteSource, PartChecksum[]>();

  function observePart({ piece, from, to }: ChunkPart, bytes: Uint8Array): void {
    if (piece.kind !== "payload" || piece.source.crc32 === undefined) return;
    const { source, tensor } = piece;
    const crc32 = context.crc32(bytes, 0);
    if (from === 0 && to === source.size) {
      compare(crc32, source, tensor);
      return;
    }
    const parts = seen.get(source) ?? [];
    parts.push({ from, bytes: to - from, crc32 });
    seen.set(source, parts);
    if (parts.reduce((sum, part) => sum + part.bytes, 0) < source.size) return;
    seen.delete(source);
    parts.sort((a, b) => a.from - b.from);
    compare(
      parts.reduce((whole, part) => combineCrc32(whole, part.crc32, part.bytes), 0),
      source,
      tensor,
    );
  }

  return {
    observe(chunk, bytes) {
      let at = 0;
      for (const part of chunk.parts) {
        observePart(part, bytes.subarray(at, at + part.to - part.from));
        at += part.to - part.from;
      }
    },
  };
}

function compare(found: number, source: ByteSource, tensor: string): void {
  if (found === source.crc32) return;
  throw new ConvertError("malformed", `the bytes of "${tensor}" do not match their checksum`, {
    file: source.name,
    tensor,
    hint: "the file is damaged; download or save it again",
  });
}
