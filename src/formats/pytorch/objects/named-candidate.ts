import type { PickleValue } from "../../../containers/pickle/values.ts";
import type { RunContext } from "../../../core/context.ts";
import type { Candidate, Leftover } from "../../../core/dict.ts";
import { asTensor } from "../values/torch-values.ts";
import type { NamedValue } from "./named-value.ts";
import { isTensorLike } from "./reachable.ts";
import { stateDict } from "./state-dict.ts";

/** Named values that a reader has put together itself, and what it leaves out. */
export interface NamedValues {
  readonly path: string;
  readonly auxiliary: boolean;
  readonly entries: readonly NamedValue[];
  readonly leftovers: readonly Leftover[];
}

/** Named values as a candidate; `undefined` where none of them is a tensor. */
export function candidateOf(values: NamedValues, file: string, context: RunContext): Candidate | undefined {
  const { path, auxiliary, entries, leftovers } = values;
  let tensorCount = 0;
  let bytes = 0;
  for (const [, value] of entries) {
    if (!isTensorLike(value)) continue;
    const tensor = asTensor(value);
    tensorCount++;
    if (tensor) bytes += tensor.shape.reduce((product, size) => product * size, tensor.dtype.itemBytes);
  }
  if (tensorCount === 0) return undefined;
  // The entries are named in full, so nothing lies beside them.
  const root: PickleValue = null;
  return {
    path,
    auxiliary,
    tensorCount,
    bytes,
    load() {
      const dict = stateDict(root, entries, "", root, file, context);
      return { ...dict, leftovers: [...dict.leftovers, ...leftovers] };
    },
  };
}
