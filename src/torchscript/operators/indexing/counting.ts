import { ConvertError } from "../../../core/errors.ts";
import { add, binary, cast, divide, multiply, not, number, subtract, where } from "../../emit/arithmetic.ts";
import { intAttribute, stringAttribute } from "../../emit/attributes.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { axisOf, concat, expand, reshape, slice, squeeze, swapAxes } from "../../emit/layout.ts";
import { constant, integers, type Operand } from "../../emit/operand.ts";
import { reduce } from "../../emit/reduce.ts";
import { isFloat } from "../../emit/types.ts";
import { type Dimension, elementsOf, shapeText } from "../../shapes/dimension.ts";
import { type OperatorRule, rule } from "../rule.ts";
import { distinguishable, withDataExtent } from "./data-selection.ts";

/** More than any axis has. */
const anySize = 2 ** 31 - 1;

/** For each of `count` numbers from 0 on, the sum of the weights of those elements that are this number. */
function countedUp(builder: GraphBuilder, places: Operand, weights: Operand, count: Dimension): Operand {
  const zeros = expand(builder, number(weights.dtype, 0), [count]);
  return builder.node("ScatterElements", [zeros, places, weights], zeros, {
    axis: intAttribute(0),
    reduction: stringAttribute("add"),
  });
}

/** As many ones as there are elements. */
function ones(builder: GraphBuilder, x: Operand): Operand {
  return expand(builder, number("I64", 1), x.shape);
}

function bincount(
  builder: GraphBuilder,
  self: Operand,
  weights: Operand | undefined,
  minlength: number,
): Operand {
  if (self.shape.length !== 1 || isFloat(self.dtype) || self.dtype === "BOOL" || minlength < 0)
    throw new ConvertError("malformed", `bincount of ${self.dtype} of shape ${shapeText(self.shape)}`);
  const places = cast(builder, self, "I64");
  // The one added is the largest number where there are no elements.
  const most = reduce(
    builder,
    "ReduceMax",
    concat(builder, [places, integers([minlength - 1])], 0),
    [0],
    false,
  );
  const end = add(builder, most, number("I64", 1));
  const range = builder.node("Range", [number("I64", 0), end, number("I64", 1)], {
    dtype: "I64",
    shape: [-1],
  });
  const size = withDataExtent(builder, range, 0, anySize).shape[0] as Dimension;
  if (weights === undefined) return countedUp(builder, places, ones(builder, places), size);
  builder.guards.broadcast(weights.shape, places.shape);
  return countedUp(builder, places, cast(builder, weights, weights.dtype === "F32" ? "F32" : "F64"), size);
}

/** How many elements fall into each of equal parts of the range; those at its end count to the last. */
function histogram(builder: GraphBuilder, self: Operand, bins: number, least: number, most: number): Operand {
  if (!isFloat(self.dtype) || bins < 1 || most < least)
    throw new ConvertError("malformed", `histc of ${self.dtype} with ${bins} bins from ${least} to ${most}`);
  if (least === most)
    throw new ConvertError("unsupported", "histc without bounds, which are those of the data");
  const x = reshape(builder, self, [-1]);
  const [from, to] = [number(x.dtype, least), number(x.dtype, most)];
  const isInside = binary(
    builder,
    "And",
    binary(builder, "GreaterOrEqual", x, from),
    binary(builder, "LessOrEqual", x, to),
  );
  const position = divide(
    builder,
    multiply(builder, subtract(builder, x, from), number(x.dtype, bins)),
    subtract(builder, to, from),
  );
  const inside = where(builder, isInside, position, number(x.dtype, 0));
  const places = binary(builder, "Min", cast(builder, inside, "I64"), number("I64", bins - 1));
  return cast(builder, countedUp(builder, places, cast(builder, isInside, "I64"), bins), self.dtype);
}

/** Runs of equal neighbours as one of each, with the run of each element and the length of each run. */
function consecutive(builder: GraphBuilder, self: Operand, dim: number | undefined): readonly Operand[] {
  const x = dim === undefined ? reshape(builder, self, [-1]) : self;
  const axis = dim === undefined ? 0 : axisOf(dim, self.shape.length);
  const length = x.shape[axis] as Dimension;
  if (typeof length !== "number" || elementsOf(x.shape) === 0)
    throw new ConvertError("unsupported", `unique_consecutive of shape ${shapeText(self.shape)}`);
  const starts = runStarts(builder, x, axis, length);
  const compressed = builder.node(
    "Compress",
    [x, starts],
    { dtype: x.dtype, shape: x.shape.map((extent, own) => (own === axis ? -1 : extent)) },
    { axis: intAttribute(axis) },
  );
  const values = withDataExtent(builder, compressed, axis, length);
  const flags = cast(builder, starts, "I64");
  const runs = builder.node("CumSum", [flags, number("I64", 0)], flags);
  const inverse = subtract(builder, runs, number("I64", 1));
  const counts = countedUp(builder, inverse, ones(builder, inverse), values.shape[axis] as Dimension);
  return [values, dim === undefined ? reshape(builder, inverse, self.shape) : inverse, counts];
}

/** Where along an axis something else begins: `[length]` bools. */
function runStarts(builder: GraphBuilder, x: Operand, axis: number, length: number): Operand {
  const first = constant("BOOL", [1], [1]);
  if (length === 1) return first;
  const own = distinguishable(builder, x);
  const isEqual = binary(
    builder,
    "Equal",
    slice(builder, own, axis, 1, length),
    slice(builder, own, axis, 0, length - 1),
  );
  if (x.shape.length === 1) return concat(builder, [first, not(builder, isEqual)], 0);
  const rows = reshape(builder, swapAxes(builder, isEqual, 0, axis), [length - 1, -1]);
  const differs = cast(builder, not(builder, rows), "I32");
  const starts = squeeze(builder, reduce(builder, "ReduceMax", differs, [1], true), [1]);
  return concat(builder, [first, cast(builder, starts, "BOOL")], 0);
}

/** How often numbers occur, in all or one after another. */
export const countingRules: readonly OperatorRule[] = [
  rule(
    "bincount(Tensor self, Tensor? weights=None, int minlength=0)",
    ({ self, weights, minlength }, builder) => bincount(builder, self, weights, minlength),
  ),
  rule("histc(Tensor self, int bins=100, Scalar min=0, Scalar max=0)", ({ self, bins, min, max }, builder) =>
    histogram(builder, self, bins, Number(min), Number(max)),
  ),
  rule(
    "unique_consecutive(Tensor self, any return_inverse=False, any return_counts=False, int? dim=None)",
    ({ self, dim }, builder) => consecutive(builder, self, dim),
  ),
];
