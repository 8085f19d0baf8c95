import { ConvertError } from "../../../core/errors.ts";
import { binary, cast, multiply, number, subtract, unary, where } from "../../emit/arithmetic.ts";
import { intAttribute } from "../../emit/attributes.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { axisOf, gather, reshape, squeeze, swapAxes, transpose, unsqueeze } from "../../emit/layout.ts";
import { constant, integers, knownNumbers, type Operand } from "../../emit/operand.ts";
import { reduce } from "../../emit/reduce.ts";
import { isFloat } from "../../emit/types.ts";
import { addDimensions, type Dimension, divideDimensions } from "../../shapes/dimension.ts";
import { isNaNOf } from "../elements/functions.ts";
import { interpolated } from "../elements/numeric.ts";
import { type OperatorRule, rule } from "../rule.ts";
import { ranked } from "./ordering.ts";

/** The elements of the last axis in order, NaN at the end; how many of them are numbers, and whether all are. */
interface Ranks {
  readonly sorted: Operand;
  readonly extent: Dimension;
  readonly count: Operand;
  readonly isOdd: Operand;
}

function ranksOf(builder: GraphBuilder, x: Operand): Ranks {
  const axis = x.shape.length - 1;
  const extent = x.shape[axis] as Dimension;
  // NaN counts as an infinity here, so that the elements themselves are not looked at again.
  const odd = isFloat(x.dtype) ? isNaNOf(builder, x) : undefined;
  const held = odd === undefined ? x : where(builder, odd, number(x.dtype, Number.POSITIVE_INFINITY), x);
  const [sorted] = ranked(builder, held, extent, axis, false);
  if (odd === undefined) {
    const isOdd = constant("BOOL", [], [0]);
    return { sorted, extent, count: constant("I64", [], [extent]), isOdd };
  }
  const oddCount = reduce(builder, "ReduceSum", cast(builder, odd, "I64"), [axis], true);
  const count = subtract(builder, constant("I64", [], [extent]), oddCount);
  return { sorted, extent, count, isOdd: cast(builder, oddCount, "BOOL") };
}

/** What places along the last axis pick, row by row. */
function picked(builder: GraphBuilder, sorted: Operand, places: Operand): Operand {
  if (places.shape.length < sorted.shape.length) {
    return gather(builder, sorted, places, sorted.shape.length - 1);
  }
  const result = { dtype: sorted.dtype, shape: places.shape };
  return builder.node("GatherElements", [sorted, places], result, {
    axis: intAttribute(sorted.shape.length - 1),
  });
}

/** The lower of the two in the middle along the last axis, which is kept; NaN where there is one, or they are passed over. */
function middle(builder: GraphBuilder, x: Operand, skipsNaN: boolean): Operand {
  const { sorted, extent, count, isOdd } = ranksOf(builder, x);
  const last = builder.guards.decide(extent, "==", 0);
  if (last) throw new ConvertError("malformed", "the median of no elements");
  const half = divideDimensions(addDimensions(extent, -1), 2);
  if (!isFloat(x.dtype)) return gather(builder, sorted, integers([half]), x.shape.length - 1);
  const nan = number(x.dtype, Number.NaN);
  if (!skipsNaN)
    return where(builder, isOdd, nan, gather(builder, sorted, integers([half]), x.shape.length - 1));
  const rank = binary(builder, "Div", subtract(builder, count, number("I64", 1)), number("I64", 2));
  const value = picked(builder, sorted, binary(builder, "Max", rank, number("I64", 0)));
  return where(builder, binary(builder, "Equal", count, number("I64", 0)), nan, value);
}

/** The first place of a value along the last axis, of several equal ones the first. */
function placeOf(builder: GraphBuilder, x: Operand, value: Operand): Operand {
  const isEqual = binary(builder, "Equal", x, value);
  const flags = !isFloat(x.dtype)
    ? isEqual
    : binary(builder, "Or", isEqual, binary(builder, "And", isNaNOf(builder, x), isNaNOf(builder, value)));
  const attributes = { axis: intAttribute(x.shape.length - 1), keepdims: intAttribute(1) };
  return builder.node(
    "ArgMax",
    [cast(builder, flags, "I32")],
    { dtype: "I64", shape: value.shape },
    attributes,
  );
}

function median(
  builder: GraphBuilder,
  self: Operand,
  dim: number,
  keepdim: boolean,
  skipsNaN: boolean,
): readonly Operand[] {
  if (self.dtype === "BOOL") throw new ConvertError("malformed", "the median of bools");
  const axis = axisOf(dim, self.shape.length);
  if (self.shape.length === 0) return [self, number("I64", 0)];
  const last = self.shape.length - 1;
  const x = swapAxes(builder, self, axis, last);
  const value = middle(builder, x, skipsNaN);
  return [value, placeOf(builder, x, value)].map((operand) => {
    const back = swapAxes(builder, operand, axis, last);
    return keepdim ? back : squeeze(builder, back, [axis]);
  });
}

function medianOfAll(builder: GraphBuilder, self: Operand, skipsNaN: boolean): Operand {
  const flat = reshape(builder, self, [-1]);
  if (flat.shape[0] === 0 && isFloat(self.dtype)) return number(self.dtype, Number.NaN);
  return (median(builder, flat, 0, false, skipsNaN) as readonly [Operand])[0];
}

interface Quantile {
  readonly self: Operand;
  readonly q: Operand;
  readonly dim: number | undefined;
  readonly keepdim: boolean;
  readonly interpolation: string;
}

/** Values below which those shares of an axis lie; several shares make an axis of their own in front. */
function quantile(builder: GraphBuilder, args: Quantile, skipsNaN: boolean): Operand {
  const { self, q, dim, keepdim } = args;
  checkQuantile(args);
  const rank = self.shape.length;
  const axis = dim === undefined ? 0 : axisOf(dim, rank);
  const rows =
    dim === undefined || rank === 0 ? reshape(builder, self, [-1]) : swapAxes(builder, self, axis, rank - 1);
  const values = quantilesOf(builder, rows, reshape(builder, q, [-1]), args.interpolation, skipsNaN);
  // The shares are the last axis here, where the axis itself was.
  const lead = values.shape.length - 1;
  const front = transpose(builder, values, [lead, ...values.shape.slice(0, lead).keys()]);
  const whole =
    dim === undefined || rank === 0
      ? reshape(builder, front, [-1, ...new Array(rank).fill(1)])
      : swapAxes(builder, unsqueeze(builder, front, [rank]), axis + 1, rank);
  const axes = dim === undefined ? [...self.shape.keys()] : rank === 0 ? [] : [axis];
  const kept = keepdim
    ? whole
    : squeeze(
        builder,
        whole,
        axes.map((own) => own + 1),
      );
  return q.shape.length === 0 ? squeeze(builder, kept, [0]) : kept;
}

function checkQuantile({ self, q, interpolation }: Quantile): void {
  if (self.dtype !== "F32" && self.dtype !== "F64")
    throw new ConvertError("malformed", `a quantile of ${self.dtype}`);
  if (q.dtype !== self.dtype) throw new ConvertError("malformed", `a share of ${q.dtype} in ${self.dtype}`);
  if (q.shape.length > 1) throw new ConvertError("malformed", "shares of more than one dimension");
  if (self.shape.includes(0)) throw new ConvertError("malformed", "a quantile of no elements");
  if (knownNumbers(q)?.some((share) => !(share >= 0 && share <= 1)))
    throw new ConvertError("malformed", "a share that is not between 0 and 1");
  if (!(interpolation in adjustments))
    throw new ConvertError("malformed", `quantiles are taken by "${interpolation}"`);
}

/** How a place between two elements becomes one of them. */
const adjustments: Readonly<Record<string, string | undefined>> = {
  linear: undefined,
  midpoint: undefined,
  lower: "Floor",
  higher: "Ceil",
  nearest: "Round",
};

function quantilesOf(
  builder: GraphBuilder,
  rows: Operand,
  q: Operand,
  interpolation: string,
  skipsNaN: boolean,
): Operand {
  const { dtype } = rows;
  const { sorted, extent, count, isOdd } = ranksOf(builder, rows);
  const length = skipsNaN ? count : constant("I64", [], [extent]);
  const last = cast(builder, subtract(builder, length, number("I64", 1)), dtype);
  const exact = binary(builder, "Max", multiply(builder, q, last), number(dtype, 0));
  const rounding = adjustments[interpolation];
  const place = rounding === undefined ? exact : unary(builder, rounding, exact);
  const low = cast(builder, place, "I64");
  const below = picked(builder, sorted, low);
  const isNone = skipsNaN ? binary(builder, "Equal", count, number("I64", 0)) : isOdd;
  const value =
    rounding !== undefined
      ? below
      : interpolated(
          builder,
          below,
          picked(builder, sorted, cast(builder, unary(builder, "Ceil", place), "I64")),
          interpolation === "midpoint"
            ? number(dtype, 0.5)
            : subtract(builder, place, cast(builder, low, dtype)),
        );
  return where(builder, isNone, number(dtype, Number.NaN), value);
}

type Whole = "a(Tensor self)";
type Along = "a(Tensor self, int dim, bool keepdim=False)";
type Shares = "a(Tensor self, Tensor q, int? dim=None, bool keepdim=False, *, str interpolation=linear)";
type Share = "a(Tensor self, float q, int? dim=None, bool keepdim=False, *, str interpolation=linear)";

/** Medians and quantiles. */
export const quantileRules: readonly OperatorRule[] = [false, true].flatMap((skipsNaN) => {
  const prefix = skipsNaN ? "nan" : "";
  return [
    rule(`${prefix}median(Tensor self)` as Whole, ({ self }, builder) =>
      medianOfAll(builder, self, skipsNaN),
    ),
    rule(
      `${prefix}median(Tensor self, int dim, bool keepdim=False)` as Along,
      ({ self, dim, keepdim }, builder) => median(builder, self, dim, keepdim, skipsNaN),
    ),
    rule(
      `${prefix}quantile(Tensor self, Tensor q, int? dim=None, bool keepdim=False, *, str interpolation=linear)` as Shares,
      (args, builder) => quantile(builder, args, skipsNaN),
    ),
    rule(
      `${prefix}quantile(Tensor self, float q, int? dim=None, bool keepdim=False, *, str interpolation=linear)` as Share,
      ({ q, ...args }, builder) => quantile(builder, { ...args, q: number(args.self.dtype, q) }, skipsNaN),
    ),
  ];
});
