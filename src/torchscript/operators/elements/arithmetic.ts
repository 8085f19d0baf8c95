import { ConvertError } from "../../../core/errors.ts";
import { add, binary, multiply, scaled, subtract } from "../../emit/arithmetic.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import type { Operand } from "../../emit/operand.ts";
import { isFloat } from "../../emit/types.ts";
import { promoted, type Scalar, type TensorOrScalar } from "../../values/promotion.ts";
import { type OperatorRule, rule } from "../rule.ts";

/** Torch takes no float to multiply integers with, and no integer to multiply bools with. */
function checkFactor({ dtype }: Operand, alpha: Scalar): void {
  if (!isFloat(dtype) && typeof alpha === "number")
    throw new ConvertError("malformed", `integers are multiplied with the alpha ${alpha}`);
}

/** `left + alpha * right` in the dtype that torch promotes to; of bools, whether one of them is set. */
function sum(builder: GraphBuilder, left: TensorOrScalar, right: TensorOrScalar, alpha: Scalar): Operand {
  const [a, b] = promoted(builder, left, right) as [Operand, Operand];
  checkFactor(a, alpha);
  if (a.dtype === "BOOL") return Number(alpha) === 0 ? a : binary(builder, "Or", a, b);
  return Number(alpha) === 1 ? add(builder, a, b) : add(builder, a, scaled(builder, b, Number(alpha)));
}

function difference(
  builder: GraphBuilder,
  left: TensorOrScalar,
  right: TensorOrScalar,
  alpha: Scalar,
): Operand {
  const [a, b] = promoted(builder, left, right) as [Operand, Operand];
  if (a.dtype === "BOOL") throw new ConvertError("malformed", "bools are subtracted");
  checkFactor(a, alpha);
  return subtract(builder, a, scaled(builder, b, Number(alpha)));
}

function product(builder: GraphBuilder, left: TensorOrScalar, right: TensorOrScalar): Operand {
  const [a, b] = promoted(builder, left, right) as [Operand, Operand];
  return a.dtype === "BOOL" ? binary(builder, "And", a, b) : multiply(builder, a, b);
}

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
];
