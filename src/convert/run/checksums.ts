import { collectChecksums, compareChecksum, type PartChecksums } from "../../core/checksum.ts";
import type { RunContext } from "../../core/context.ts";
import type { OutputPlan, Piece } from "../../core/plan.ts";
import type { ByteSource } from "../../core/source.ts";
import type { ChunkPart } from "./chunks.ts";

/** Works out checksums of payloads while they stream, whatever the order of the reads. */
export interface ChecksumWatch {
  /** Takes note of a filled chunk: its parts, and the bytes of all of them one after the other. Throws kind `malformed` once a whole payload is seen that its container's checksum belies. */
  observe(parts: readonly ChunkPart[], bytes: Uint8Array): Promise<void>;
  /** The same for one part whose CRC-32 somebody else has worked out. */
  note(part: ChunkPart, crc32: number): void;
  /** Whether anything is to be worked out from these parts. */
  concerns(parts: readonly ChunkPart[]): boolean;
  /** The checksum of a payload that a late piece needs, once all of it was seen. */
  crc32Of(source: ByteSource): number | undefined;
}

/** A watch over one run of a plan: over payloads with a recorded checksum, and over those that late pieces need. */
export function createChecksumWatch(plan: OutputPlan, context: RunContext): ChecksumWatch {
  const needed = new Set<ByteSource>();
  for (const file of plan.files) {
    for (const piece of file.pieces)
      if (piece.kind === "late") for (const source of piece.needs) needed.add(source);
  }
  // By piece: tied tensors may show one source at the same time.
  const seen = new Map<Piece, PartChecksums>();
  const known = new Map<ByteSource, number>();

  function isWatched({ piece }: ChunkPart): boolean {
    return piece.kind === "payload" && (piece.source.crc32 !== undefined || needed.has(piece.source));
  }

  function note({ piece, from, to }: ChunkPart, crc32: number): void {
    if (piece.kind !== "payload") return;
    const { source, tensor } = piece;
    if (from === 0 && to === source.size) {
      settle(source, tensor, crc32);
      return;
    }
    const parts = seen.get(piece) ?? collectChecksums(source.size);
    seen.set(piece, parts);
    const whole = parts.add(from, to, crc32);
    if (whole === undefined) return;
    seen.delete(piece);
    settle(source, tensor, whole);
  }

  function settle(source: ByteSource, tensor: string, crc32: number): void {
    compareChecksum(crc32, source, tensor);
    if (needed.has(source)) known.set(source, crc32);
  }

  return {
    async observe(parts, bytes) {
      let at = 0;
      for (const part of parts) {
        const size = part.to - part.from;
        if (isWatched(part)) note(part, await checksumOf(bytes.subarray(at, at + size), context));
        at += size;
      }
    },
    note,
    concerns: (parts) => parts.some(isWatched),
    crc32Of: (source) => known.get(source),
  };
}

/** In slices, so that lanes whose transfers end meanwhile go on at once: a whole buffer takes longer than a read. */
async function checksumOf(bytes: Uint8Array, context: RunContext): Promise<number> {
  let checksum = 0;
  for (let at = 0; at < bytes.length; at += sliceBytes) {
    if (at > 0) await context.breathe();
    checksum = context.crc32(bytes.subarray(at, at + sliceBytes), checksum);
  }
  return checksum;
}

/** Some 50 µs of work. */
const sliceBytes = 256 * 1024;
