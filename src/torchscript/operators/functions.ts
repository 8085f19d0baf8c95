import { add, binary, cast, divide, multiply, number, subtract, unary } from "../emit/arithmetic.ts";
import { foldUnary } from "../emit/fold.ts";
import type { GraphBuilder } from "../emit/graph-builder.ts";
import type { Operand } from "../emit/operand.ts";
import { isFloat } from "../emit/types.ts";
import { asFloat } from "../values/promotion.ts";
import { type OperatorRule, rule } from "./rule.ts";

/** Rounded towards zero; ONNX has no such operator for floats. */
export function truncated(builder: GraphBuilder, operand: Operand): Operand {
  if (!isFloat(operand.dtype)) return operand;
  const whole = unary(builder, "Floor", unary(builder, "Abs", operand));
  return multiply(builder, unary(builder, "Sign", operand), whole);
}

/** Functions that ONNX has under a name of its own, for floats; integers are converted first. */
const floatFunctions: Readonly<Record<string, string>> = {
  exp: "Exp",
  log: "Log",
  sqrt: "Sqrt",
  reciprocal: "Reciprocal",
  sin: "Sin",
  cos: "Cos",
  tan: "Tan",
  asin: "Asin",
  acos: "Acos",
  atan: "Atan",
  sinh: "Sinh",
  cosh: "Cosh",
  asinh: "Asinh",
  acosh: "Acosh",
  atanh: "Atanh",
  erf: "Erf",
};

/** Functions that leave integers what they are. */
const roundings: Readonly<Record<string, string>> = { floor: "Floor", ceil: "Ceil", round: "Round" };

type Unary = "a(Tensor self)";

const functions: readonly OperatorRule[] = [
  ...Object.entries(floatFunctions).map(([name, opType]) =>
    rule(`${name}(Tensor self)` as Unary, ({ self }, builder) =>
      unary(builder, opType, asFloat(builder, self)),
    ),
  ),
  ...Object.entries(roundings).map(([name, opType]) =>
    rule(`${name}(Tensor self)` as Unary, ({ self }, builder) =>
      isFloat(self.dtype) ? unary(builder, opType, self) : self,
    ),
  ),
  ...["trunc", "fix"].map((name) =>
    rule(`${name}(Tensor self)` as Unary, ({ self }, builder) => truncated(builder, self)),
  ),
  rule("frac(Tensor self)", ({ self }, builder) => subtract(builder, self, truncated(builder, self))),
  rule("rsqrt(Tensor self)", ({ self }, builder) =>
    unary(builder, "Reciprocal", unary(builder, "Sqrt", asFloat(builder, self))),
  ),
  rule("log1p(Tensor self)", ({ self }, builder) => {
    const x = asFloat(builder, self);
    return unary(builder, "Log", add(builder, x, number(x.dtype, 1)));
  }),
  rule("expm1(Tensor self)", ({ self }, builder) => {
    const x = asFloat(builder, self);
    return subtract(builder, unary(builder, "Exp", x), number(x.dtype, 1));
  }),
  rule("exp2(Tensor self)", ({ self }, builder) => {
    const x = asFloat(builder, self);
    return binary(builder, "Pow", number(x.dtype, 2), x);
  }),
  ...(
    [
      ["log2", Math.LN2, Math.log2],
      ["log10", Math.LN10, Math.log10],
    ] as const
  ).map(([name, base, exact]) =>
    rule(`${name}(Tensor self)` as Unary, ({ self }, builder) => {
      const x = asFloat(builder, self);
      // The logarithm of a known power is whole, which a quotient may miss.
      const known = foldUnary(x, x.dtype, exact);
      return known ?? divide(builder, unary(builder, "Log", x), number(x.dtype, base));
    }),
  ),
  rule("abs(Tensor self)", ({ self }, builder) => unary(builder, "Abs", self)),
  rule("neg(Tensor self)", ({ self }, builder) => unary(builder, "Neg", self)),
  rule("sign(Tensor self)", ({ self }, builder) => unary(builder, "Sign", self)),
  rule("square(Tensor self)", ({ self }, builder) => multiply(builder, self, self)),
  rule("isnan(Tensor self)", ({ self }, builder) => isNaNOf(builder, self)),
];

function isNaNOf(builder: GraphBuilder, operand: Operand): Operand {
  const float = isFloat(operand.dtype) ? operand : cast(builder, operand, "F32");
  return builder.node("IsNaN", [float], { dtype: "BOOL", shape: float.shape });
}

/** Functions of one number. */
export const functionRules: readonly OperatorRule[] = functions;
