import type { DType } from "../../../core/dtype.ts";
import { ConvertError } from "../../../core/errors.ts";
import { add, cast, multiply, not, number, subtract, unary, where } from "../../emit/arithmetic.ts";
import { intAttribute } from "../../emit/attributes.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { axisOf, reshape } from "../../emit/layout.ts";
import type { Operand } from "../../emit/operand.ts";
import { type Reduction, reduce } from "../../emit/reduce.ts";
import { categoryOf, isFloat } from "../../emit/types.ts";
import { elementsOf } from "../../shapes/dimension.ts";
import { asFloat, asOperand } from "../../values/promotion.ts";
import { isNaNOf } from "../elements/functions.ts";
import { type OperatorRule, rule } from "../rule.ts";

/** The axes that torch means: none given are all of them. */
export function reducedAxes(x: Operand, dims: readonly number[] | undefined): readonly number[] {
  const rank = x.shape.length;
  if (dims === undefined || dims.length === 0) return [...x.shape.keys()];
  // A 0-d tensor takes the axes 0 and -1, and has none.
  const axes = new Set(dims.map((dim) => axisOf(dim, rank)));
  if (axes.size < dims.length) throw new ConvertError("malformed", `axes [${dims.join(", ")}] repeat one`);
  return [...axes].filter((axis) => axis < rank).sort((a, b) => a - b);
}

/** Sums and products of bools and integers are 64-bit. */
function wide(builder: GraphBuilder, x: Operand, dtype: DType | undefined): Operand {
  if (dtype !== undefined) return cast(builder, x, dtype);
  const category = categoryOf(x.dtype);
  return category === "bool" || category === "integer" ? cast(builder, x, "I64") : x;
}

/** A sum or product over axes, all where none are given; of bools and integers it is 64-bit unless `dtype` says otherwise. */
export function summed(
  builder: GraphBuilder,
  opType: Reduction,
  self: Operand,
  dim: readonly number[] | undefined,
  keepdim: boolean,
  dtype: DType | undefined,
): Operand {
  const own = dtype ?? (isFloat(self.dtype) ? self.dtype : "I64");
  // The runtime adds up no narrow integers; sums of wider ones end in the same bits.
  const x = cast(builder, self, isFloat(own) || own === "I32" ? own : "I64");
  return cast(builder, reduce(builder, opType, x, reducedAxes(x, dim), keepdim), own);
}

/** Whether nothing is reduced, as far as is known before the graph runs. */
function isOfNothing(x: Operand, axes: readonly number[]): boolean {
  return axes.some((axis) => x.shape[axis] === 0);
}

/** The mean over axes, all where none are given; NaN of nothing. Throws kind `malformed` for integers. */
export function mean(
  builder: GraphBuilder,
  self: Operand,
  dim: readonly number[] | undefined,
  keepdim: boolean,
  dtype: DType | undefined,
): Operand {
  const x = dtype === undefined ? self : cast(builder, self, dtype);
  if (!isFloat(x.dtype)) throw new ConvertError("malformed", `the mean of ${x.dtype}`);
  const axes = reducedAxes(x, dim);
  if (!isOfNothing(x, axes)) return reduce(builder, "ReduceMean", x, axes, keepdim);
  const zeros = reduce(builder, "ReduceSum", x, axes, keepdim);
  return add(builder, zeros, number(x.dtype, Number.NaN));
}

/** Bools have no maximum in the runtime, and are compared as integers. */
export function extreme(
  builder: GraphBuilder,
  opType: "ReduceMax" | "ReduceMin",
  self: Operand,
  dim: readonly number[] | undefined,
  keepdim: boolean,
): Operand {
  const x = self.dtype === "BOOL" || self.dtype === "I16" ? cast(builder, self, "I32") : self;
  return cast(builder, extremeOver(builder, opType, x, reducedAxes(x, dim), keepdim), self.dtype);
}

/** The largest or smallest over axes, or NaN where there is one. */
export function extremeOver(
  builder: GraphBuilder,
  opType: "ReduceMax" | "ReduceMin",
  x: Operand,
  axes: readonly number[],
  keepdim: boolean,
): Operand {
  if (isOfNothing(x, axes)) throw new ConvertError("malformed", "the extreme of no elements");
  const result = reduce(builder, opType, x, axes, keepdim);
  if (!isFloat(x.dtype)) return result;
  // Torch gives NaN where there is one, and the runtime passes it over.
  const isOdd = reduce(builder, "ReduceMax", cast(builder, isNaNOf(builder, x), "I32"), axes, keepdim);
  return where(builder, cast(builder, isOdd, "BOOL"), number(x.dtype, Number.NaN), result);
}

/** Whether any, or all, are not zero. */
function truth(
  builder: GraphBuilder,
  name: "any" | "all",
  self: Operand,
  dim: readonly number[] | undefined,
  keepdim: boolean,
): Operand {
  const flags = cast(builder, self, "BOOL");
  // Counted, which of nothing is 0: no extreme is.
  const counted = cast(builder, name === "any" ? flags : not(builder, flags), "I32");
  const count = reduce(builder, "ReduceSum", counted, reducedAxes(self, dim), keepdim);
  const result = cast(builder, count, "BOOL");
  return cast(builder, name === "any" ? result : not(builder, result), self.dtype === "U8" ? "U8" : "BOOL");
}

/** The place of the largest or smallest along an axis, the first of equal ones. */
export function place(
  builder: GraphBuilder,
  opType: "ArgMax" | "ArgMin",
  self: Operand,
  dim: number,
  keepdim: boolean,
): Operand {
  const axis = axisOf(dim, self.shape.length);
  const x = self.dtype === "BOOL" ? cast(builder, self, "I32") : self;
  if (x.shape.length === 0) return number("I64", 0);
  if (x.shape[axis] === 0) throw new ConvertError("malformed", "the place of an extreme of no elements");
  const shape = keepdim
    ? x.shape.map((extent, index) => (index === axis ? 1 : extent))
    : x.shape.filter((_, index) => index !== axis);
  const keepdims = intAttribute(keepdim ? 1 : 0);
  const find = (type: string, inner: Operand): Operand =>
    builder.node(type, [inner], { dtype: "I64", shape }, { axis: intAttribute(axis), keepdims });
  if (!isFloat(x.dtype)) return find(opType, x);
  // The first NaN counts as the extreme, if there is one.
  const odd = cast(builder, isNaNOf(builder, x), "I32");
  const isOdd = cast(builder, reduce(builder, "ReduceMax", odd, [axis], keepdim), "BOOL");
  return where(builder, isOdd, find("ArgMax", odd), find(opType, x));
}

/** The variance over axes, whose divisor is less by `correction`. Throws kind `malformed` for integers. */
export function variance(
  builder: GraphBuilder,
  self: Operand,
  dim: readonly number[] | undefined,
  correction: number,
  keepdim: boolean,
): Operand {
  if (!isFloat(self.dtype)) throw new ConvertError("malformed", `the variance of ${self.dtype}`);
  const x = self;
  const axes = reducedAxes(x, dim);
  const centred = subtract(builder, x, reduce(builder, "ReduceMean", x, axes, true));
  const squares = reduce(builder, "ReduceSum", multiply(builder, centred, centred), axes, keepdim);
  const count = elementsOf(axes.map((axis) => x.shape[axis] as number));
  const divisor = builder.guards.settle(count, "the number of elements of a variance") - correction;
  return builder.node("Div", [squares, number(x.dtype, Math.max(divisor, 0))], squares);
}

type Whole = "a(Tensor self, *, dtype? dtype=None)";
type Along = "a(Tensor self, int[]? dim, bool keepdim=False, *, dtype? dtype=None)";
type AlongOne = "a(Tensor self, int dim, bool keepdim=False, *, dtype? dtype=None)";

const sums: readonly OperatorRule[] = [
  rule("sum(Tensor self, *, dtype? dtype=None)" as Whole, ({ self, dtype }, builder) =>
    summed(builder, "ReduceSum", self, undefined, false, dtype),
  ),
  rule(
    "sum(Tensor self, int[1]? dim, bool keepdim=False, *, dtype? dtype=None)" as Along,
    ({ self, dim, keepdim, dtype }, builder) => summed(builder, "ReduceSum", self, dim, keepdim, dtype),
  ),
  rule("prod(Tensor self, *, dtype? dtype=None)" as Whole, ({ self, dtype }, builder) =>
    summed(builder, "ReduceProd", self, undefined, false, dtype),
  ),
  rule(
    "prod(Tensor self, int dim, bool keepdim=False, *, dtype? dtype=None)" as AlongOne,
    ({ self, dim, keepdim, dtype }, builder) => summed(builder, "ReduceProd", self, [dim], keepdim, dtype),
  ),
  rule("mean(Tensor self, *, dtype? dtype=None)" as Whole, ({ self, dtype }, builder) =>
    mean(builder, self, undefined, false, dtype),
  ),
  rule(
    "mean(Tensor self, int[1]? dim, bool keepdim=False, *, dtype? dtype=None)" as Along,
    ({ self, dim, keepdim, dtype }, builder) => mean(builder, self, dim, keepdim, dtype),
  ),
  rule("logsumexp(Tensor self, int[1] dim, bool keepdim=False)", ({ self, dim, keepdim }, builder) => {
    const x = asFloat(builder, self);
    return reduce(builder, "ReduceLogSumExp", x, reducedAxes(x, dim), keepdim);
  }),
];

const extremes: readonly OperatorRule[] = (["max", "min"] as const).flatMap((name) => {
  const reduction = name === "max" ? "ReduceMax" : "ReduceMin";
  const index = name === "max" ? "ArgMax" : "ArgMin";
  return [
    rule(`${name}(Tensor self)` as "a(Tensor self)", ({ self }, builder) =>
      extreme(builder, reduction, self, undefined, false),
    ),
    rule(
      `${name}(Tensor self, int dim, bool keepdim=False)` as "a(Tensor self, int dim, bool keepdim=False)",
      ({ self, dim, keepdim }, builder) => [
        extreme(builder, reduction, self, [dim], keepdim),
        place(builder, index, self, dim, keepdim),
      ],
    ),
    rule(
      `a${name}(Tensor self, int[1] dim=[], bool keepdim=False)` as "a(Tensor self, int[1] dim=[], bool keepdim=False)",
      ({ self, dim, keepdim }, builder) => extreme(builder, reduction, self, dim, keepdim),
    ),
    rule(
      `arg${name}(Tensor self, int? dim=None, bool keepdim=False)` as "a(Tensor self, int? dim=None, bool keepdim=False)",
      ({ self, dim, keepdim }, builder) => {
        if (dim !== undefined) return place(builder, index, self, dim, keepdim);
        const flat = place(builder, index, reshape(builder, self, [-1]), 0, false);
        return keepdim
          ? reshape(
              builder,
              flat,
              self.shape.map(() => 1),
            )
          : flat;
      },
    ),
  ];
});

const truths: readonly OperatorRule[] = (["any", "all"] as const).flatMap((name) => {
  return [
    rule(`${name}(Tensor self)` as "a(Tensor self)", ({ self }, builder) =>
      truth(builder, name, self, undefined, false),
    ),
    rule(
      `${name}(Tensor self, int[1] dim, bool keepdim=False)` as "a(Tensor self, int[1] dim, bool keepdim=False)",
      ({ self, dim, keepdim }, builder) => truth(builder, name, self, dim, keepdim),
    ),
  ];
});

const spreads: readonly OperatorRule[] = (["var", "std"] as const).flatMap((name) => {
  const finish = (builder: GraphBuilder, x: Operand): Operand =>
    name === "std" ? unary(builder, "Sqrt", x) : x;
  return [
    rule(
      `${name}(Tensor self, bool unbiased=True)` as "a(Tensor self, bool unbiased=True)",
      ({ self, unbiased }, builder) =>
        finish(builder, variance(builder, self, undefined, unbiased ? 1 : 0, false)),
    ),
    rule(
      `${name}(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False)` as "a(Tensor self, int[]? dim, bool unbiased=True, bool keepdim=False)",
      ({ self, dim, unbiased, keepdim }, builder) =>
        finish(builder, variance(builder, self, dim, unbiased ? 1 : 0, keepdim)),
    ),
    rule(
      `${name}(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False)` as "a(Tensor self, int[]? dim=None, *, Scalar? correction=None, bool keepdim=False)",
      ({ self, dim, correction, keepdim }, builder) =>
        finish(builder, variance(builder, self, dim, Number(correction ?? 1), keepdim)),
    ),
  ];
});

/** Sums, means, extremes and the like over axes. */
export const reductionRules: readonly OperatorRule[] = [
  ...sums,
  ...extremes,
  ...truths,
  ...spreads,
  ...["cumsum"].map((name) =>
    rule(
      `${name}(Tensor self, int dim, *, dtype? dtype=None)` as "a(Tensor self, int dim, *, dtype? dtype=None)",
      ({ self, dim, dtype }, builder) => {
        const x = wide(builder, self, dtype);
        if (x.shape.length === 0) return x;
        const axis = asOperand(builder, BigInt(axisOf(dim, x.shape.length)), "I64");
        return builder.node("CumSum", [x, axis], x);
      },
    ),
  ),
];
