import { createByteBuilder } from "../../../bytes/builder.ts";
import { putVarint, varintSize } from "../../../containers/protobuf/encode.ts";
import type { WireMessage } from "../../../containers/protobuf/wire.ts";
import { type Piece, pieceSize } from "../../../core/plan.ts";
import { type ByteSource, section } from "../../../core/source.ts";

/** Bytes of a file that are replaced: `start` up to, not including, `end`; equal for an insertion. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  /** The innermost message that the bytes belong to. */
  readonly within: WireMessage;
  readonly pieces: readonly Piece[];
}

/**
 * A file with some bytes replaced. Every length prefix around an edit that changes the size is written anew; all other
 * bytes are copied as they are. Edits must not overlap.
 */
export function patched(source: ByteSource, edits: readonly Edit[]): readonly Piece[] {
  const all = [...edits, ...lengthEdits(edits)].sort(
    // At one place, what belongs to an inner message comes before what belongs to the one around it.
    (a, b) => a.start - b.start || a.end - b.end || b.within.depth - a.within.depth,
  );
  const pieces: Piece[] = [];
  let at = 0;
  for (const { start, end, pieces: replacement } of all) {
    copy(source, at, start, pieces);
    pieces.push(...replacement);
    at = end;
  }
  copy(source, at, source.size, pieces);
  return pieces;
}

function copy(source: ByteSource, start: number, end: number, into: Piece[]): void {
  if (start === end) return;
  const name = `${source.name}#${start}`;
  into.push({ kind: "payload", tensor: "", source: section(source, start, end, name) });
}

/** Length prefixes that change, from the innermost message to the outermost: a prefix may itself grow by a byte. */
function lengthEdits(edits: readonly Edit[]): readonly Edit[] {
  const growth = new Map<number, { readonly message: WireMessage; bytes: number }>();
  function grow(message: WireMessage | undefined, bytes: number): void {
    if (message?.parent === undefined || bytes === 0) return;
    const known = growth.get(message.lengthStart);
    if (known) known.bytes += bytes;
    else growth.set(message.lengthStart, { message, bytes });
  }
  for (const { start, end, within, pieces } of edits) {
    const size = pieces.reduce((sum, piece) => sum + pieceSize(piece), 0);
    grow(within, size - (end - start));
  }
  const changed: Edit[] = [];
  for (let depth = maxDepthOf(growth.values()); depth > 0; depth--) {
    for (const { message, bytes } of growth.values()) {
      if (message.depth !== depth || bytes === 0) continue;
      const length = message.end - message.start + bytes;
      const prefix = message.start - message.lengthStart;
      const builder = createByteBuilder();
      putVarint(builder, length);
      const { parent } = message;
      grow(parent, bytes + varintSize(length) - prefix);
      changed.push({
        start: message.lengthStart,
        end: message.start,
        within: parent ?? message,
        pieces: [{ kind: "bytes", bytes: builder.finish() }],
      });
    }
  }
  return changed;
}

function maxDepthOf(entries: Iterable<{ readonly message: WireMessage }>): number {
  let depth = 0;
  for (const { message } of entries) depth = Math.max(depth, message.depth);
  return depth;
}
