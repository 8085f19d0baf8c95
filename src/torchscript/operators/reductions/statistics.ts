import { ConvertError } from "../../../core/errors.ts";
import { cast, divide, not, number, unary, where } from "../../emit/arithmetic.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";

import type { Operand } from "../../emit/operand.ts";
import { reduce } from "../../emit/reduce.ts";
import { isFloat } from "../../emit/types.ts";
import { isNaNOf } from "../elements/functions.ts";
import { type OperatorRule, rule } from "../rule.ts";
import { extreme, mean, reducedAxes, summed, variance } from "./reductions.ts";

interface Spread {
  readonly self: Operand;
  readonly dim: readonly number[] | undefined;
  readonly correction: number;
  readonly keepdim: boolean;
}

const spreads: readonly OperatorRule[] = (["var_mean", "std_mean"] as const).flatMap((name) => {
  const both = (builder: GraphBuilder, { self, dim, correction, keepdim }: Spread): readonly Operand[] => {
    const spread = variance(builder, self, dim, correction, keepdim);
    const first = name === "std_mean" ? unary(builder, "Sqrt", spread) : spread;
    return [first, mean(builder, self, dim, keepdim, undefined)];
  };
  return [
    rule(
      `${name}(Tensor self, bool unbiased=True)` as "a(Tensor self, bool unbiased=True)",
      ({ self, unbiased }, builder) =>
        both(builder, { self, dim: undefined, correction: unbiased ? 1 : 0, keepdim: false }),
    ),
    rule(
      `${name}(Tensor self, int[1]? dim, bool unbiased=True, bool keepdim=False)` as "a(Tensor self, int[]? dim, bool unbiased=True, bool keepdim=False)",
      ({ self, dim, unbiased, keepdim }, builder) =>
        both(builder, { self, dim, correction: unbiased ? 1 : 0, keepdim }),
    ),
    rule(
      `${name}(Tensor self, int[1]? dim=None, *, Scalar? correction=None, bool keepdim=False)` as "a(Tensor self, int[]? dim=None, *, Scalar? correction=None, bool keepdim=False)",
      ({ self, dim, correction, keepdim }, builder) =>
        both(builder, { self, dim, correction: Number(correction ?? 1), keepdim }),
    ),
  ];
});

/** The smallest and the largest, over one axis or all. */
function bothEnds(
  builder: GraphBuilder,
  self: Operand,
  dim: number | undefined,
  keepdim: boolean,
): readonly Operand[] {
  const dims = dim === undefined ? undefined : [dim];
  return (["ReduceMin", "ReduceMax"] as const).map((type) => extreme(builder, type, self, dims, keepdim));
}

/** The sum of what is no NaN. */
function sumOfNumbers(
  builder: GraphBuilder,
  self: Operand,
  dim: readonly number[] | undefined,
  keepdim: boolean,
  dtype: Operand["dtype"] | undefined,
): Operand {
  const x = dtype === undefined ? self : cast(builder, self, dtype);
  const kept = isFloat(x.dtype) ? where(builder, isNaNOf(builder, x), number(x.dtype, 0), x) : x;
  return summed(builder, "ReduceSum", kept, dim, keepdim, dtype);
}

/** How many elements are true. */
function counted(
  builder: GraphBuilder,
  flags: Operand,
  dim: readonly number[] | undefined,
  keepdim = false,
): Operand {
  return reduce(builder, "ReduceSum", cast(builder, flags, "I64"), reducedAxes(flags, dim), keepdim);
}

type Numbers = "a(Tensor self, int[]? dim=None, bool keepdim=False, *, dtype? dtype=None)";

const sums: readonly OperatorRule[] = [
  rule(
    "nansum(Tensor self, int[1]? dim=None, bool keepdim=False, *, dtype? dtype=None)" as Numbers,
    ({ self, dim, keepdim, dtype }, builder) => sumOfNumbers(builder, self, dim, keepdim, dtype),
  ),
  rule(
    "nanmean(Tensor self, int[1]? dim=None, bool keepdim=False, *, dtype? dtype=None)" as Numbers,
    ({ self, dim, keepdim, dtype }, builder) => {
      if (!isFloat(self.dtype)) throw new ConvertError("malformed", `the mean of ${self.dtype}`);
      const sum = sumOfNumbers(builder, self, dim, keepdim, dtype);
      const count = counted(builder, not(builder, isNaNOf(builder, self)), dim, keepdim);
      return divide(builder, sum, cast(builder, count, sum.dtype));
    },
  ),
  rule("count_nonzero(Tensor self, int? dim=None)", ({ self, dim }, builder) =>
    counted(builder, cast(builder, self, "BOOL"), dim === undefined ? undefined : [dim]),
  ),
  rule("count_nonzero(Tensor self, int[] dim)", ({ self, dim }, builder) =>
    counted(builder, cast(builder, self, "BOOL"), dim),
  ),
];

/** The smallest and largest elements, sums and means without NaN, and spreads with their means. */
export const statisticRules: readonly OperatorRule[] = [
  ...spreads,
  ...sums,
  rule("aminmax(Tensor self, *, int? dim=None, bool keepdim=False)", ({ self, dim, keepdim }, builder) =>
    bothEnds(builder, self, dim, keepdim),
  ),
  rule("_aminmax(Tensor self)", ({ self }, builder) => bothEnds(builder, self, undefined, false)),
  rule("_aminmax(Tensor self, int dim, bool keepdim=False)", ({ self, dim, keepdim }, builder) =>
    bothEnds(builder, self, dim, keepdim),
  ),
];
