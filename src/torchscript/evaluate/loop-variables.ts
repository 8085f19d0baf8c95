import { number } from "../emit/arithmetic.ts";
import type { GraphBuilder } from "../emit/graph-builder.ts";
import { expand } from "../emit/layout.ts";
import { isFromData, isSymbolic } from "../shapes/dimension.ts";
import { read, tensorOf } from "../values/tensor.ts";
import { describe, isA, listOf, type Value } from "../values/value.ts";
import { hasSlots } from "./slots.ts";

/**
 * What variables have to be before a loop that data decide, so that its turns can hand them on: those that were never
 * set, but are set by a turn, start as anything of that type; those that become something that no graph can hand on
 * may not be read from then on. Empty where all is well.
 */
export function correctedVariables(
  builder: GraphBuilder,
  names: readonly string[],
  before: ReadonlyMap<string, Value>,
  after: ReadonlyMap<string, Value>,
): ReadonlyMap<string, Value> {
  const corrected = new Map<string, Value>();
  for (const name of names) {
    const [was, is] = [before.get(name), after.get(name)];
    if (was === undefined || is === undefined || hasSlots(was) || isUnchanged(was, is)) continue;
    const isUnset = isA(was, "poison") && was.reason === undefined;
    if (isUnset && hasSlots(is)) corrected.set(name, blankOf(builder, is));
    else
      corrected.set(name, {
        kind: "poison",
        reason: `${describe(was)} or ${describe(is)}, of which data decide`,
      });
  }
  return corrected;
}

/** Names that hold at the end of a turn the very tensor that they held at its start. */
export function namesKept(
  names: readonly string[],
  start: readonly Value[],
  after: ReadonlyMap<string, Value>,
): readonly string[] {
  return names.filter((name, position) => {
    const value = after.get(name);
    return isA(value, "tensor") && value === start[position];
  });
}

function isUnchanged(was: Value, is: Value): boolean {
  if (isA(was, "poison")) return was.reason !== undefined || isA(is, "poison");
  if (isA(was, "device") && isA(is, "device")) return was.name === is.name;
  return Object.is(was, is);
}

/** A value of the same form; what it holds is never used. */
function blankOf(builder: GraphBuilder, value: Value): Value {
  if (isA(value, "tuple")) return { ...value, items: value.items.map((item) => blankOf(builder, item)) };
  if (isA(value, "list")) return listOf(value.items.map((item) => blankOf(builder, item)));
  if (isSymbolic(value) || typeof value === "bigint") return 0n;
  if (typeof value === "number") return 0;
  if (!isA(value, "tensor")) return false;
  const { dtype, shape, isNumber } = read(value);
  const extents = shape.map((extent) => (isFromData(extent) ? 0 : extent));
  return tensorOf({ ...expand(builder, number(dtype, 0), extents), isNumber });
}
