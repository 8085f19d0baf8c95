import { add, scaled } from "../emit/arithmetic.ts";
import type { GraphBuilder } from "../emit/graph-builder.ts";
import { linear, matmul } from "../emit/linear.ts";
import type { Operand } from "../emit/operand.ts";
import { promoted, type Scalar } from "../values/promotion.ts";
import { type OperatorRule, rule } from "./rule.ts";

/** `beta * bias + alpha * (left · right)`; a beta of 0 ignores the bias, whatever it holds. */
function biased(
  builder: GraphBuilder,
  bias: Operand,
  left: Operand,
  right: Operand,
  beta: Scalar,
  alpha: Scalar,
): Operand {
  const product = scaled(builder, matmul(builder, left, right), Number(alpha));
  return Number(beta) === 0 ? product : add(builder, scaled(builder, bias, Number(beta)), product);
}

type Product = "a(Tensor self, Tensor mat2)";

/** Matrix products. */
export const linearRules: readonly OperatorRule[] = [
  rule("linear(Tensor input, Tensor weight, Tensor? bias=None)", ({ input, weight, bias }, builder) =>
    linear(builder, input, weight, bias),
  ),
  ...["matmul", "mm", "bmm", "mv", "dot"].map((name) =>
    rule(`${name}(Tensor self, Tensor mat2)` as Product, ({ self, mat2 }, builder) => {
      const [a, b] = promoted(builder, self, mat2) as [Operand, Operand];
      return matmul(builder, a, b);
    }),
  ),
  ...["addmm", "baddbmm"].map((name) =>
    rule(
      `${name}(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1)` as "a(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1)",
      ({ self, mat1, mat2, beta, alpha }, builder) => biased(builder, self, mat1, mat2, beta, alpha),
    ),
  ),
];
