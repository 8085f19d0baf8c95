import { type Piece, type PlannedFile, pieceSize } from "../../core/plan.ts";
import type { Patch, Patchwork } from "../../core/source.ts";

/** A stretch of a piece within a chunk. */
export interface ChunkPart {
  readonly piece: Piece;
  /** Bytes `from` up to, not including, `to` of the piece. */
  readonly from: number;
  readonly to: number;
}

/** Output bytes that are filled in one buffer: a run that is written at once, or a patch of a payload. */
export interface Chunk {
  readonly file: PlannedFile;
  /** Where its bytes start in the file; of a patch, where its payload does. */
  readonly position: number;
  readonly size: number;
  /** What lies behind each other in the buffer; and in the file too, unless it is a patch, whose parts are its runs. */
  readonly parts: readonly ChunkPart[];
  readonly patch?: Patch | undefined;
  /** Up to where the file is complete, once this chunk and all before it are written. */
  readonly reaches: number;
  /** The first byte behind all that it belongs to: itself, or the payload of a patch. */
  readonly end: number;
}

/** Late pieces up to this size travel within a chunk; a longer one ends its file and is written by itself. */
export const shortLateBytes = 64;

/**
 * Cuts a file into chunks of at most `chunkBytes`, in order. Many small pieces share a chunk; a large one takes
 * several, and is cut between elements. A source that prefers longer reads gets chunks of that size to itself, and
 * where `order` is "any", one that is better read in patches gets those. A long late piece is left out.
 */
export function* cutIntoChunks(
  file: PlannedFile,
  chunkBytes: number,
  order: "any" | "front-to-back",
): Generator<Chunk> {
  let start = 0;
  let position = 0;
  let between: Piece[] = [];
  for (const piece of file.pieces) {
    const size = pieceSize(piece);
    if (piece.kind === "late" && size > shortLateBytes) continue;
    const patchwork = order === "any" && piece.kind === "payload" ? piece.source.patchwork : undefined;
    if (patchwork) {
      yield* cutIntoRuns(file, between, start, chunkBytes);
      yield* cutIntoPatches(file, piece, patchwork, position);
      start = position + size;
      between = [];
    } else between.push(piece);
    position += size;
  }
  yield* cutIntoRuns(file, between, start, chunkBytes);
}

/** Pieces that follow each other from `start` on. */
function* cutIntoRuns(
  file: PlannedFile,
  pieces: readonly Piece[],
  start: number,
  chunkBytes: number,
): Generator<Chunk> {
  let position = start;
  let size = 0;
  let parts: ChunkPart[] = [];
  const filled = (): Chunk => ({
    file,
    position,
    size,
    parts,
    reaches: position + size,
    end: position + size,
  });
  for (const piece of pieces) {
    const end = pieceSize(piece);
    const granule = piece.kind === "late" ? end : (piece.kind === "payload" && piece.source.granule) || 1;
    const wanted = (piece.kind === "payload" && piece.source.preferredBytes) || 0;
    let from = 0;
    while (from < end) {
      const isWide = wanted > chunkBytes;
      const room = Math.floor(((isWide ? wanted : chunkBytes) - size) / granule) * granule;
      if (room <= 0 || (isWide && size > 0)) {
        yield filled();
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
  if (size > 0) yield filled();
}

function* cutIntoPatches(
  file: PlannedFile,
  piece: Piece,
  patchwork: Patchwork,
  position: number,
): Generator<Chunk> {
  const end = position + pieceSize(piece);
  let left = pieceSize(piece);
  for (const patch of patchwork.patches()) {
    const size = patch.length * patch.count;
    const parts = Array.from({ length: patch.count }, (_, run): ChunkPart => {
      const from = patch.offset + run * patch.step;
      return { piece, from, to: from + patch.length };
    });
    left -= size;
    yield { file, position, size, parts, patch, reaches: left === 0 ? end : position, end };
  }
}
