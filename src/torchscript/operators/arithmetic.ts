import { ConvertError } from "../../core/errors.ts";
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
} from "../emit/arithmetic.ts";
import type { GraphBuilder } from "../emit/graph-builder.ts";
import type { Operand } from "../emit/operand.ts";
import { categoryOf, isFloat } from "../emit/types.ts";
import {
  asOperand,
  floatType,
  promoted,
  promotedType,
  type Scalar,
  type TensorOrScalar,
} from "../values/promotion.ts";
import { truncated } from "./functions.ts";
import { type OperatorRule, rule } from "./rule.ts";

/** `left + alpha * right` in the dtype that torch promotes to; of bools, whether one of them is set. */
function sum(builder: GraphBuilder, left: TensorOrScalar, right: TensorOrScalar, alpha: Scalar): Operand {
  const [a, b] = promoted(builder, left, right) as [Operand, Operand];
  if (a.dtype === "BOOL") return binary(builder, "Or", a, b);
  return Number(alpha) === 1 ? add(builder, a, b) : add(builder, a, scaled(builder, b, Number(alpha)));
}

function difference(
  builder: GraphBuilder,
  left: TensorOrScalar,
  right: TensorOrScalar,
  alpha: Scalar,
): Operand {
  const [a, b] = promoted(builder, left, right) as [Operand, Operand];
  if (a.dtype === "BOOL") throw new ConvertError("unsupported", "bools are subtracted");
  return subtract(builder, a, scaled(builder, b, Number(alpha)));
}

function product(builder: GraphBuilder, left: TensorOrScalar, right: TensorOrScalar): Operand {
  const [a, b] = promoted(builder, left, right) as [Operand, Operand];
  return a.dtype === "BOOL" ? binary(builder, "And", a, b) : multiply(builder, a, b);
}

/** `/`: of integers the true quotient, a float. */
function quotient(builder: GraphBuilder, left: TensorOrScalar, right: TensorOrScalar): Operand {
  const dtype = floatType(promotedType([left, right]));
  return divide(builder, asOperand(builder, left, dtype), asOperand(builder, right, dtype));
}

/** `//`, rounded down as Python does. */
function floorQuotient(builder: GraphBuilder, left: TensorOrScalar, right: TensorOrScalar): Operand {
  const [a, b] = promoted(builder, left, right) as [Operand, Operand];
  if (isFloat(a.dtype)) return unary(builder, "Floor", divide(builder, a, b));
  const whole = divide(builder, a, b);
  if (isKnownPositive(a) && isKnownPositive(b)) return whole;
  // ONNX rounds towards zero: one less where a remainder has the other sign.
  const rest = subtract(builder, a, multiply(builder, whole, b));
  const zero = number(a.dtype, 0);
  const isOther = binary(
    builder,
    "Xor",
    binary(builder, "Less", rest, zero),
    binary(builder, "Less", b, zero),
  );
  const hasRest = not(builder, binary(builder, "Equal", rest, zero));
  const correction = cast(builder, binary(builder, "And", hasRest, isOther), a.dtype);
  return subtract(builder, whole, correction);
}

/** Sizes, which may be symbolic, count as positive. */
function isKnownPositive({ known }: Operand): boolean {
  return known?.every((item) => typeof item !== "number" || item >= 0) ?? false;
}

function roundedQuotient(
  builder: GraphBuilder,
  left: TensorOrScalar,
  right: TensorOrScalar,
  mode: string | undefined,
): Operand {
  if (mode === undefined) return quotient(builder, left, right);
  if (mode === "floor") return floorQuotient(builder, left, right);
  const [a, b] = promoted(builder, left, right) as [Operand, Operand];
  return truncated(builder, divide(builder, a, b));
}

/** The remainder with the sign of the divisor. */
function remainder(builder: GraphBuilder, left: TensorOrScalar, right: TensorOrScalar): Operand {
  const [a, b] = promoted(builder, left, right) as [Operand, Operand];
  if (!isFloat(a.dtype)) return binary(builder, "Mod", a, b);
  const whole = unary(builder, "Floor", divide(builder, a, b));
  return subtract(builder, a, multiply(builder, whole, b));
}

function power(builder: GraphBuilder, base: TensorOrScalar, exponent: TensorOrScalar): Operand {
  const [a, b] = promoted(builder, base, exponent) as [Operand, Operand];
  if (Number(exponent) === 2) return multiply(builder, a, a);
  return binary(builder, "Pow", a, b);
}

const divisions: readonly OperatorRule[] = [
  rule("div(Tensor|Scalar self, Tensor|Scalar other)", ({ self, other }, builder, { version }) => {
    const dtype = promotedType([self, other]);
    // Before version 4 of the operators, integers were divided into integers.
    const truncates = version < 4 && categoryOf(dtype) !== "float";
    return truncates ? roundedQuotient(builder, self, other, "trunc") : quotient(builder, self, other);
  }),
  rule(
    "div(Tensor|Scalar self, Tensor|Scalar other, *, str? rounding_mode)",
    ({ self, other, rounding_mode }, builder) => roundedQuotient(builder, self, other, rounding_mode),
  ),
  rule("true_divide(Tensor|Scalar self, Tensor|Scalar other)", ({ self, other }, builder) =>
    quotient(builder, self, other),
  ),
  rule("floor_divide(Tensor|Scalar self, Tensor|Scalar other)", ({ self, other }, builder) =>
    floorQuotient(builder, self, other),
  ),
  rule("remainder(Tensor|Scalar self, Tensor|Scalar other)", ({ self, other }, builder) =>
    remainder(builder, self, other),
  ),
];

/** Arithmetic of two tensors or numbers. */
export const arithmeticRules: readonly OperatorRule[] = [
  rule("add(Tensor|Scalar self, Tensor|Scalar other, Scalar alpha=1)", ({ self, other, alpha }, builder) =>
    sum(builder, self, other, alpha),
  ),
  rule("sub(Tensor|Scalar self, Tensor|Scalar other, Scalar alpha=1)", ({ self, other, alpha }, builder) =>
    difference(builder, self, other, alpha),
  ),
  rule("rsub(Tensor self, Tensor|Scalar other, Scalar alpha=1)", ({ self, other, alpha }, builder) =>
    difference(builder, other, self, alpha),
  ),
  ...["mul", "multiply"].map((name) =>
    rule(
      `${name}(Tensor|Scalar self, Tensor|Scalar other)` as "a(Tensor|Scalar self, Tensor|Scalar other)",
      ({ self, other }, builder) => product(builder, self, other),
    ),
  ),
  rule("pow(Tensor|Scalar self, Tensor|Scalar exponent)", ({ self, exponent }, builder) =>
    power(builder, self, exponent),
  ),
  ...divisions,
];
