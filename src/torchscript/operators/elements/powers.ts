import { ConvertError } from "../../../core/errors.ts";
import {
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
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { knownNumbers, type Operand } from "../../emit/operand.ts";
import { isFloat } from "../../emit/types.ts";
import { asOperand, floats, promoted, type TensorOrScalar } from "../../values/promotion.ts";
import { type OperatorRule, rule } from "../rule.ts";

/** Powers that torch computes in another way (`pow_tensor_scalar_optimized_kernel`), which differs at the infinities. */
function shortPower(builder: GraphBuilder, x: Operand, exponent: number): Operand | undefined {
  const one = number(x.dtype, 1);
  if (exponent === 0.5 && x.dtype !== "F16") return unary(builder, "Sqrt", x);
  if (exponent === -0.5) return unary(builder, "Reciprocal", unary(builder, "Sqrt", x));
  if (exponent === 1) return x;
  if (exponent === 2) return multiply(builder, x, x);
  if (exponent === 3) return multiply(builder, multiply(builder, x, x), x);
  if (exponent === -1) return unary(builder, "Reciprocal", x);
  return exponent === -2 ? divide(builder, one, multiply(builder, x, x)) : undefined;
}

/** How many bits the exponents have, the sign left out. */
function exponentBits(exponent: Operand): number {
  const known = knownNumbers(exponent);
  if (known !== undefined) return Math.floor(Math.log2(Math.max(...known.map(Math.abs), 1))) + 1;
  return { U8: 8, I8: 7, I16: 15, I32: 31 }[exponent.dtype as string] ?? 63;
}

/** By squares, so that it wraps around as torch's does; the runtime computes it in float64. Below zero it is a fraction, and so 0. */
function wholePower(builder: GraphBuilder, base: Operand, exponent: Operand): Operand {
  const { dtype } = base;
  if (dtype !== "I32" && dtype !== "I64")
    return cast(
      builder,
      wholePower(builder, cast(builder, base, "I32"), cast(builder, exponent, "I32")),
      dtype,
    );
  const of = (value: number): Operand => number(dtype, value);
  const count = unary(builder, "Abs", exponent);
  const bits = exponentBits(exponent);
  let [power, square] = [of(1), base];
  for (let bit = 0; bit < bits; bit++) {
    const digit = binary(builder, "Mod", binary(builder, "Div", count, of(2 ** bit)), of(2));
    const factor = where(builder, binary(builder, "Equal", digit, of(1)), square, of(1));
    power = multiply(builder, power, factor);
    if (bit + 1 < bits) square = multiply(builder, square, square);
  }
  if (knownNumbers(exponent)?.every((value) => value >= 0)) return power;
  const isUnit = binary(builder, "Equal", unary(builder, "Abs", base), of(1));
  const below = where(builder, isUnit, power, of(0));
  return where(builder, binary(builder, "Less", exponent, of(0)), below, power);
}

function power(builder: GraphBuilder, base: TensorOrScalar, exponent: TensorOrScalar): Operand {
  const [a, b] = promoted(builder, base, exponent) as [Operand, Operand];
  const single = b.shape.length === 0 ? knownNumbers(b)?.[0] : undefined;
  if (isFloat(a.dtype)) {
    const short = single === undefined ? undefined : shortPower(builder, a, single);
    return short ?? binary(builder, "Pow", a, b);
  }
  if (a.dtype === "BOOL") throw new ConvertError("unsupported", "a bool to the power of a bool");
  if (typeof exponent !== "object" && single !== undefined && single < 0)
    throw new ConvertError("malformed", "integers to the power of a negative integer");
  return wholePower(builder, a, b);
}

function asDouble(builder: GraphBuilder, value: TensorOrScalar): TensorOrScalar {
  return typeof value === "object" ? asOperand(builder, value, "F64") : Number(value);
}

/** Powers, and squares, which are powers to torch. */
export const powerRules: readonly OperatorRule[] = [
  rule("pow(Tensor|Scalar self, Tensor|Scalar exponent)", ({ self, exponent }, builder) =>
    power(builder, self, exponent),
  ),
  rule("float_power(Tensor|Scalar self, Tensor|Scalar exponent)", ({ self, exponent }, builder) =>
    power(builder, asDouble(builder, self), asDouble(builder, exponent)),
  ),
  rule("ldexp(Tensor self, Tensor other)", ({ self, other }, builder) => {
    const [x, count] = floats(builder, self, other);
    // In two steps, so that a large factor of a small number is none too large.
    const first = unary(builder, "Floor", scaled(builder, count, 0.5));
    return [first, subtract(builder, count, first)].reduce(
      (product, part) => multiply(builder, product, binary(builder, "Pow", number(x.dtype, 2), part)),
      x,
    );
  }),
  rule("square(Tensor self)", ({ self }, builder) => power(builder, self, 2n)),
];
