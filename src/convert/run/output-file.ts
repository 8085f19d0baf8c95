import { createSha256, type RunContext, type Sha256 } from "../../core/context.ts";
import { type LatePiece, type PlannedFile, pieceSize } from "../../core/plan.ts";
import type { ByteSink } from "../../core/sink.ts";
import type { ChecksumWatch } from "./checksums.ts";
import { type Chunk, shortLateBytes } from "./chunks.ts";
import { createOrder, type Order } from "./order.ts";

/** A file that is being written. */
export interface OutputFile {
  readonly planned: PlannedFile;
  readonly sink: ByteSink;
  /** Chunks handed out and not yet written. */
  pending: number;
  /** Whether its last chunk is handed out. */
  cut: boolean;
  /** Late pieces that are written once the rest of the file is, with their positions. */
  readonly deferred: readonly { readonly piece: LatePiece; readonly position: number }[];
  /** Chunks whose bytes went into checksums. */
  readonly observed: Order;
  /** Chunks that are in the sink. */
  readonly written: Order;
  /** Up to where the file is complete once a chunk and all before it are written, by their numbers. */
  readonly reached: number[];
  /** Takes all bytes in order, where the file's hash is wanted. */
  readonly hash: Sha256 | undefined;
}

/** A file of which nothing is written yet by this run. */
export function outputFile(
  planned: PlannedFile,
  sink: ByteSink,
  hashed: boolean,
  context: RunContext,
): OutputFile {
  return {
    planned,
    sink,
    pending: 0,
    cut: false,
    deferred: longLatePieces(planned),
    observed: createOrder(),
    written: createOrder(),
    reached: [],
    hash: hashed ? createSha256(context) : undefined,
  };
}

/** The directory of a zip, say: it stands at the end and is written once everything before it is. */
function longLatePieces(file: PlannedFile): OutputFile["deferred"] {
  const deferred: { readonly piece: LatePiece; readonly position: number }[] = [];
  let position = 0;
  for (const piece of file.pieces) {
    if (piece.kind === "late" && piece.size > shortLateBytes) deferred.push({ piece, position });
    position += pieceSize(piece);
  }
  return deferred;
}

/** Writes what had to wait, and gives the hash of the whole file where it is wanted. */
export async function finishFile(
  { sink, deferred, hash }: OutputFile,
  checksums: ChecksumWatch,
): Promise<string | undefined> {
  for (const { piece, position } of deferred) {
    const bytes = buildLate(piece, checksums);
    await sink.writeAt(bytes, position);
    hash?.update(bytes);
  }
  await sink.finish();
  return hash?.digest();
}

/** Fills in the late pieces of a chunk; all before it must have been observed. */
export function fillLate({ parts }: Chunk, bytes: Uint8Array, checksums: ChecksumWatch): void {
  let at = 0;
  for (const { piece, from, to } of parts) {
    if (piece.kind === "late") bytes.set(buildLate(piece, checksums), at);
    at += to - from;
  }
}

function buildLate(piece: LatePiece, checksums: ChecksumWatch): Uint8Array {
  return piece.build((source) => {
    const crc32 = checksums.crc32Of(source);
    if (crc32 === undefined) throw new Error("a late piece stands before the payload that it needs");
    return crc32;
  });
}

/** Some 150 µs of work, after which transfers that have ended are served. */
const sliceBytes = 256 * 1024;

/** Adds bytes to a hash, in slices. */
export async function updateHash(hash: Sha256, bytes: Uint8Array, context: RunContext): Promise<void> {
  for (let at = 0; at < bytes.length; at += sliceBytes) {
    if (at > 0) await context.breathe();
    hash.update(bytes.subarray(at, at + sliceBytes));
  }
}
