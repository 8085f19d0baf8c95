import type { PickleValue } from "../../../containers/pickle/values.ts";
import type { RunContext } from "../../../core/context.ts";
import { type Candidate, type Checkpoint, singleDict } from "../../../core/dict.ts";
import { ConvertError } from "../../../core/errors.ts";
import { describeValue } from "../values/python-values.ts";
import { findArrayCandidates, findCandidates } from "./candidates.ts";
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
  const arrays = (): readonly Candidate[] => findArrayCandidates(value, file, context);
  // Where there are tensors, arrays are statistics and the like; they are read when somebody asks for them.
  if (candidates.length > 0) return { container, candidates, unlisted: arrays };
  const found = arrays();
  if (found.length > 0) return { container, candidates: found };
  throw new ConvertError("unsupported", `no tensors were found: the file holds ${describeValue(value)}`, {
    file,
    hint: "save the state dict: torch.save(model.state_dict(), path)",
  });
}
