import { ConvertError } from "../../../core/errors.ts";
import {
  add,
  binary,
  divide,
  multiply,
  not,
  number,
  scaled,
  subtract,
  unary,
  where,
} from "../../emit/arithmetic.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import type { Operand } from "../../emit/operand.ts";
import { isFloat } from "../../emit/types.ts";
import { asFloat, floats, promotedType } from "../../values/promotion.ts";
import { inSingle } from "../layout/windows.ts";
import { type OperatorRule, type RuleContext, rule } from "../rule.ts";
import { isNaNOf, log1pOf } from "./functions.ts";
import { isInfinite } from "./numeric.ts";
import { wideHalves } from "./wide-halves.ts";

/** Coefficients of a fit to `log(erfc(z) / t) + z²` in powers of `t = 2 / (2 + z)`, within 1.2e-7: Press et al., "Numerical Recipes", 6.2. */
const erfcFit = [
  -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587,
  -0.82215223, 0.17087277,
];

/** `1 - erf(x)`; where that leaves few digits, by a fit. */
function complementaryError(builder: GraphBuilder, operand: Operand, context: RuleContext): Operand {
  return inSingle(builder, [operand], context, ([given]) => {
    const x = given as Operand;
    const of = (value: number): Operand => number(x.dtype, value);
    const size = unary(builder, "Abs", x);
    const t = divide(builder, of(2), add(builder, size, of(2)));
    const series = erfcFit.reduceRight<Operand | undefined>(
      (sum, own) => (sum === undefined ? of(own) : add(builder, multiply(builder, sum, t), of(own))),
      undefined,
    ) as Operand;
    const power = unary(builder, "Exp", subtract(builder, series, multiply(builder, size, size)));
    const beyond = multiply(builder, t, power);
    const isFar = binary(builder, "Greater", x, of(0.5));
    return where(builder, isFar, beyond, subtract(builder, of(1), unary(builder, "Erf", x)));
  });
}

/** `log(eᵃ + eᵇ)`, or of powers of 2, whose logarithms are `unit` of the natural ones. */
function logOfSum(builder: GraphBuilder, a: Operand, b: Operand, unit: number): Operand {
  const isSame = binary(builder, "And", isInfinite(builder, a, "both"), binary(builder, "Equal", a, b));
  const apart = unary(builder, "Abs", subtract(builder, a, b));
  const small = unary(builder, "Exp", scaled(builder, apart, -unit));
  const rest = divide(builder, log1pOf(builder, small), number(a.dtype, unit));
  return where(builder, isSame, a, add(builder, binary(builder, "Max", a, b), rest));
}

/** `x · f(y)`, which is 0 where `x` is, and NaN where `y` is. */
export function weighed(builder: GraphBuilder, x: Operand, y: Operand, value: Operand): Operand {
  const isZero = binary(builder, "Equal", x, number(x.dtype, 0));
  const counts = binary(builder, "And", isZero, not(builder, isNaNOf(builder, y)));
  return where(builder, counts, number(x.dtype, 0), multiply(builder, x, value));
}

/** To some decimals, or to tens, hundreds … where there are less than none. */
function roundedTo(builder: GraphBuilder, x: Operand, decimals: number): Operand {
  if (!isFloat(x.dtype)) throw new ConvertError("malformed", `decimals of ${x.dtype} are rounded`);
  if (decimals === 0) return unary(builder, "Round", x);
  const unit = number(x.dtype, 10 ** Math.abs(decimals));
  const [shrink, grow] = decimals > 0 ? ([multiply, divide] as const) : ([divide, multiply] as const);
  return grow(builder, unary(builder, "Round", shrink(builder, x, unit)), unit);
}

function areClose(
  builder: GraphBuilder,
  self: Operand,
  other: Operand,
  args: { readonly rtol: number; readonly atol: number; readonly equal_nan: boolean },
): Operand {
  if (self.dtype !== other.dtype)
    throw new ConvertError("malformed", `${self.dtype} is compared with ${other.dtype}`);
  if (args.rtol < 0 || args.atol < 0) throw new ConvertError("malformed", "a tolerance below 0");
  const isEqual = binary(builder, "Equal", self, other);
  if (args.rtol === 0 && args.atol === 0 && !args.equal_nan) return isEqual;
  const [x, y] = [asFloat(builder, self), asFloat(builder, other)];
  // Integers that differ are told apart as floats only where these have digits enough.
  if (!isFloat(self.dtype) && self.dtype !== "BOOL" && !["U8", "I8", "I16"].includes(self.dtype))
    throw new ConvertError("unsupported", `isclose of ${self.dtype}`);
  const apart = unary(builder, "Abs", subtract(builder, x, y));
  const allowed = add(
    builder,
    unary(builder, "Abs", scaled(builder, y, args.rtol)),
    number(x.dtype, args.atol),
  );
  const isBounded = not(builder, isInfinite(builder, apart, "both"));
  const isNear = binary(builder, "And", isBounded, binary(builder, "LessOrEqual", apart, allowed));
  const isSame = binary(builder, "Or", isEqual, isNear);
  if (!args.equal_nan || !isFloat(self.dtype)) return isSame;
  return binary(
    builder,
    "Or",
    isSame,
    binary(builder, "And", isNaNOf(builder, self), isNaNOf(builder, other)),
  );
}

type Two = "a(Tensor self, Tensor other)";

/** Functions that are made of others, with care for zeros, infinities and small numbers. */
export const specialRules: readonly OperatorRule[] = [
  rule("erfc(Tensor self)", ({ self }, builder, context) =>
    wideHalves(builder, [asFloat(builder, self)], ([x]) => complementaryError(builder, x, context)),
  ),
  rule("special_ndtr(Tensor self)", ({ self }, builder, context) =>
    wideHalves(builder, [asFloat(builder, self)], ([x]) =>
      scaled(builder, complementaryError(builder, scaled(builder, x, -Math.SQRT1_2), context), 0.5),
    ),
  ),
  rule("sinc(Tensor self)", ({ self }, builder) =>
    wideHalves(builder, [asFloat(builder, self)], ([x]) => {
      const turn = scaled(builder, x, Math.PI);
      const isZero = binary(builder, "Equal", x, number(x.dtype, 0));
      const quotient = divide(builder, unary(builder, "Sin", turn), turn);
      return where(builder, isZero, number(x.dtype, 1), quotient);
    }),
  ),
  ...(
    [
      ["logaddexp", 1],
      ["logaddexp2", Math.LN2],
    ] as const
  ).map(([name, unit]) =>
    rule(`${name}(Tensor self, Tensor other)` as Two, ({ self, other }, builder) => {
      if (!isFloat(promotedType([self, other]))) throw new ConvertError("malformed", `${name} of integers`);
      return wideHalves(builder, floats(builder, self, other), ([a, b]) => logOfSum(builder, a, b, unit));
    }),
  ),
  rule("xlogy(Tensor|Scalar self, Tensor|Scalar other)", ({ self, other }, builder) =>
    wideHalves(builder, floats(builder, self, other), ([x, y]) =>
      weighed(builder, x, y, unary(builder, "Log", y)),
    ),
  ),
  rule("special_xlog1py(Tensor|Scalar self, Tensor|Scalar other)", ({ self, other }, builder) =>
    wideHalves(builder, floats(builder, self, other), ([x, y]) =>
      weighed(builder, x, y, log1pOf(builder, y)),
    ),
  ),
  rule("special_entr(Tensor self)", ({ self }, builder) =>
    wideHalves(builder, [asFloat(builder, self)], ([x]) => {
      const isBelow = binary(builder, "Less", x, number(x.dtype, 0));
      const value = unary(builder, "Neg", weighed(builder, x, x, unary(builder, "Log", x)));
      return where(builder, isBelow, number(x.dtype, Number.NEGATIVE_INFINITY), value);
    }),
  ),
  rule("round(Tensor self, *, int decimals)", ({ self, decimals }, builder) =>
    wideHalves(builder, [self], ([x]) => roundedTo(builder, x, decimals)),
  ),
  rule(
    "isclose(Tensor self, Tensor other, float rtol=1e-05, float atol=1e-08, bool equal_nan=False)",
    ({ self, other, ...args }, builder) => areClose(builder, self, other, args),
  ),
];
