import type { RunContext } from "../../../core/context.ts";
import { ConvertError, throwIfCancelled } from "../../../core/errors.ts";
import type { ByteSource } from "../../../core/source.ts";
import type { LazyTensor } from "../../../core/tensor.ts";

/** Refuses (kind `unsupported`) two names that share one tensor of the graph and have different values. */
export async function checkTied(
  tied: ReadonlyMap<string, string>,
  tensors: ReadonlyMap<string, LazyTensor>,
  context: RunContext,
): Promise<void> {
  for (const [name, kept] of tied) {
    const [one, other] = [tensors.get(name), tensors.get(kept)];
    if (one === undefined || other === undefined) continue;
    if (await sameValues(one.payload, other.payload, context)) continue;
    throw new ConvertError(
      "unsupported",
      `"${name}" and "${kept}" are one tensor in the graph, but differ in the weights`,
      { tensor: name, hint: "export the graph again from a network in which they differ" },
    );
  }
}

/** Whether two sources hold the same bytes. Borrows two buffers. */
export async function sameValues(a: ByteSource, b: ByteSource, context: RunContext): Promise<boolean> {
  if (a === b) return true;
  if (a.size !== b.size) return false;
  const granule = Math.max(a.granule ?? 1, b.granule ?? 1);
  const step = Math.max(granule, Math.floor(context.bufferBytes / granule) * granule);
  const length = Math.min(step, a.size);
  return context.scratch.lend(length, (left) =>
    context.scratch.lend(length, async (right) => {
      for (let at = 0; at < a.size; at += step) {
        throwIfCancelled(context.signal);
        const parts = [left, right].map((part) => part.subarray(0, Math.min(length, a.size - at)));
        const [one, other] = parts as [Uint8Array, Uint8Array];
        await a.readInto(one, at, context);
        await b.readInto(other, at, context);
        if (!context.sameBytes(one, other)) return false;
      }
      return true;
    }),
  );
}
