import { ConvertError } from "../../core/errors.ts";
import { add, scaled } from "../emit/arithmetic.ts";
import type { GraphBuilder } from "../emit/graph-builder.ts";
import { linear, matmul } from "../emit/linear.ts";
import type { Operand } from "../emit/operand.ts";
import { shapeText } from "../shapes/dimension.ts";
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

/** How many dimensions each side has; `matmul` takes any. */
const ranks: Readonly<Record<string, readonly [number, number]>> = {
  mm: [2, 2],
  bmm: [3, 3],
  mv: [2, 1],
  dot: [1, 1],
};

function checkRanks(name: string, a: Operand, b: Operand): void {
  const [left, right] = ranks[name] ?? [a.shape.length, b.shape.length];
  if (a.shape.length === left && b.shape.length === right) return;
  throw new ConvertError("malformed", `${name} of ${shapeText(a.shape)} and ${shapeText(b.shape)}`);
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
      checkRanks(name, a, b);
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
