import { isKind, type PickleValue } from "../../../containers/pickle/values.ts";
import type { RunContext } from "../../../core/context.ts";
import { type Checkpoint, singleDict } from "../../../core/dict.ts";
import { ConvertError } from "../../../core/errors.ts";
import { describeValue } from "../values/python-values.ts";
import { findCandidates } from "./candidates.ts";
import { childPlaces } from "./reachable.ts";
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
    hint: holdsArrays(value)
      ? "its arrays are NumPy's; save them as tensors: torch.save({name: torch.from_numpy(array)}, path)"
      : "save the state dict: torch.save(model.state_dict(), path)",
  });
}

/** How many values are looked at for the sake of a better word. */
const maxLooks = 10_000;

function holdsArrays(root: PickleValue): boolean {
  const seen = new Set<PickleValue>();
  const pending: PickleValue[] = [root];
  for (let value = pending.pop(); value !== undefined && seen.size < maxLooks; value = pending.pop()) {
    if (typeof value !== "object" || value === null || seen.has(value)) continue;
    seen.add(value);
    if (isArray(value)) return true;
    for (const child of childPlaces({ path: "", value })) pending.push(child.value);
  }
  return false;
}

function isArray(value: PickleValue): boolean {
  const made = isKind(value, "call") ? value.callable : undefined;
  return (
    isKind(made, "global") &&
    /^numpy\.(_?core\.)?multiarray$/.test(made.module) &&
    made.name === "_reconstruct"
  );
}
