import { type Piece, type PlannedFile, pieceSize } from "../../core/plan.ts";

/** A stretch of a piece within a chunk. */
export interface ChunkPart {
  readonly piece: Piece;
  /** Bytes `from` up to, not including, `to` of the piece. */
  readonly from: number;
  readonly to: number;
}

/** A run of output bytes that is filled in one buffer and written at once. */
export interface Chunk {
  readonly file: PlannedFile;
  readonly position: number;
  readonly size: number;
  readonly parts: readonly ChunkPart[];
}

/** Late pieces up to this size travel within a chunk; a longer one ends its file and is written by itself. */
export const shortLateBytes = 64;

/**
 * Cuts a file into chunks of at most `chunkBytes`, in order. Many small pieces share a chunk; a large one takes
 * several, and is cut between elements. A source that prefers longer reads gets chunks of that size to itself. A
 * long late piece is left out.
 */
export function* cutIntoChunks(file: PlannedFile, chunkBytes: number): Generator<Chunk> {
  let position = 0;
  let size = 0;
  let parts: ChunkPart[] = [];
  for (const piece of file.pieces) {
    const end = pieceSize(piece);
    if (piece.kind === "late" && end > shortLateBytes) continue;
    const granule = piece.kind === "late" ? end : (piece.kind === "payload" && piece.source.granule) || 1;
    const wanted = (piece.kind === "payload" && piece.source.preferredBytes) || 0;
    let from = 0;
    while (from < end) {
      const isWide = wanted > chunkBytes;
      const room = Math.floor(((isWide ? wanted : chunkBytes) - size) / granule) * granule;
      if (room <= 0 || (isWide && size > 0)) {
        yield { file, position, size, parts };
        position += size;
        size = 0;
        parts = [];
        continue;
      }
      const to = Math.min(end, from + room);
      parts.push({ piece, from, to });
      size += to - from;
      from = to;
    }
  }
  if (size > 0) yield { file, position, size, parts };
}
