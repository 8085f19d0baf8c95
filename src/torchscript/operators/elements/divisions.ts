import { ConvertError } from "../../../core/errors.ts";
import {
  add,
  binary,
  cast,
  divide,
  multiply,
  not,
  number,
  subtract,
  unary,
  where,
} from "../../emit/arithmetic.ts";
import { intAttribute } from "../../emit/attributes.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import type { Operand } from "../../emit/operand.ts";
import { categoryOf, isFloat } from "../../emit/types.ts";
import { asOperand, floatType, promoted, promotedType, type TensorOrScalar } from "../../values/promotion.ts";
import { type OperatorRule, rule } from "../rule.ts";
import { truncated } from "./functions.ts";

/** `/`: of integers the true quotient, a float. */
function quotient(builder: GraphBuilder, left: TensorOrScalar, right: TensorOrScalar): Operand {
  const dtype = floatType(promotedType([left, right]));
  return divide(builder, asOperand(builder, left, dtype), asOperand(builder, right, dtype));
}

/** Whether two numbers have different signs, zero counting as positive. */
function haveOtherSigns(builder: GraphBuilder, a: Operand, b: Operand): Operand {
  const zero = number(a.dtype, 0);
  return binary(builder, "Xor", binary(builder, "Less", a, zero), binary(builder, "Less", b, zero));
}

function isOther(builder: GraphBuilder, a: Operand): Operand {
  return not(builder, binary(builder, "Equal", a, number(a.dtype, 0)));
}

/** What is left of a division that is rounded towards zero; it has the sign of the dividend. */
function remainderByTruncation(builder: GraphBuilder, a: Operand, b: Operand): Operand {
  if (["I16", "I8", "U8"].includes(a.dtype)) {
    const [wideA, wideB] = [cast(builder, a, "I32"), cast(builder, b, "I32")];
    return cast(builder, remainderByTruncation(builder, wideA, wideB), a.dtype);
  }
  const shape = builder.guards.broadcast(a.shape, b.shape);
  return builder.node("Mod", [a, b], { dtype: a.dtype, shape }, { fmod: intAttribute(1) });
}

/** Both in the dtype that the runtime divides in: halves in float32. */
function divisible(
  builder: GraphBuilder,
  left: TensorOrScalar,
  right: TensorOrScalar,
): { readonly pair: readonly [Operand, Operand]; readonly dtype: Operand["dtype"] } {
  const dtype = promotedType([left, right]);
  if (dtype === "BOOL") throw new ConvertError("malformed", "bools are divided into whole numbers");
  const wide = dtype === "F16" ? "F32" : dtype;
  const [a, b] = promoted(builder, left, right) as [Operand, Operand];
  return { pair: [cast(builder, a, wide), cast(builder, b, wide)], dtype };
}

/**
 * As torch computes it of floats (`div_floor_floating` in `c10/util/BFloat16-math.h` and the kernels of `div`): by the
 * exact remainder, since the quotient may round up to the next whole number, as that of 1 and 0.1 does.
 */
function floorOfFloats(builder: GraphBuilder, a: Operand, b: Operand): Operand {
  const of = (value: number): Operand => number(a.dtype, value);
  const rest = remainderByTruncation(builder, a, b);
  const towardsZero = divide(builder, subtract(builder, a, rest), b);
  const isAbove = binary(builder, "And", isOther(builder, rest), haveOtherSigns(builder, rest, b));
  const exact = subtract(builder, towardsZero, cast(builder, isAbove, a.dtype));
  const floor = unary(builder, "Floor", exact);
  const isNearNext = binary(builder, "Greater", subtract(builder, exact, floor), of(0.5));
  const whole = add(builder, floor, cast(builder, isNearNext, a.dtype));
  return where(builder, binary(builder, "Equal", b, of(0)), divide(builder, a, b), whole);
}

function refuseZero({ known }: Operand): void {
  if (known?.includes(0)) throw new ConvertError("malformed", "integers are divided by zero");
}

/** `//`, rounded down as Python does. */
function floorQuotient(builder: GraphBuilder, left: TensorOrScalar, right: TensorOrScalar): Operand {
  const { pair, dtype } = divisible(builder, left, right);
  const [a, b] = pair;
  if (isFloat(dtype)) return cast(builder, floorOfFloats(builder, a, b), dtype);
  refuseZero(b);
  const whole = divide(builder, a, b);
  if (a.dtype === "U8" || (isKnownPositive(a) && isKnownPositive(b))) return whole;
  // ONNX rounds towards zero: one less where a remainder has the other sign.
  const rest = subtract(builder, a, multiply(builder, whole, b));
  const isAbove = binary(builder, "And", isOther(builder, rest), haveOtherSigns(builder, rest, b));
  return subtract(builder, whole, cast(builder, isAbove, a.dtype));
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
  if (mode !== "trunc") throw new ConvertError("malformed", `a quotient is rounded by "${mode}"`);
  const { pair, dtype } = divisible(builder, left, right);
  // Torch rounds the quotient of halves before it cuts the fraction off, and the runtime leaves such a rounding out.
  if (dtype === "F16") throw new ConvertError("unsupported", "halves are divided and rounded towards zero");
  if (!isFloat(dtype)) refuseZero(pair[1]);
  return truncated(builder, divide(builder, ...pair));
}

/** The remainder with the sign of the divisor. */
function remainder(builder: GraphBuilder, left: TensorOrScalar, right: TensorOrScalar): Operand {
  const { pair, dtype } = divisible(builder, left, right);
  const [a, b] = pair;
  if (!isFloat(dtype)) refuseZero(b);
  if (!isFloat(dtype)) return binary(builder, "Mod", a, b);
  const rest = remainderByTruncation(builder, a, b);
  const isAbove = binary(builder, "And", isOther(builder, rest), haveOtherSigns(builder, rest, b));
  return cast(builder, where(builder, isAbove, add(builder, rest, b), rest), dtype);
}

/** Quotients of each rounding, and what they leave. */
export const divisionRules: readonly OperatorRule[] = [
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
  rule("fmod(Tensor self, Tensor|Scalar other)", ({ self, other }, builder) => {
    const { pair, dtype } = divisible(builder, self, other);
    if (!isFloat(dtype)) refuseZero(pair[1]);
    return cast(builder, remainderByTruncation(builder, ...pair), dtype);
  }),
];
