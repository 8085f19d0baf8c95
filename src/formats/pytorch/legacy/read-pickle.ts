import { readPickle } from "../../../containers/pickle/read.ts";
import { isGlobal } from "../../../containers/pickle/values.ts";
import type { RunContext } from "../../../core/context.ts";
import type { Checkpoint } from "../../../core/dict.ts";
import type { ByteSource } from "../../../core/source.ts";
import { arrayPayloads } from "../arrays/array-payload.ts";
import { checkpointOf } from "../objects/checkpoint.ts";
import { rebuildCall } from "../values/rebuild.ts";
import { nestedPayload, nestedStorage } from "./nested-stream.ts";

/** Reads what `pickle.dump` made of tensors: one pickle with their storages within (FORMAT.md, "Bare pickles"). */
export async function readBarePickle(source: ByteSource, context: RunContext): Promise<Checkpoint> {
  const file = source.name;
  // To be written again as it was, an object keeps its arrays.
  const arrays = context.whole ? undefined : arrayPayloads(source).payload;
  const { value, end } = await readPickle(
    source,
    0,
    {
      call(callable, args, offset) {
        if (isGlobal(callable, "torch.storage", "_load_from_bytes"))
          return nestedStorage(args, context.limits, { file, offset });
        return rebuildCall(callable, args, file, offset, context);
      },
      payload(run, below) {
        const stream = nestedPayload(run, below(0), source, context.limits);
        return stream ?? arrays?.(run, below);
      },
    },
    context,
  );
  if (end < source.size) {
    context.warn({ code: "trailing-bytes", message: `${source.size - end} bytes follow the pickle` });
  }
  return checkpointOf("pickle", value, file, context);
}
