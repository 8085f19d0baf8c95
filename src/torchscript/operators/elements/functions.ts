import { ConvertError } from "../../../core/errors.ts";
import {
  add,
  binary,
  cast,
  divide,
  multiply,
  number,
  scaled,
  subtract,
  unary,
  where,
} from "../../emit/arithmetic.ts";
import { foldUnary } from "../../emit/fold.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import type { Operand } from "../../emit/operand.ts";
import { isFloat } from "../../emit/types.ts";
import { asFloat } from "../../values/promotion.ts";
import { inSingle } from "../layout/windows.ts";
import { type OperatorRule, type RuleContext, rule } from "../rule.ts";
import { wideHalves } from "./wide-halves.ts";

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
};

type Compute = (builder: GraphBuilder, x: Operand) => Operand;

const half = (builder: GraphBuilder, x: Operand): Operand => scaled(builder, x, 0.5);
const exp = (builder: GraphBuilder, x: Operand): Operand => unary(builder, "Exp", x);
const log = (builder: GraphBuilder, x: Operand): Operand => unary(builder, "Log", x);
const one = (x: Operand): Operand => number(x.dtype, 1);
/** `sqrt(x² ± 1)`. */
const leg = (builder: GraphBuilder, x: Operand, opType: "Add" | "Sub"): Operand =>
  unary(builder, "Sqrt", binary(builder, opType, multiply(builder, x, x), one(x)));

/** Functions that the runtime computes in float32 only, with what they are made of in float64. */
const singleFunctions: Readonly<Record<string, readonly [string, Compute?]>> = {
  tan: ["Tan", (builder, x) => divide(builder, unary(builder, "Sin", x), unary(builder, "Cos", x))],
  asin: ["Asin"],
  acos: ["Acos"],
  atan: ["Atan"],
  sinh: [
    "Sinh",
    (builder, x) => half(builder, subtract(builder, exp(builder, x), exp(builder, unary(builder, "Neg", x)))),
  ],
  cosh: [
    "Cosh",
    (builder, x) => half(builder, add(builder, exp(builder, x), exp(builder, unary(builder, "Neg", x)))),
  ],
  asinh: [
    "Asinh",
    (builder, x) => {
      const size = unary(builder, "Abs", x);
      const result = log(builder, add(builder, size, leg(builder, size, "Add")));
      return multiply(builder, unary(builder, "Sign", x), result);
    },
  ],
  acosh: ["Acosh", (builder, x) => log(builder, add(builder, x, leg(builder, x, "Sub")))],
  atanh: [
    "Atanh",
    (builder, x) =>
      half(builder, log(builder, divide(builder, add(builder, one(x), x), subtract(builder, one(x), x)))),
  ],
  erf: ["Erf"],
};

/** `operator` of floats; float64 is computed from others, or in float32 where there are none, with a warning. */
export function singleFunction(
  builder: GraphBuilder,
  name: string,
  x: Operand,
  context: RuleContext,
): Operand {
  const [opType, wide] = singleFunctions[name] as readonly [string, Compute?];
  if (x.dtype !== "F64") return unary(builder, opType, x);
  if (wide !== undefined) return wide(builder, x);
  return inSingle(builder, [x], context, ([narrow]) => unary(builder, opType, narrow as Operand));
}

/** `log(1 + x)`; what the sum rounds off of a small `x` is brought back, as by W. Kahan. */
export function log1pOf(builder: GraphBuilder, x: Operand): Operand {
  const sum = add(builder, x, one(x));
  const isSame = binary(builder, "Equal", sum, x);
  const ratio = where(builder, isSame, one(x), divide(builder, x, subtract(builder, sum, one(x))));
  const rest = multiply(builder, log(builder, sum), ratio);
  return where(builder, binary(builder, "Equal", sum, one(x)), x, rest);
}

/** `exp(x) - 1`; what the power rounds off of a small `x` is brought back, as by W. Kahan. */
function expm1Of(builder: GraphBuilder, x: Operand): Operand {
  const power = exp(builder, x);
  const less = subtract(builder, power, one(x));
  const isPlain = binary(
    builder,
    "Or",
    binary(builder, "Equal", less, power),
    binary(builder, "Equal", less, number(x.dtype, -1)),
  );
  const rest = divide(builder, multiply(builder, less, x), log(builder, power));
  const isSmall = binary(builder, "Equal", power, one(x));
  return where(builder, isSmall, x, where(builder, isPlain, less, rest));
}

/** Functions that leave integers what they are. */
const roundings: Readonly<Record<string, string>> = { floor: "Floor", ceil: "Ceil", round: "Round" };

type Unary = "a(Tensor self)";

const functions: readonly OperatorRule[] = [
  ...Object.entries(floatFunctions).map(([name, opType]) =>
    rule(`${name}(Tensor self)` as Unary, ({ self }, builder) =>
      unary(builder, opType, asFloat(builder, self)),
    ),
  ),
  ...Object.keys(singleFunctions).map((name) =>
    rule(`${name}(Tensor self)` as Unary, ({ self }, builder, context) =>
      singleFunction(builder, name, asFloat(builder, self), context),
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
  rule("log1p(Tensor self)", ({ self }, builder) =>
    wideHalves(builder, [asFloat(builder, self)], ([x]) => log1pOf(builder, x)),
  ),
  rule("expm1(Tensor self)", ({ self }, builder) =>
    wideHalves(builder, [asFloat(builder, self)], ([x]) => expm1Of(builder, x)),
  ),
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
  ...["neg", "negative"].map((name) =>
    rule(`${name}(Tensor self)` as Unary, ({ self }, builder) => {
      if (self.dtype === "BOOL") throw new ConvertError("malformed", "a bool with a minus");
      // The runtime has no minus of bytes, which wrap around.
      const isNarrow = self.dtype === "U8" || self.dtype === "I16";
      return isNarrow
        ? cast(builder, unary(builder, "Neg", cast(builder, self, "I32")), self.dtype)
        : unary(builder, "Neg", self);
    }),
  ),
  ...["sign", "sgn"].map((name) =>
    rule(`${name}(Tensor self)` as Unary, ({ self }, builder) => signOf(builder, self)),
  ),
  rule("isnan(Tensor self)", ({ self }, builder) => isNaNOf(builder, self)),
];

/** NaN has the sign 0 to torch, and is one to ONNX. */
function signOf(builder: GraphBuilder, x: Operand): Operand {
  if (x.dtype === "BOOL") return x;
  if (!isFloat(x.dtype)) return unary(builder, "Sign", x);
  const flag = (opType: string): Operand =>
    cast(builder, binary(builder, opType, x, number(x.dtype, 0)), x.dtype);
  return subtract(builder, flag("Greater"), flag("Less"));
}

/** Whether elements are NaN; integers never are. */
export function isNaNOf(builder: GraphBuilder, operand: Operand): Operand {
  const float = isFloat(operand.dtype) ? operand : cast(builder, operand, "F32");
  return builder.node("IsNaN", [float], { dtype: "BOOL", shape: float.shape });
}

/** Functions of one number. */
export const functionRules: readonly OperatorRule[] = functions;
