import { ConvertError } from "../../../core/errors.ts";
import { binary, cast, not, number, scaled, subtract, unary } from "../../emit/arithmetic.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { concat, expand, swapAxes, unsqueeze } from "../../emit/layout.ts";
import { matmul } from "../../emit/linear.ts";
import type { Operand } from "../../emit/operand.ts";
import { reduce } from "../../emit/reduce.ts";
import { type Dimension, hintOf, shapeText } from "../../shapes/dimension.ts";
import { type OperatorRule, rule } from "../rule.ts";

/** How torch computes lengths: as it sees fit, always by a matrix product, or never. */
const modes = { asFits: 0, byProduct: 1, direct: 2 } as const;

/** From so many rows on, torch multiplies matrices. */
const manyRows = 25;

function isByProduct(rows: Dimension, columns: Dimension, mode: number): boolean {
  if (mode === modes.direct) return false;
  return mode === modes.byProduct || [rows, columns].some((count) => (hintOf(count) ?? 0) > manyRows);
}

/** Distances of all rows on the left from all rows on the right. */
function distances(builder: GraphBuilder, x: Operand, y: Operand, order: number, mode: number): Operand {
  const [rows, width] = x.shape.slice(-2);
  const [columns, other] = y.shape.slice(-2);
  const fits =
    x.dtype === y.dtype &&
    ["F32", "F64"].includes(x.dtype) &&
    order >= 0 &&
    mode >= 0 &&
    mode <= modes.direct;
  if (!fits || width === undefined || other === undefined || !builder.guards.decide(width, "==", other))
    throw new ConvertError(
      "malformed",
      `cdist of ${x.dtype} ${shapeText(x.shape)} and ${y.dtype} ${shapeText(y.shape)}, p=${order}`,
    );
  const batch = builder.guards.broadcast(x.shape.slice(0, -2), y.shape.slice(0, -2));
  const shape = [...batch, rows as Dimension, columns as Dimension];
  if (shape.includes(0) || width === 0) return expand(builder, number(x.dtype, 0), shape);
  if (order === 2 && isByProduct(rows as Dimension, columns as Dimension, mode))
    return byProduct(builder, x, y);
  const apart = subtract(
    builder,
    unsqueeze(builder, x, [x.shape.length - 1]),
    unsqueeze(builder, y, [y.shape.length - 2]),
  );
  return lengths(builder, apart, order);
}

/** The lengths of vectors in the last axis. */
function lengths(builder: GraphBuilder, vectors: Operand, order: number): Operand {
  const axes = [vectors.shape.length - 1];
  if (order === 2) return reduce(builder, "ReduceL2", vectors, axes, false);
  const sizes = unary(builder, "Abs", vectors);
  if (order === 1) return reduce(builder, "ReduceSum", sizes, axes, false);
  if (order === Number.POSITIVE_INFINITY) return reduce(builder, "ReduceMax", sizes, axes, false);
  const zero = number(vectors.dtype, 0);
  if (order === 0) {
    const isApart = not(builder, binary(builder, "Equal", sizes, zero));
    return reduce(builder, "ReduceSum", cast(builder, isApart, vectors.dtype), axes, false);
  }
  const sum = reduce(
    builder,
    "ReduceSum",
    binary(builder, "Pow", sizes, number(vectors.dtype, order)),
    axes,
    false,
  );
  return binary(builder, "Pow", sum, number(vectors.dtype, 1 / order));
}

/** `√(|x|² - 2 x·y + |y|²)` as one product of wider matrices, with the rounding that torch has there. */
function byProduct(builder: GraphBuilder, x: Operand, y: Operand): Operand {
  const squares = (side: Operand): Operand =>
    reduce(builder, "ReduceSumSquare", side, [side.shape.length - 1], true);
  const ones = (side: Operand): Operand =>
    expand(builder, number(side.dtype, 1), [...side.shape.slice(0, -1), 1]);
  const beside = (...parts: readonly Operand[]): Operand =>
    concat(builder, parts, (parts[0] as Operand).shape.length - 1);
  const left = beside(scaled(builder, x, -2), squares(x), ones(x));
  const right = beside(y, ones(y), squares(y));
  const sums = matmul(builder, left, swapAxes(builder, right, -2, -1));
  return unary(builder, "Sqrt", binary(builder, "Max", sums, number(x.dtype, 0)));
}

/** Distances between all pairs of rows. */
export const distanceRules: readonly OperatorRule[] = [
  rule(
    "cdist(Tensor x1, Tensor x2, float p=2, int? compute_mode=None)",
    ({ x1, x2, p, compute_mode }, builder) => distances(builder, x1, x2, p, compute_mode ?? modes.asFits),
  ),
];
