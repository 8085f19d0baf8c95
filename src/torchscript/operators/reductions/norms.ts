import type { DType } from "../../../core/dtype.ts";
import { ConvertError } from "../../../core/errors.ts";
import { binary, cast, not, number, subtract, unary } from "../../emit/arithmetic.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { axisOf, concat, slice, squeeze } from "../../emit/layout.ts";
import type { Operand } from "../../emit/operand.ts";
import { reduce } from "../../emit/reduce.ts";
import { isFloat } from "../../emit/types.ts";
import { addDimensions, type Dimension, shapeText } from "../../shapes/dimension.ts";
import { promoted } from "../../values/promotion.ts";
import { type OperatorRule, rule } from "../rule.ts";
import { extremeOver, reducedAxes } from "./reductions.ts";

/** The norm of that order over axes: 2 is the length, 1 the sum, infinity the largest, all of absolute values. */
export function norm(
  builder: GraphBuilder,
  self: Operand,
  order: number,
  dim: readonly number[] | undefined,
  keepdim: boolean,
  dtype: DType | undefined,
): Operand {
  const x = dtype === undefined ? self : cast(builder, self, dtype);
  if (!isFloat(x.dtype)) throw new ConvertError("malformed", `the norm of a tensor of ${x.dtype}`);
  const axes = reducedAxes(x, dim);
  if (axes.length === 0) return unary(builder, "Abs", x);
  if (order === 2) return reduce(builder, "ReduceL2", x, axes, keepdim);
  if (order === 1) return reduce(builder, "ReduceL1", x, axes, keepdim);
  const sizes = unary(builder, "Abs", x);
  if (order === Infinity) return extremeOver(builder, "ReduceMax", sizes, axes, keepdim);
  if (order === -Infinity) return extremeOver(builder, "ReduceMin", sizes, axes, keepdim);
  if (order === 0) {
    const isSet = not(builder, binary(builder, "Equal", x, number(x.dtype, 0)));
    return reduce(builder, "ReduceSum", cast(builder, isSet, x.dtype), axes, keepdim);
  }
  const powers = binary(builder, "Pow", sizes, number(x.dtype, order));
  const sum = reduce(builder, "ReduceSum", powers, axes, keepdim);
  return binary(builder, "Pow", sum, number(x.dtype, 1 / order));
}

/** The norm of matrices in two axes: the largest sum of absolute values of a column (1) or row (infinity), or the length of all elements. */
function matrixNorm(
  builder: GraphBuilder,
  self: Operand,
  order: number | string,
  dims: readonly number[],
  keepdim: boolean,
  dtype: DType | undefined,
): Operand {
  const rank = self.shape.length;
  const [rows, columns] = dims.map((dim) => axisOf(dim, rank)) as [number, number];
  if (dims.length !== 2 || rank < 2 || rows === columns || !isFloat(self.dtype))
    throw new ConvertError(
      "malformed",
      `the norm of matrices in the axes [${dims.join(", ")}] of ${self.dtype} ${shapeText(self.shape)}`,
    );
  if (order === "fro") return norm(builder, self, 2, dims, keepdim, dtype);
  const isOver = Math.abs(Number(order));
  if (isOver !== 1 && isOver !== Infinity)
    throw new ConvertError("unsupported", `the matrix norm ${order}, which needs singular values`);
  const x = dtype === undefined ? self : cast(builder, self, dtype);
  const [summed, rest] = isOver === 1 ? [rows, columns] : [columns, rows];
  const sums = reduce(builder, "ReduceL1", x, [summed], true);
  const extreme = extremeOver(builder, Number(order) > 0 ? "ReduceMax" : "ReduceMin", sums, [rest], true);
  return keepdim
    ? extreme
    : squeeze(
        builder,
        extreme,
        [rows, columns].sort((a, b) => a - b),
      );
}

/** `linalg_norm`: of two axes, or of a matrix, that of a matrix where an order is given; else that of a vector. */
function vectorOrMatrixNorm(
  builder: GraphBuilder,
  self: Operand,
  order: number | string | undefined,
  dim: readonly number[] | undefined,
  keepdim: boolean,
  dtype: DType | undefined,
): Operand {
  const rank = self.shape.length;
  if (order === undefined) return norm(builder, self, 2, dim, keepdim, dtype);
  if (dim === undefined && rank !== 1 && rank !== 2)
    throw new ConvertError("malformed", `a norm of an order, and without axes, of ${shapeText(self.shape)}`);
  const axes = dim ?? [...self.shape.keys()];
  if (axes.length === 2) return matrixNorm(builder, self, order, axes, keepdim, dtype);
  if (typeof order === "string" || axes.length !== 1)
    throw new ConvertError("malformed", `the norm "${order}" over ${axes.length} axes`);
  return norm(builder, self, order, axes, keepdim, dtype);
}

/** Differences of neighbours along an axis, `count` times over; what is given is put before and behind first. */
function differences(
  builder: GraphBuilder,
  self: Operand,
  count: number,
  dim: number,
  around: { readonly before: Operand | undefined; readonly behind: Operand | undefined },
): Operand {
  const axis = axisOf(dim, self.shape.length);
  if (self.shape.length === 0) throw new ConvertError("malformed", "the differences of a 0-d tensor");
  const parts = [around.before, self, around.behind].filter((part) => part !== undefined);
  let x = concat(builder, promoted(builder, ...parts), axis);
  for (let turn = 0; turn < count; turn++) {
    const extent = x.shape[axis] as Dimension;
    if (builder.guards.decide(extent, "<=", 0)) break;
    const later = slice(builder, x, axis, 1, extent);
    const earlier = slice(builder, x, axis, 0, addDimensions(extent, -1));
    x = x.dtype === "BOOL" ? binary(builder, "Xor", later, earlier) : subtract(builder, later, earlier);
  }
  return x;
}

/** Norms, and differences of neighbours. */
export const normRules: readonly OperatorRule[] = [
  rule("norm(Tensor self, Scalar p=2)", ({ self, p }, builder) =>
    norm(builder, self, Number(p), undefined, false, undefined),
  ),
  rule("norm(Tensor self, Scalar? p, *, dtype dtype)", ({ self, p, dtype }, builder) =>
    norm(builder, self, Number(p ?? 2), undefined, false, dtype),
  ),
  rule(
    "norm(Tensor self, Scalar? p, int[1] dim, bool keepdim=False, *, dtype? dtype=None)",
    ({ self, p, dim, keepdim, dtype }, builder) => norm(builder, self, Number(p ?? 2), dim, keepdim, dtype),
  ),
  rule("frobenius_norm(Tensor self, int[1] dim=[], bool keepdim=False)", ({ self, dim, keepdim }, builder) =>
    norm(builder, self, 2, dim, keepdim, undefined),
  ),
  rule(
    "linalg_vector_norm(Tensor self, Scalar ord=2, int[1]? dim=None, bool keepdim=False, *, dtype? dtype=None)",
    ({ self, ord, dim, keepdim, dtype }, builder) => norm(builder, self, Number(ord), dim, keepdim, dtype),
  ),
  rule(
    "linalg_norm(Tensor self, Scalar? ord=None, int[1]? dim=None, bool keepdim=False, *, dtype? dtype=None)",
    ({ self, ord, dim, keepdim, dtype }, builder) =>
      vectorOrMatrixNorm(builder, self, ord === undefined ? undefined : Number(ord), dim, keepdim, dtype),
  ),
  rule(
    "linalg_norm(Tensor self, str ord, int[1]? dim=None, bool keepdim=False, *, dtype? dtype=None)",
    ({ self, ord, dim, keepdim, dtype }, builder) =>
      vectorOrMatrixNorm(builder, self, ord, dim, keepdim, dtype),
  ),
  rule(
    "linalg_matrix_norm(Tensor self, Scalar ord, int[]? dim=None, bool keepdim=False, *, dtype? dtype=None)",
    ({ self, ord, dim, keepdim, dtype }, builder) =>
      matrixNorm(builder, self, Number(ord), dim ?? [-2, -1], keepdim, dtype),
  ),
  rule(
    'linalg_matrix_norm(Tensor self, str ord="fro", int[]? dim=None, bool keepdim=False, *, dtype? dtype=None)',
    ({ self, ord, dim, keepdim, dtype }, builder) =>
      matrixNorm(builder, self, ord, dim ?? [-2, -1], keepdim, dtype),
  ),
  rule(
    "diff(Tensor self, int n=1, int dim=-1, Tensor? prepend=None, Tensor? append=None)",
    ({ self, n, dim, prepend, append }, builder) =>
      differences(builder, self, n, dim, { before: prepend, behind: append }),
  ),
];
