import { type Dimension, isSameDimension } from "../shapes/dimension.ts";
import { where } from "./arithmetic.ts";
import type { GraphBuilder } from "./graph-builder.ts";
import { concat, slice } from "./layout.ts";
import { constant, integers, type Operand, tableOf } from "./operand.ts";

/** `base` with `value` in the place of the elements `start`, `start + step` … before `end` of an axis. */
export function overwriteSlice(
  builder: GraphBuilder,
  base: Operand,
  value: Operand,
  axis: number,
  start: Dimension,
  end: Dimension,
  step: number,
): Operand {
  const extent = base.shape[axis] as Dimension;
  const { guards } = builder;
  if (guards.attempt(end, "<=", start)) return base;
  if (step !== 1) return overwriteSteps(builder, base, value, axis, start, step);
  const parts = [value];
  if (start !== 0) parts.unshift(slice(builder, base, axis, 0, start));
  // What is left behind an open extent may be nothing; that it is none in the example says nothing.
  const isAll =
    typeof end === "number" && typeof extent === "number" ? end >= extent : isSameDimension(end, extent);
  if (!isAll) parts.push(slice(builder, base, axis, end, extent));
  return concat(builder, parts, axis);
}

/** With steps between them, the values are spread out along the axis and chosen where they belong. */
function overwriteSteps(
  builder: GraphBuilder,
  base: Operand,
  value: Operand,
  axis: number,
  startSize: Dimension,
  step: number,
): Operand {
  const { guards } = builder;
  const extent = guards.settle(base.shape[axis] as Dimension, "an axis that is written in steps");
  const start = guards.settle(startSize, "an index that is written in steps");
  const count = guards.settle(value.shape[axis] as Dimension, "a number of steps");
  const turnOf = (index: number): number => (index - start) / step;
  const isHit = (index: number): boolean =>
    index >= start && Number.isInteger(turnOf(index)) && turnOf(index) < count;
  const indices = tableOf(extent, (index) => index);
  const from = integers(indices.map((index) => (isHit(index) ? turnOf(index) : 0)));
  const shape = base.shape.map((_, own) => (own === axis ? extent : 1));
  const mask = constant(
    "BOOL",
    shape,
    indices.map((index) => (isHit(index) ? 1 : 0)),
  );
  const spreadShape = base.shape;
  const spread = builder.node(
    "Gather",
    [value, from],
    { dtype: value.dtype, shape: spreadShape },
    { axis: { kind: "int", value: BigInt(axis) } },
  );
  return where(builder, mask, spread, base);
}
