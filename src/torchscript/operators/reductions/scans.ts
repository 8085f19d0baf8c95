import { ConvertError } from "../../../core/errors.ts";
import { add, binary, cast, multiply, not, number, subtract, unary, where } from "../../emit/arithmetic.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { axisOf, concat, expand, reshape, slice } from "../../emit/layout.ts";
import { integers, type Operand, tableOf } from "../../emit/operand.ts";
import { categoryOf, isFloat } from "../../emit/types.ts";
import type { Dimension } from "../../shapes/dimension.ts";
import { isNaNOf } from "../elements/functions.ts";
import { type OperatorRule, rule } from "../rule.ts";

/** Tensors that are run through together, such as values and their places. */
type Parts = readonly Operand[];

/** What two neighbouring stretches come to, the earlier one first. It has to be associative. */
type Combine = (earlier: Parts, later: Parts) => Parts;

/**
 * What all elements up to each one of an axis come to. Stretches double in length with each step, so that the nodes are
 * few; the extent has to be known for that.
 */
function scanned(builder: GraphBuilder, start: Parts, axis: number, combine: Combine): Parts {
  const extent = builder.guards.settle(start[0]?.shape[axis] as Dimension, "an axis that is run through");
  let parts = start;
  for (let length = 1; length < extent; length *= 2) {
    const cut = (from: number, to: number): Parts =>
      parts.map((part) => slice(builder, part, axis, from, to));
    const joined = combine(cut(0, extent - length), cut(length, extent));
    const heads = cut(0, length);
    parts = heads.map((head, index) => concat(builder, [head, joined[index] as Operand], axis));
  }
  return parts;
}

/** The largest or smallest so far and its place, the last of equal ones; from the first NaN on it is NaN. */
function extremesSoFar(builder: GraphBuilder, self: Operand, dim: number, opType: string): Parts {
  const rank = self.shape.length;
  const axis = axisOf(dim, rank);
  if (rank === 0) return [self, number("I64", 0)];
  const held = ["BOOL", "U8", "I8", "I16"].includes(self.dtype) ? cast(builder, self, "I32") : self;
  const extent = builder.guards.settle(self.shape[axis] as Dimension, "an axis that is run through");
  const line = reshape(
    builder,
    integers(tableOf(extent, (index) => index)),
    self.shape.map((_, own) => (own === axis ? extent : 1)),
  );
  const places = expand(builder, line, self.shape);
  const [values, at] = scanned(builder, [held, places], axis, (earlier, later) => {
    const [before, placeBefore] = earlier as readonly [Operand, Operand];
    const [own, place] = later as readonly [Operand, Operand];
    const isBeyond = binary(builder, opType, own, before);
    const isLater = isFloat(own.dtype)
      ? binary(
          builder,
          "Or",
          isNaNOf(builder, own),
          binary(builder, "And", not(builder, isNaNOf(builder, before)), isBeyond),
        )
      : isBeyond;
    return [where(builder, isLater, own, before), where(builder, isLater, place, placeBefore)];
  }) as readonly [Operand, Operand];
  return [cast(builder, values, self.dtype), at];
}

/** `log(exp(a) + exp(b))` without large powers; infinities of one sign stay as they are. */
function logOfSum(builder: GraphBuilder, left: Operand, right: Operand): Operand {
  const [high, low] = [binary(builder, "Max", left, right), binary(builder, "Min", left, right)];
  const apart = unary(builder, "Exp", subtract(builder, low, high));
  const sum = add(builder, high, unary(builder, "Log", add(builder, apart, number(high.dtype, 1))));
  return where(
    builder,
    binary(builder, "Equal", high, low),
    add(builder, high, number(high.dtype, Math.LN2)),
    sum,
  );
}

/** Halves are joined in float32. */
function inWide(
  builder: GraphBuilder,
  x: Operand,
  axis: number,
  join: (a: Operand, b: Operand) => Operand,
): Operand {
  if (x.shape.length === 0) return x;
  const held = x.dtype === "F16" ? cast(builder, x, "F32") : x;
  const [result] = scanned(builder, [held], axis, ([earlier], [later]) => [
    join(earlier as Operand, later as Operand),
  ]);
  return cast(builder, result as Operand, x.dtype);
}

/** Products, extremes and sums of all elements up to each one. */
export const scanRules: readonly OperatorRule[] = [
  rule("cumprod(Tensor self, int dim, *, dtype? dtype=None)", ({ self, dim, dtype }, builder) => {
    const isWhole = ["bool", "integer"].includes(categoryOf(self.dtype));
    const x = cast(builder, self, dtype ?? (isWhole ? "I64" : self.dtype));
    if (x.dtype === "BOOL") throw new ConvertError("unsupported", "cumprod of bools");
    return inWide(builder, x, axisOf(dim, x.shape.length), (a, b) => multiply(builder, a, b));
  }),
  ...(
    [
      ["cummax", "GreaterOrEqual"],
      ["cummin", "LessOrEqual"],
    ] as const
  ).map(([name, opType]) =>
    rule(`${name}(Tensor self, int dim)` as "a(Tensor self, int dim)", ({ self, dim }, builder) =>
      extremesSoFar(builder, self, dim, opType),
    ),
  ),
  rule("logcumsumexp(Tensor self, int dim)", ({ self, dim }, builder) => {
    if (!isFloat(self.dtype)) throw new ConvertError("malformed", `logcumsumexp of ${self.dtype}`);
    return inWide(builder, self, axisOf(dim, self.shape.length), (a, b) => logOfSum(builder, a, b));
  }),
];
