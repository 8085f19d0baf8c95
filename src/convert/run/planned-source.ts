import { ConvertError } from "../../core/errors.ts";
import { type PlannedFile, pieceSize } from "../../core/plan.ts";
import { type ByteSource, checkRange } from "../../core/source.ts";

/**
 * The bytes of a planned file without writing it, at any position. Throws kind `unsupported` where a piece of it is
 * known only after the rest was streamed, as checksums in a zip are.
 */
export function plannedSource(file: PlannedFile): ByteSource {
  if (file.pieces.some((piece) => piece.kind === "late")) {
    throw new ConvertError("unsupported", "the format has checksums that are known only once it is written", {
      file: file.name,
      hint: "convert into a folder first",
    });
  }
  const starts: number[] = [];
  let size = 0;
  for (const piece of file.pieces) {
    starts.push(size);
    size += pieceSize(piece);
  }
  return {
    name: file.name,
    size,
    async readInto(target, offset, request) {
      checkRange(file.name, size, offset, target.length);
      let done = 0;
      for (let index = lastAtOrBefore(starts, offset); done < target.length; index++) {
        const piece = file.pieces[index];
        if (piece === undefined || piece.kind === "late") return;
        const within = offset + done - (starts[index] as number);
        const part = target.subarray(done, done + Math.max(0, pieceSize(piece) - within));
        if (piece.kind === "bytes") part.set(piece.bytes.subarray(within, within + part.length));
        else if (part.length > 0) await piece.source.readInto(part, within, request);
        done += part.length;
      }
    },
  };
}

function lastAtOrBefore(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if ((starts[middle] as number) <= offset) low = middle;
    else high = middle;
  }
  return low;
}
