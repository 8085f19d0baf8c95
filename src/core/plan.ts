import type { ByteSource } from "./source.ts";

/** One run of output bytes whose size is known before anything is written. */
export type Piece =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "payload"; readonly tensor: string; readonly source: ByteSource }
  | LatePiece;

/** Bytes that depend on what was streamed before them; a long one may only stand at the end of a file. */
export interface LatePiece {
  readonly kind: "late";
  readonly size: number;
  /** Payloads whose checksums it asks for. */
  readonly needs: readonly ByteSource[];
  /** Makes exactly `size` bytes. */
  build(crc32: (source: ByteSource) => number): Uint8Array;
}

/** One output file: its bare name and its pieces in order. */
export interface PlannedFile {
  readonly name: string;
  readonly size: number;
  readonly pieces: readonly Piece[];
  /** How many tensors it holds, for reports. */
  readonly tensorCount: number;
}

/** The whole output, sized and ordered. Running it is the only work left. */
export interface OutputPlan {
  readonly format: string;
  readonly files: readonly PlannedFile[];
  /** Bytes of all files together. */
  readonly size: number;
}

/** Bytes that a piece adds to its file. */
export function pieceSize(piece: Piece): number {
  if (piece.kind === "bytes") return piece.bytes.length;
  return piece.kind === "payload" ? piece.source.size : piece.size;
}

/** A planned file with its size counted from its pieces. */
export function plannedFile(name: string, pieces: readonly Piece[], tensorCount: number): PlannedFile {
  const size = pieces.reduce((sum, piece) => sum + pieceSize(piece), 0);
  return { name, size, pieces, tensorCount };
}

/** A plan of these files, in the order in which they appear under their names. */
export function outputPlan(format: string, files: readonly PlannedFile[]): OutputPlan {
  return { format, files, size: files.reduce((sum, file) => sum + file.size, 0) };
}
