import type { PickleValue } from "../../../containers/pickle/values.ts";
import type { RunContext } from "../../../core/context.ts";
import { type Checkpoint, singleDict } from "../../../core/dict.ts";
import { ConvertError } from "../../../core/errors.ts";
import { describeValue } from "../values/python-values.ts";
import { findCandidates } from "./candidates.ts";
import { wholeObject } from "./whole-object.ts";

/** What an unpickled object offers as state dicts. Throws kind `unsupported` where it holds no tensors at all. */
export function checkpointOf(
  container: string,
  value: PickleValue,
  file: string,
  context: RunContext,
): Checkpoint {
  if (context.whole) return singleDict(container, wholeObject(value, file, context));
  const candidates = findCandidates(value, file, context);
  if (candidates.length > 0) return { container, candidates };
  throw new ConvertError("unsupported", `no tensors were found: the file holds ${describeValue(value)}`, {
    file,
    hint: "save the state dict: torch.save(model.state_dict(), path)",
  });
}
