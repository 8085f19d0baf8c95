import {
  addDimensions,
  type Dimension,
  isFromData,
  largerOf,
  multiplyDimensions,
  smallerOf,
  subtractDimensions,
} from "./dimension.ts";
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

/** The same where the runtime has to compute it. */
function clampedByData(guards: Guards, index: Dimension, extent: Dimension): Dimension {
  const isNegative = guards.attempt(index, "<", 0);
  if (isNegative === false) return smallerOf(index, extent);
  if (isNegative) return largerOf(addDimensions(index, extent), 0);
  // -1 for a negative index, 0 for others.
  const sign = largerOf(smallerOf(index, 0), -1);
  const at = subtractDimensions(index, multiplyDimensions(extent, sign));
  return smallerOf(largerOf(at, 0), extent);
}
