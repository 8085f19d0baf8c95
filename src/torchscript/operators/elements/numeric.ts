import { ConvertError } from "../../../core/errors.ts";
import {
  add,
  binary,
  cast,
  divide,
  multiply,
  not,
  number,
  scaled,
  subtract,
  unary,
  where,
} from "../../emit/arithmetic.ts";
import { intAttribute } from "../../emit/attributes.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { axisOf, unsqueeze } from "../../emit/layout.ts";
import { integers, knownNumbers, type Operand, tableOf } from "../../emit/operand.ts";
import { reduce } from "../../emit/reduce.ts";
import { isFloat } from "../../emit/types.ts";
import { asFloat, floats, promoted, promotedType } from "../../values/promotion.ts";
import { norm } from "../reductions/norms.ts";
import { type OperatorRule, rule } from "../rule.ts";
import { extreme } from "./comparisons.ts";
import { isNaNOf } from "./functions.ts";

/** Whether elements are infinite; integers never are. The runtime asks it of 32 and 64 bits only. */
export function isInfinite(
  builder: GraphBuilder,
  x: Operand,
  signs: "both" | "positive" | "negative",
): Operand {
  const wide = x.dtype === "F64" ? x : cast(builder, x, "F32");
  const result = { dtype: "BOOL", shape: x.shape } as const;
  return builder.node("IsInf", [wide], result, {
    detect_negative: intAttribute(signs === "positive" ? 0 : 1),
    detect_positive: intAttribute(signs === "negative" ? 0 : 1),
  });
}

const infinities: readonly OperatorRule[] = [
  ...(
    [
      ["isinf", "both"],
      ["isposinf", "positive"],
      ["isneginf", "negative"],
    ] as const
  ).map(([name, signs]) =>
    rule(`${name}(Tensor self)` as "a(Tensor self)", ({ self }, builder) => isInfinite(builder, self, signs)),
  ),
  rule("isfinite(Tensor self)", ({ self }, builder) => {
    const infinite = isInfinite(builder, self, "both");
    if (!isFloat(self.dtype)) return not(builder, infinite);
    return not(builder, binary(builder, "Or", infinite, isNaNOf(builder, self)));
  }),
  rule(
    "nan_to_num(Tensor self, float? nan=None, float? posinf=None, float? neginf=None)",
    ({ self, nan, posinf, neginf }, builder) => {
      if (!isFloat(self.dtype)) return self;
      const most = largest[self.dtype];
      if (most === undefined)
        throw new ConvertError("unsupported", `the largest number of ${self.dtype} is not known`);
      const put = (x: Operand, condition: Operand, value: number): Operand =>
        where(builder, condition, number(self.dtype, value), x);
      const finite = put(self, isNaNOf(builder, self), nan ?? 0);
      const below = put(finite, isInfinite(builder, self, "negative"), neginf ?? -most);
      return put(below, isInfinite(builder, self, "positive"), posinf ?? most);
    },
  ),
];

const largest: Readonly<Record<string, number>> = {
  F64: Number.MAX_VALUE,
  F32: (2 - 2 ** -23) * 2 ** 127,
  F16: 65504,
  BF16: (2 - 2 ** -7) * 2 ** 127,
};

const shrinks: readonly OperatorRule[] = [
  rule("hardshrink(Tensor self, Scalar lambd=0.5)", ({ self, lambd }, builder) => {
    const bound = number(self.dtype, Number(lambd));
    const isSmall = binary(builder, "LessOrEqual", unary(builder, "Abs", self), bound);
    return where(builder, isSmall, number(self.dtype, 0), self);
  }),
  rule("softshrink(Tensor self, Scalar lambd=0.5)", ({ self, lambd }, builder) => {
    const bound = number(self.dtype, Number(lambd));
    const above = binary(builder, "Greater", self, bound);
    const below = binary(builder, "Less", self, unary(builder, "Neg", bound));
    const rest = where(builder, below, add(builder, self, bound), scaled(builder, self, 0));
    return where(builder, above, subtract(builder, self, bound), rest);
  }),
];

/** From the nearer end, as torch has it, so that both ends come out as they are. */
export function interpolated(builder: GraphBuilder, start: Operand, stop: Operand, share: Operand): Operand {
  const way = subtract(builder, stop, start);
  const forth = add(builder, start, multiply(builder, share, way));
  const back = subtract(
    builder,
    stop,
    multiply(builder, way, subtract(builder, number(share.dtype, 1), share)),
  );
  const isNear = binary(builder, "Less", unary(builder, "Abs", share), number(share.dtype, 0.5));
  const known = knownNumbers(isNear);
  if (known?.length === 1) return known[0] === 0 ? back : forth;
  return where(builder, isNear, forth, back);
}

const mixtures: readonly OperatorRule[] = [
  rule("lerp(Tensor self, Tensor end, Tensor|Scalar weight)", ({ self, end, weight }, builder) => {
    if (self.dtype !== end.dtype)
      throw new ConvertError("malformed", `from ${self.dtype} to ${end.dtype} with lerp`);
    const [start, stop, share] = promoted(builder, self, end, weight) as [Operand, Operand, Operand];
    return interpolated(builder, start, stop, share);
  }),
  rule(
    "addcmul(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1)",
    ({ self, tensor1, tensor2, value }, builder) => {
      const [a, b, c] = promoted(builder, self, tensor1, tensor2) as [Operand, Operand, Operand];
      return add(builder, a, scaled(builder, multiply(builder, b, c), Number(value)));
    },
  ),
  rule(
    "addcdiv(Tensor self, Tensor tensor1, Tensor tensor2, *, Scalar value=1)",
    ({ self, tensor1, tensor2, value }, builder) => {
      const dtype = promotedType([self, tensor1, tensor2]);
      if (!isFloat(dtype)) throw new ConvertError("malformed", "addcdiv of integers");
      const [a, b, c] = promoted(builder, self, tensor1, tensor2) as [Operand, Operand, Operand];
      return add(builder, a, scaled(builder, divide(builder, b, c), Number(value)));
    },
  ),
];

/** `sqrt(a² + b²)` of floats, also where a square is too large or too small to be held. */
export function hypotenuse(builder: GraphBuilder, a: Operand, b: Operand): Operand {
  const [x, y] = [unary(builder, "Abs", a), unary(builder, "Abs", b)];
  // Scaled by the larger, whose square might be too large.
  const [long, short] = [binary(builder, "Max", x, y), binary(builder, "Min", x, y)];
  const isZero = binary(builder, "Equal", long, number(long.dtype, 0));
  const ratio = where(builder, isZero, long, divide(builder, short, long));
  const one = number(long.dtype, 1);
  const root = unary(builder, "Sqrt", add(builder, multiply(builder, ratio, ratio), one));
  const isLong = binary(builder, "Or", isInfinite(builder, x, "both"), isInfinite(builder, y, "both"));
  return where(builder, isLong, number(long.dtype, Number.POSITIVE_INFINITY), multiply(builder, long, root));
}

type Two = "a(Tensor self, Tensor other)";

const functions: readonly OperatorRule[] = [
  ...[
    ["deg2rad", Math.PI / 180],
    ["rad2deg", 180 / Math.PI],
  ].map(([name, factor]) =>
    rule(`${name}(Tensor self)` as "a(Tensor self)", ({ self }, builder) =>
      scaled(builder, asFloat(builder, self), factor as number),
    ),
  ),
  rule("logit(Tensor self, float? eps=None)", ({ self, eps }, builder) => {
    const x = asFloat(builder, self);
    const low = (bound: number): Operand => number(x.dtype, bound);
    const inner =
      eps === undefined ? x : binary(builder, "Min", binary(builder, "Max", x, low(eps)), low(1 - eps));
    return unary(builder, "Log", divide(builder, inner, subtract(builder, low(1), inner)));
  }),
  rule("hypot(Tensor self, Tensor other)", ({ self, other }, builder) =>
    hypotenuse(builder, ...floats(builder, self, other)),
  ),
  ...(
    [
      ["fmax", "Max"],
      ["fmin", "Min"],
    ] as const
  ).map(([name, opType]) =>
    rule(`${name}(Tensor self, Tensor other)` as Two, ({ self, other }, builder) => {
      const [x, y] = promoted(builder, self, other) as [Operand, Operand];
      const chosen = extreme(builder, opType, x, y);
      if (!isFloat(x.dtype)) return chosen;
      // A number wins over NaN.
      const orY = where(builder, isNaNOf(builder, x), y, chosen);
      return where(builder, isNaNOf(builder, y), x, orY);
    }),
  ),
];

/** The length of vectors along an axis. */
function lengthOf(builder: GraphBuilder, x: Operand, axis: number, keepAxis: boolean): Operand {
  return reduce(builder, "ReduceL2", x, [axis], keepAxis);
}

const distances: readonly OperatorRule[] = [
  rule(
    "cosine_similarity(Tensor x1, Tensor x2, int dim=1, float eps=1e-08)",
    ({ x1, x2, dim, eps }, builder) => {
      const [a, b] = floats(builder, x1, x2);
      const axis = axisOf(dim, Math.max(a.shape.length, b.shape.length));
      const unit = (x: Operand): Operand => {
        const own = axis - (Math.max(a.shape.length, b.shape.length) - x.shape.length);
        if (own < 0) throw new ConvertError("unsupported", "vectors of different ranks are compared");
        const length = lengthOf(builder, x, own, true);
        return divide(builder, x, binary(builder, "Max", length, number(x.dtype, eps)));
      };
      return reduce(builder, "ReduceSum", multiply(builder, unit(a), unit(b)), [axis], false);
    },
  ),
  rule(
    "pairwise_distance(Tensor x1, Tensor x2, float p=2, float eps=1e-06, bool keepdim=False)",
    ({ x1, x2, p, eps, keepdim }, builder) => {
      const [a, b] = floats(builder, x1, x2);
      const apart = add(builder, subtract(builder, a, b), number(a.dtype, eps));
      return norm(builder, apart, p, [-1], keepdim, undefined);
    },
  ),
  rule("dist(Tensor self, Tensor other, Scalar p=2)", ({ self, other, p }, builder) => {
    const [a, b] = promoted(builder, self, other) as [Operand, Operand];
    return norm(builder, subtract(builder, a, b), Number(p), undefined, false, undefined);
  }),
];

const selections: readonly OperatorRule[] = [
  rule("one_hot(Tensor self, int num_classes=-1)", ({ self, num_classes }, builder) => {
    if (num_classes < 1)
      throw new ConvertError("unsupported", "one_hot without a number of classes, which data would tell");
    if (self.dtype !== "I64") throw new ConvertError("malformed", `one_hot of ${self.dtype}`);
    const classes = integers(tableOf(num_classes, (index) => index));
    const rows = unsqueeze(builder, self, [self.shape.length]);
    return cast(builder, binary(builder, "Equal", rows, classes), "I64");
  }),
];

/** Less usual functions of numbers, and distances. */
export const numericRules: readonly OperatorRule[] = [
  ...infinities,
  ...shrinks,
  ...mixtures,
  ...functions,
  ...distances,
  ...selections,
];
