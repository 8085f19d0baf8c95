import type { Operand } from "../emit/operand.ts";
import { boundsOf, type Dimension, isFromData } from "../shapes/dimension.ts";
import type { Comparison } from "../shapes/guards.ts";

const whenEmpty = new WeakMap<Operand, boolean>();

/** Notes of a condition that it asks whether a size that only data tell is 0, if it does. */
export function noteEmptiness(
  condition: Operand,
  left: Dimension,
  operator: Comparison,
  right: Dimension,
): void {
  if (!isFromData(left) || typeof right !== "number" || boundsOf(left).least < 0) return;
  const asksForZero =
    (right === 0 && ["==", "!=", ">", "<="].includes(operator)) ||
    (right === 1 && [">=", "<"].includes(operator));
  if (asksForZero) whenEmpty.set(condition, ["==", "<=", "<"].includes(operator));
}

/** What a condition says where something is empty; `undefined` where it does not ask for that. */
export function answerWhenEmpty(condition: Operand): boolean | undefined {
  return whenEmpty.get(condition);
}
