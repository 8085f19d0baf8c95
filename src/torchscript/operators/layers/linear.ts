import { ConvertError } from "../../../core/errors.ts";
import { add, binary, multiply, number, scaled } from "../../emit/arithmetic.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { expand, unsqueeze } from "../../emit/layout.ts";
import { linear, matmul } from "../../emit/linear.ts";
import type { Operand } from "../../emit/operand.ts";
import { isFloat } from "../../emit/types.ts";
import { type Dimension, shapeText } from "../../shapes/dimension.ts";
import { promoted, type Scalar } from "../../values/promotion.ts";
import { summed } from "../reductions/reductions.ts";
import { type OperatorRule, rule } from "../rule.ts";

/** `beta * bias + alpha * (left · right)`; a beta of 0 ignores the bias, whatever it holds. */
function biased(
  builder: GraphBuilder,
  bias: Operand,
  left: Operand,
  right: Operand,
  beta: Scalar,
  alpha: Scalar,
  finish = (product: Operand): Operand => product,
): Operand {
  checkFactors(bias, beta, alpha);
  const product = scaled(builder, finish(matmul(builder, left, right)), Number(alpha));
  return Number(beta) === 0 ? product : add(builder, scaled(builder, bias, Number(beta)), product);
}

/** Integers are multiplied with no fractions. */
function checkFactors({ dtype }: Operand, ...factors: readonly Scalar[]): void {
  if (!isFloat(dtype) && factors.some((factor) => typeof factor === "number"))
    throw new ConvertError("malformed", `products of ${dtype} are multiplied with ${factors.join(" and ")}`);
}

/** `beta * bias + alpha * (column · row)`, in the dtype that all three are promoted to. */
function withOuter(
  builder: GraphBuilder,
  bias: Operand,
  column: Operand,
  row: Operand,
  beta: Scalar,
  alpha: Scalar,
): Operand {
  const [base, down, across] = promoted(builder, bias, column, row) as [Operand, Operand, Operand];
  checkFactors(base, beta, alpha);
  if (column.shape.length !== 1 || row.shape.length !== 1 || base.shape.length > 2)
    throw new ConvertError("malformed", `addr of ${shapeText(column.shape)} and ${shapeText(row.shape)}`);
  const shape = [column.shape[0], row.shape[0]] as [Dimension, Dimension];
  const own = expand(builder, base, shape);
  const sides = [unsqueeze(builder, down, [1]), unsqueeze(builder, across, [0])] as const;
  if (base.dtype === "BOOL") {
    const flag = (factor: Scalar, x: Operand): Operand =>
      factor ? x : expand(builder, number("BOOL", 0), shape);
    return binary(builder, "Or", flag(beta, own), flag(alpha, binary(builder, "And", ...sides)));
  }
  const product = scaled(builder, multiply(builder, ...sides), Number(alpha));
  return Number(beta) === 0 ? product : add(builder, scaled(builder, own, Number(beta)), product);
}

/** How many dimensions each side has; `matmul` takes any. */
const ranks: Readonly<Record<string, readonly [number, number]>> = {
  mm: [2, 2],
  bmm: [3, 3],
  mv: [2, 1],
  dot: [1, 1],
  vdot: [1, 1],
};

function checkRanks(name: string, a: Operand, b: Operand): void {
  const [left, right] = ranks[name] ?? [a.shape.length, b.shape.length];
  if (a.shape.length === left && b.shape.length === right) return;
  throw new ConvertError("malformed", `${name} of ${shapeText(a.shape)} and ${shapeText(b.shape)}`);
}

type Product = "a(Tensor self, Tensor mat2)";

type Biased = "a(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1)";

/** Matrix products. */
export const linearRules: readonly OperatorRule[] = [
  rule("linear(Tensor input, Tensor weight, Tensor? bias=None)", ({ input, weight, bias }, builder) =>
    linear(builder, input, weight, bias),
  ),
  ...["matmul", "mm", "bmm", "mv", "dot", "vdot"].map((name) =>
    rule(`${name}(Tensor self, Tensor mat2)` as Product, ({ self, mat2 }, builder) => {
      checkRanks(name, self, mat2);
      return matmul(builder, self, mat2);
    }),
  ),
  ...["addmm", "baddbmm"].map((name) =>
    rule(
      `${name}(Tensor self, Tensor mat1, Tensor mat2, *, Scalar beta=1, Scalar alpha=1)` as Biased,
      ({ self, mat1, mat2, beta, alpha }, builder) => biased(builder, self, mat1, mat2, beta, alpha),
    ),
  ),
  rule(
    "addmv(Tensor self, Tensor mat, Tensor vec, *, Scalar beta=1, Scalar alpha=1)",
    ({ self, mat, vec, beta, alpha }, builder) => {
      checkRanks("mv", mat, vec);
      return biased(builder, self, mat, vec, beta, alpha);
    },
  ),
  rule(
    "addbmm(Tensor self, Tensor batch1, Tensor batch2, *, Scalar beta=1, Scalar alpha=1)",
    ({ self, batch1, batch2, beta, alpha }, builder) => {
      checkRanks("bmm", batch1, batch2);
      return biased(builder, self, batch1, batch2, beta, alpha, (products) =>
        summed(builder, "ReduceSum", products, [0], false, products.dtype),
      );
    },
  ),
  rule(
    "addr(Tensor self, Tensor vec1, Tensor vec2, *, Scalar beta=1, Scalar alpha=1)",
    ({ self, vec1, vec2, beta, alpha }, builder) => withOuter(builder, self, vec1, vec2, beta, alpha),
  ),
];
