import { ConvertError } from "../../../core/errors.ts";
import { binary, cast, divide, multiply, number, subtract, where } from "../../emit/arithmetic.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { gather } from "../../emit/layout.ts";
import { integers, type Operand } from "../../emit/operand.ts";
import { isFloat } from "../../emit/types.ts";
import { promoted, type TensorOrScalar } from "../../values/promotion.ts";
import { alias, type OperatorRule, rule } from "../rule.ts";

/** How many bits a shift moves, as long as there are so many. */
const widths: Partial<Record<Operand["dtype"], number>> = { U8: 8, I8: 8, I16: 16, I32: 32, I64: 64 };

interface Shift {
  readonly x: Operand;
  /** Two numbers whose product is 2 to the power of the count, and 1 where that is out of range. */
  readonly factors: readonly [Operand, Operand];
  readonly isOut: Operand;
  readonly dtype: Operand["dtype"];
}

/** Both as 64-bit integers; counts below 0 and above `last` are out of range. */
function shiftOf(builder: GraphBuilder, left: TensorOrScalar, right: TensorOrScalar, last?: number): Shift {
  const [self, count] = promoted(builder, left, right) as [Operand, Operand];
  const { dtype } = self;
  const width = widths[dtype];
  if (width === undefined || isFloat(dtype))
    throw new ConvertError("malformed", `bits of ${dtype} are shifted`);
  const [x, places] = [cast(builder, self, "I64"), cast(builder, count, "I64")];
  const isLong = binary(builder, "Greater", places, number("I64", last ?? width - 1));
  const isOut = binary(builder, "Or", binary(builder, "Less", places, number("I64", 0)), isLong);
  const safe = where(builder, isOut, number("I64", 0), places);
  const most = binary(builder, "Min", safe, number("I64", 32));
  const powers = integers(Array.from({ length: 33 }, (_, bit) => 2 ** bit));
  const factors = [
    gather(builder, powers, most, 0),
    gather(builder, powers, subtract(builder, safe, most), 0),
  ] as const;
  return { x, factors, isOut, dtype };
}

/** Bits that leave on the left are lost. */
function shiftedLeft(builder: GraphBuilder, left: TensorOrScalar, right: TensorOrScalar): Operand {
  const { x, factors, isOut, dtype } = shiftOf(builder, left, right);
  const moved = factors.reduce((product, factor) => multiply(builder, product, factor), x);
  return cast(builder, where(builder, isOut, number("I64", 0), moved), dtype);
}

/** Rounded down: below zero, the bits are those of the number that is not negative, turned. */
function shiftedRight(builder: GraphBuilder, left: TensorOrScalar, right: TensorOrScalar): Operand {
  const { x, factors, isOut, dtype } = shiftOf(builder, left, right, 62);
  const minus = number("I64", -1);
  const isBelow = binary(builder, "Less", x, number("I64", 0));
  const turned = (value: Operand): Operand => where(builder, isBelow, subtract(builder, minus, value), value);
  const moved = factors.reduce((rest, factor) => divide(builder, rest, factor), turned(x));
  const rest = where(builder, isOut, number("I64", 0), moved);
  return cast(builder, turned(rest), dtype);
}

/** Bits moved to the left and right; as in newer releases of torch, a count that is negative or too long moves out all of them. */
export const shiftRules: readonly OperatorRule[] = [
  ...alias(
    rule("__lshift__(Tensor|Scalar self, Tensor|Scalar other)", ({ self, other }, builder) =>
      shiftedLeft(builder, self, other),
    ),
    "__lshift__",
    "bitwise_left_shift",
  ),
  ...alias(
    rule("__rshift__(Tensor|Scalar self, Tensor|Scalar other)", ({ self, other }, builder) =>
      shiftedRight(builder, self, other),
    ),
    "__rshift__",
    "bitwise_right_shift",
  ),
];
