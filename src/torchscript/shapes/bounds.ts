import { addDimensions, type Dimension, isFromData, largerOf, smallerOf } from "./dimension.ts";
import type { Guards } from "./guards.ts";

/** An index of an axis as Python counts it: from the back where it is negative, and cut off at both ends. */
export function clampedIndex(guards: Guards, index: Dimension, extent: Dimension): Dimension {
  if (typeof index === "number" && index >= Number.MAX_SAFE_INTEGER) return extent;
  if (isFromData(index) || isFromData(extent)) return clampedByData(guards, index, extent);
  const isNegative = typeof index === "number" ? index < 0 : guards.decide(index, "<", 0);
  const at = isNegative ? addDimensions(index, extent) : index;
  if (isNegative) return guards.decide(at, "<", 0) ? 0 : at;
  if (at === 0) return 0;
  return guards.decide(at, ">", extent) ? extent : at;
}

/** The same where the runtime has to compute it; of an index that only data tell, the sign has to be known. */
function clampedByData(guards: Guards, index: Dimension, extent: Dimension): Dimension {
  if (guards.decide(index, "<", 0)) return largerOf(addDimensions(index, extent), 0);
  return smallerOf(index, extent);
}
