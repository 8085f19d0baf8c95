import type { RunContext } from "../../core/context.ts";
import { type Copier, type FilePlace, worthCopying } from "../../core/copier.ts";
import type { OutputPlan, Piece } from "../../core/plan.ts";
import type { ByteSink } from "../../core/sink.ts";
import type { ChecksumWatch } from "./checksums.ts";
import type { Chunk, ChunkPart } from "./chunks.ts";

/** How much of a plan a copier may take, in bytes. */
export function copyableBytes({ files }: OutputPlan): number {
  const sizes = files.flatMap(({ pieces }) =>
    pieces.map((piece) => (hasPlace(piece) ? piece.source.size : 0)),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

function hasPlace(piece: Piece): piece is Extract<Piece, { kind: "payload" }> {
  return piece.kind === "payload" && piece.source.place !== undefined;
}

/** Whether a chunk has parts that a copier may take, so that `copyChunk` is worth its while. */
export function isCopyable({ parts }: Chunk, { place }: ByteSink): boolean {
  return place !== undefined && parts.some(mayCopy);
}

function mayCopy({ piece, from, to }: ChunkPart): boolean {
  return hasPlace(piece) && to - from >= worthCopying;
}

/**
 * Brings a chunk to its place in order, part by part: long runs of a file by the copier, all else by `write`, which is given
 * what lies between them. Checksums are noted as the copier worked them out.
 */
export async function copyChunk(
  chunk: Chunk,
  sink: ByteSink,
  copier: Copier,
  checksums: ChecksumWatch,
  write: (rest: Chunk) => Promise<void>,
  context: RunContext,
): Promise<void> {
  let rest: ChunkPart[] = [];
  let restAt = chunk.position;
  let at = chunk.position;

  async function writeRest(): Promise<void> {
    const size = rest.reduce((sum, { from, to }) => sum + to - from, 0);
    if (size > 0) await write({ ...chunk, parts: rest, position: restAt, size });
    rest = [];
  }

  for (const part of chunk.parts) {
    const size = part.to - part.from;
    const to = mayCopy(part) ? sink.place?.(at) : undefined;
    if (to) {
      await writeRest();
      restAt = at;
    }
    if (to && (await copyPart(part, to))) restAt = at + size;
    else rest.push(part);
    at += size;
  }
  await writeRest();

  async function copyPart(part: ChunkPart, to: FilePlace): Promise<boolean> {
    const { piece, from } = part;
    const place = hasPlace(piece) ? await piece.source.place?.(from, context) : undefined;
    if (place === undefined) return false;
    const wantsCrc32 = checksums.concerns([part]);
    const crc32 = await copier.copy({ from: place, to, size: part.to - from, wantsCrc32 });
    if (crc32 === undefined) return false;
    if (wantsCrc32) checksums.note(part, crc32);
    return true;
  }
}
