import { firstDifference } from "../../bytes/difference.ts";
import type { RunContext } from "../../core/context.ts";
import { ConvertError, throwIfCancelled } from "../../core/errors.ts";
import { type OutputPlan, type PlannedFile, pieceSize } from "../../core/plan.ts";
import type { InputFolder } from "../../core/sink.ts";
import type { ByteSource } from "../../core/source.ts";
import { createMeter } from "../run/meter.ts";

/** Reads written files back and compares them byte for byte with their plan, payloads computed once more. Throws kind `mismatch` at the first difference. */
export async function verifyPieces(
  plan: OutputPlan,
  folder: InputFolder,
  context: RunContext,
): Promise<void> {
  const meter = createMeter("verify", plan.size, context);
  for (const file of plan.files) {
    const written = await folder.open(file.name);
    if (written?.size !== file.size)
      throw mismatch(`${written?.size ?? "no"} bytes were written of ${file.size}`, file, 0);
    await comparePieces(file, written, context);
    meter.add(file.size, file.name);
  }
}

async function comparePieces(file: PlannedFile, written: ByteSource, context: RunContext): Promise<void> {
  let at = 0;
  for (const piece of file.pieces) {
    const size = pieceSize(piece);
    const source = piece.kind === "payload" ? piece.source : undefined;
    const granule = source?.granule ?? 1;
    const step = Math.max(granule, Math.floor(context.bufferBytes / granule) * granule);
    for (let from = 0; from < size; from += step) {
      throwIfCancelled(context.signal);
      const length = Math.min(step, size - from);
      const start = at + from;
      await context.scratch.lend(length, (found) =>
        context.scratch.lend(length, async (wanted) => {
          await written.readInto(found, start, context);
          if (source) await source.readInto(wanted, from, context);
          else if (piece.kind === "bytes") wanted.set(piece.bytes.subarray(from, from + length));
          else return;
          if (!context.sameBytes(wanted, found))
            throw mismatch("the output differs from its plan", file, start + firstDifference(wanted, found));
        }),
      );
    }
    at += size;
  }
}

function mismatch(message: string, { name }: PlannedFile, offset: number): ConvertError {
  return new ConvertError("mismatch", message, { file: name, offset });
}
