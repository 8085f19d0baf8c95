import { ConvertError } from "../../../core/errors.ts";
import { binary, cast, divide, number, subtract, unary, where } from "../../emit/arithmetic.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import type { Operand } from "../../emit/operand.ts";
import { isFloat } from "../../emit/types.ts";
import { floats } from "../../values/promotion.ts";
import { type OperatorRule, type RuleContext, rule } from "../rule.ts";
import { singleFunction } from "./functions.ts";
import { wideHalves } from "./wide-halves.ts";

/** Whether the sign is a minus, which also a zero may have: its reciprocal tells. That of a NaN no node tells. */
function hasMinus(builder: GraphBuilder, operand: Operand): Operand {
  const isNarrow = ["BOOL", "U8", "I8", "I16"].includes(operand.dtype);
  const x = isNarrow
    ? cast(builder, operand, "I32")
    : operand.dtype === "F16"
      ? cast(builder, operand, "F32")
      : operand;
  const zero = number(x.dtype, 0);
  const isBelow = binary(builder, "Less", x, zero);
  if (!isFloat(x.dtype)) return isBelow;
  const isZero = binary(builder, "Equal", x, zero);
  const isUnder = binary(builder, "Less", unary(builder, "Reciprocal", x), zero);
  return binary(builder, "Or", isBelow, binary(builder, "And", isZero, isUnder));
}

function warnOfNaN(context: RuleContext, x: Operand): void {
  if (isFloat(x.dtype)) context.warn("the sign of a NaN counts as a plus: graphs do not show it");
}

/** `|size|` with the sign of another. */
function withSignOf(builder: GraphBuilder, size: Operand, sign: Operand): Operand {
  return where(builder, hasMinus(builder, sign), unary(builder, "Neg", size), size);
}

/** The angle of the point `(x, y)`, as C has it for zeros and infinities of each sign. */
function angle(builder: GraphBuilder, y: Operand, x: Operand, context: RuleContext): Operand {
  const of = (value: number): Operand => number(x.dtype, value);
  const [high, wide] = [unary(builder, "Abs", y), unary(builder, "Abs", x)];
  // Of two infinities and of two zeros there is no quotient.
  const isNone = binary(builder, "Equal", wide, of(0));
  const quotient = where(
    builder,
    binary(builder, "Equal", high, wide),
    where(builder, isNone, of(0), of(1)),
    divide(builder, high, wide),
  );
  const sharp = singleFunction(builder, "atan", quotient, context);
  const turned = where(builder, hasMinus(builder, x), subtract(builder, of(Math.PI), sharp), sharp);
  return withSignOf(builder, turned, y);
}

type Two = "a(Tensor self, Tensor other)";

/** Signs, also those of zeros, and what depends on them. */
export const signRules: readonly OperatorRule[] = [
  rule("signbit(Tensor self)", ({ self }, builder, context) => {
    warnOfNaN(context, self);
    return hasMinus(builder, self);
  }),
  rule("copysign(Tensor self, Tensor|Scalar other)", ({ self, other }, builder, context) => {
    const [x, sign] = floats(builder, self, other);
    warnOfNaN(context, sign);
    return withSignOf(builder, unary(builder, "Abs", x), sign);
  }),
  ...["atan2", "arctan2"].map((name) =>
    rule(`${name}(Tensor self, Tensor other)` as Two, ({ self, other }, builder, context) =>
      wideHalves(builder, floats(builder, self, other), ([y, x]) => angle(builder, y, x, context)),
    ),
  ),
  rule("heaviside(Tensor self, Tensor values)", ({ self, values }, builder) => {
    if (self.dtype !== values.dtype)
      throw new ConvertError("malformed", `heaviside of ${self.dtype} with values of ${values.dtype}`);
    const held = self.dtype === "BOOL" ? cast(builder, self, "I32") : self;
    const zero = number(held.dtype, 0);
    const step = cast(builder, binary(builder, "Greater", held, zero), self.dtype);
    return where(builder, binary(builder, "Equal", held, zero), values, step);
  }),
];
