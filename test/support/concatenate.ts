import type { Piece } from "../../src/core/plan.ts";

/** The bytes of a planned file, all at once. */
export async function concatenate(pieces: readonly Piece[]): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (const piece of pieces) {
    if (piece.kind === "bytes") parts.push(piece.bytes);
    else if (piece.kind === "late") throw new Error("a late piece needs a run of its plan");
    else {
      const payload = new Uint8Array(piece.source.size);
      await piece.source.readInto(payload, 0);
      parts.push(payload);
    }
  }
  return Uint8Array.from(Buffer.concat(parts));
}
