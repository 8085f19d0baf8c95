import { firstDifference } from "../../bytes/difference.ts";
import type { RunContext } from "../../core/context.ts";
import type { TensorDict } from "../../core/dict.ts";
import { ConvertError, throwIfCancelled } from "../../core/errors.ts";
import type { Format } from "../../core/format.ts";
import { type ConstantTensor, constantsOf, graphOf } from "../../core/graph.ts";
import type { OutputPlan } from "../../core/plan.ts";
import type { InputFolder } from "../../core/sink.ts";
import { type ByteSource, bytesSource } from "../../core/source.ts";
import type { LazyTensor } from "../../core/tensor.ts";
import { chooseStateDict } from "../open/choose-state-dict.ts";
import { openFile } from "../open/open.ts";
import { createMeter } from "../run/meter.ts";

/** Reads written files back and compares every tensor with what was to be written. Throws kind `mismatch` at the first difference. */
export async function verifyOutput(
  plan: OutputPlan,
  expected: TensorDict,
  format: Format,
  folder: InputFolder,
  context: RunContext,
): Promise<void> {
  const meter = createMeter(
    "verify",
    [...expected.tensors.values()].reduce((sum, t) => sum + t.payload.size, 0),
    context,
  );
  const missing = new Set(expected.tensors.keys());
  // A reader sees the constants of a graph, too.
  const graph = graphOf(expected);
  const constants = graph === undefined ? undefined : constantsOf(graph);
  for (const file of plan.files) {
    if (file.tensorCount === 0) continue;
    const { checkpoint, source } = await openFile(
      { folder, name: file.name },
      { formats: [format] },
      context,
    );
    const found = chooseStateDict(checkpoint, undefined, source.name, context).load();
    for (const [name, tensor] of found.tensors) {
      const wanted = expected.tensors.get(name) ?? constantTensor(name, constants?.get(name));
      if (wanted === undefined)
        throw mismatch(`"${name}" was written, but is not in the input`, source, name);
      await compareTensors(name, wanted, tensor, source, context);
      missing.delete(name);
      meter.add(tensor.payload.size, file.name);
    }
  }
  for (const name of missing) throw mismatch(`"${name}" is not in the output`, undefined, name);
}

function constantTensor(name: string, constant: ConstantTensor | undefined): Wanted | undefined {
  return constant && { ...constant, payload: bytesSource(name, constant.bytes) };
}

type Wanted = Pick<LazyTensor, "dtype" | "shape" | "payload">;

async function compareTensors(
  name: string,
  wanted: Wanted,
  found: LazyTensor,
  file: ByteSource,
  context: RunContext,
): Promise<void> {
  if (wanted.dtype !== found.dtype || wanted.shape.join() !== found.shape.join()) {
    throw mismatch(`"${name}" was written as ${found.dtype} [${found.shape.join(", ")}]`, file, name);
  }
  const differs = await firstDifferingByte(wanted.payload, found.payload, context);
  if (differs !== undefined)
    throw mismatch(`"${name}" differs from the input at byte ${differs}`, file, name);
}

function mismatch(message: string, file: ByteSource | undefined, tensor: string): ConvertError {
  return new ConvertError("mismatch", message, { file: file?.name, tensor });
}

/** Position of the first byte in which two sources of equal length differ. Borrows two buffers. */
async function firstDifferingByte(
  left: ByteSource,
  right: ByteSource,
  context: RunContext,
): Promise<number | undefined> {
  const granule = Math.max(left.granule ?? 1, right.granule ?? 1);
  const step = Math.max(granule, Math.floor(context.bufferBytes / granule) * granule);
  const size = Math.min(left.size, right.size);
  return context.scratch.lend(Math.min(step, size), (a) =>
    context.scratch.lend(Math.min(step, size), async (b) => {
      for (let at = 0; at < size; at += step) {
        throwIfCancelled(context.signal);
        const length = Math.min(step, size - at);
        await Promise.all([
          left.readInto(a.subarray(0, length), at, context),
          right.readInto(b.subarray(0, length), at, context),
        ]);
        const parts = [a.subarray(0, length), b.subarray(0, length)] as const;
        if (!context.sameBytes(...parts)) return at + firstDifference(...parts);
      }
      return left.size === right.size ? undefined : size;
    }),
  );
}
