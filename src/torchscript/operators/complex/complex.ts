import { ConvertError } from "../../../core/errors.ts";
import {
  add,
  binary,
  cast,
  divide,
  multiply,
  number,
  subtract,
  unary,
  where,
} from "../../emit/arithmetic.ts";
import {
  asPairs,
  type ComplexParts,
  complexOf,
  isComplex,
  pairParts,
  partsOf,
  partType,
} from "../../emit/complex.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { expand } from "../../emit/layout.ts";
import { isOperand, type Operand } from "../../emit/operand.ts";
import { isFloat } from "../../emit/types.ts";
import { type Dimension, shapeText } from "../../shapes/dimension.ts";
import { asFloat, asOperand, promotedType, type TensorOrScalar } from "../../values/promotion.ts";
import { hypotenuse } from "../elements/numeric.ts";
import { type OperatorRule, perhapsViewRule, rule, viewRule } from "../rule.ts";

type One = "a(Tensor self)";

/** Parts of both in the dtype that torch promotes to; a real number has a 0-d imaginary part. */
function promotedParts(builder: GraphBuilder, ...values: readonly TensorOrScalar[]): readonly ComplexParts[] {
  const parts = values.map((value) =>
    isOperand(value) && isComplex(value) ? partsOf(builder, value) : { real: value, imaginary: undefined },
  );
  const dtype = promotedType(
    parts.map(({ real }, index) => {
      const value = values[index];
      return isOperand(real) && isOperand(value) ? { ...real, isNumber: value.isNumber } : real;
    }),
  );
  return parts.map(({ real, imaginary }) => ({
    real: asOperand(builder, real, dtype),
    imaginary: imaginary === undefined ? number(dtype, 0) : asOperand(builder, imaginary, dtype),
  }));
}

/** `(a + bi)(c + di)`, in full also for a real factor: what is infinite shows as it does in torch. */
function product(builder: GraphBuilder, left: ComplexParts, right: ComplexParts): Operand {
  const times = (a: Operand, b: Operand): Operand => multiply(builder, a, b);
  const { real: a, imaginary: b } = left;
  const { real: c, imaginary: d } = right;
  return complexOf({
    real: subtract(builder, times(a, c), times(b, d)),
    imaginary: add(builder, times(a, d), times(b, c)),
  });
}

/** The quotient, with the divisor scaled to 1: its square might be too large. */
function quotient(builder: GraphBuilder, left: ComplexParts, right: ComplexParts): Operand {
  const times = (a: Operand, b: Operand): Operand => multiply(builder, a, b);
  const size = binary(
    builder,
    "Max",
    unary(builder, "Abs", right.real),
    unary(builder, "Abs", right.imaginary),
  );
  const { real: a, imaginary: b } = left;
  const c = divide(builder, right.real, size);
  const d = divide(builder, right.imaginary, size);
  const square = add(builder, times(c, c), times(d, d));
  const over = (x: Operand): Operand => divide(builder, divide(builder, x, square), size);
  return complexOf({
    real: over(add(builder, times(a, c), times(b, d))),
    imaginary: over(subtract(builder, times(b, c), times(a, d))),
  });
}

/** Two real tensors of one floating-point dtype, broadcast to one shape. */
function alike(builder: GraphBuilder, name: string, first: Operand, second: Operand): [Operand, Operand] {
  if (!isFloat(first.dtype) || first.dtype !== second.dtype)
    throw new ConvertError("malformed", `"${name}" is given ${first.dtype} and ${second.dtype}`);
  const shape = builder.guards.broadcast(first.shape, second.shape);
  return [expand(builder, first, shape), expand(builder, second, shape)];
}

function conjugated(builder: GraphBuilder, x: Operand): Operand {
  if (!isComplex(x)) return x;
  const { real, imaginary } = partsOf(builder, x);
  return complexOf({ real, imaginary: unary(builder, "Neg", imaginary) });
}

function requireComplex(name: string, x: Operand): void {
  if (!isComplex(x)) throw new ConvertError("malformed", `"${name}" of the real dtype ${x.dtype}`);
}

function fromPairs(builder: GraphBuilder, pairs: Operand): Operand {
  const extent = pairs.shape.at(-1) as Dimension | undefined;
  if (!isFloat(pairs.dtype) || extent === undefined || !builder.guards.permits(extent, "==", 2))
    throw new ConvertError(
      "malformed",
      `complex numbers are made of ${pairs.dtype} of shape ${shapeText(pairs.shape)}`,
    );
  return complexOf(pairParts(builder, pairs));
}

/** The same rule for complex arguments, or for any. */
const of = (numbers: "complex" | "any", own: OperatorRule): OperatorRule => ({ ...own, numbers });

const parts: readonly OperatorRule[] = [
  of(
    "any",
    viewRule(
      "real(Tensor self)",
      ({ self }, builder) => (isComplex(self) ? partsOf(builder, self).real : self),
      ({ self }, value, builder) =>
        isComplex(self) ? complexOf({ real: value, imaginary: partsOf(builder, self).imaginary }) : value,
    ),
  ),
  of(
    "any",
    viewRule(
      "imag(Tensor self)",
      ({ self }, builder) => {
        requireComplex("imag", self);
        return partsOf(builder, self).imaginary;
      },
      ({ self }, value, builder) => complexOf({ real: partsOf(builder, self).real, imaginary: value }),
    ),
  ),
  of(
    "any",
    viewRule(
      "view_as_real(Tensor self)",
      ({ self }, builder) => {
        requireComplex("view_as_real", self);
        return asPairs(builder, self);
      },
      (_args, value, builder) => complexOf(pairParts(builder, value)),
    ),
  ),
  viewRule(
    "view_as_complex(Tensor self)",
    ({ self }, builder) => fromPairs(builder, self),
    (_args, value, builder) => asPairs(builder, value),
  ),
  ...["conj", "_conj"].map((name) =>
    of(
      "any",
      viewRule(
        `${name}(Tensor self)` as One,
        ({ self }, builder) => conjugated(builder, self),
        (_args, value, builder) => conjugated(builder, value),
      ),
    ),
  ),
  of(
    "any",
    rule("conj_physical(Tensor self)", ({ self }, builder) => conjugated(builder, self)),
  ),
];

/** As the other is: real numbers with zeros, complex ones in the other precision. */
function likeOther(builder: GraphBuilder, self: Operand, other: Operand): Operand {
  const { dtype } = other;
  if (!isComplex(other))
    throw new ConvertError("unsupported", `complex numbers become ${dtype} and lose their imaginary parts`);
  const { real, imaginary } = partsOf(builder, self);
  const own = partType(dtype);
  return complexOf({ real: cast(builder, real, own), imaginary: cast(builder, imaginary, own) });
}

const conversions: readonly OperatorRule[] = [
  "to(Tensor self, Tensor other, any non_blocking=False, bool copy=False, any memory_format=None)",
  "type_as(Tensor self, Tensor other)",
].map((signature) =>
  of(
    "complex",
    perhapsViewRule(signature as "a(Tensor self, Tensor other)", ({ self, other }, builder) =>
      likeOther(builder, self, other),
    ),
  ),
);

type Pair = "a(Tensor|Scalar self, Tensor|Scalar other)";

const numbers: readonly OperatorRule[] = [
  rule("complex(Tensor real, Tensor imag)", ({ real, imag }, builder) => {
    const [own, imaginary] = alike(builder, "complex", real, imag);
    return complexOf({ real: own, imaginary });
  }),
  rule("polar(Tensor abs, Tensor angle)", ({ abs, angle }, builder) => {
    const [length, turn] = alike(builder, "polar", abs, angle);
    return complexOf({
      real: multiply(builder, length, unary(builder, "Cos", turn)),
      imaginary: multiply(builder, length, unary(builder, "Sin", turn)),
    });
  }),
  of(
    "complex",
    rule("abs(Tensor self)", ({ self }, builder) => {
      const { real, imaginary } = partsOf(builder, self);
      return hypotenuse(builder, real, imaginary);
    }),
  ),
  rule("angle(Tensor self)", ({ self }, builder) => {
    const x = asFloat(builder, self);
    const isBelow = binary(builder, "Less", x, number(x.dtype, 0));
    const turn = where(builder, isBelow, number(x.dtype, Math.PI), number(x.dtype, 0));
    const isNone = builder.node("IsNaN", [x], { dtype: "BOOL", shape: x.shape });
    return where(builder, isNone, x, turn);
  }),
  of(
    "complex",
    rule("neg(Tensor self)", ({ self }, builder) => {
      const { real, imaginary } = partsOf(builder, self);
      return complexOf({ real: unary(builder, "Neg", real), imaginary: unary(builder, "Neg", imaginary) });
    }),
  ),
  of(
    "complex",
    rule("exp(Tensor self)", ({ self }, builder) => {
      const { real, imaginary } = partsOf(builder, self);
      const size = unary(builder, "Exp", real);
      return complexOf({
        real: multiply(builder, size, unary(builder, "Cos", imaginary)),
        imaginary: multiply(builder, size, unary(builder, "Sin", imaginary)),
      });
    }),
  ),
  of(
    "complex",
    rule("reciprocal(Tensor self)", ({ self }, builder) => {
      const [one, own] = promotedParts(builder, 1n, self) as [ComplexParts, ComplexParts];
      return quotient(builder, one, own);
    }),
  ),
  ...["mul", "multiply"].map((name) =>
    of(
      "complex",
      rule(`${name}(Tensor|Scalar self, Tensor|Scalar other)` as Pair, ({ self, other }, builder) => {
        const [left, right] = promotedParts(builder, self, other) as [ComplexParts, ComplexParts];
        return product(builder, left, right);
      }),
    ),
  ),
  ...["div", "divide", "true_divide"].map((name) =>
    of(
      "complex",
      rule(`${name}(Tensor|Scalar self, Tensor|Scalar other)` as Pair, ({ self, other }, builder) => {
        const [left, right] = promotedParts(builder, self, other) as [ComplexParts, ComplexParts];
        return quotient(builder, left, right);
      }),
    ),
  ),
];

/** Complex tensors, their parts, and what they are computed with. */
export const complexRules: readonly OperatorRule[] = [...parts, ...conversions, ...numbers];
