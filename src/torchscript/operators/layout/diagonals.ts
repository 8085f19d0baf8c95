import type { DType } from "../../../core/dtype.ts";
import { ConvertError } from "../../../core/errors.ts";
import { binary, cast, number, where } from "../../emit/arithmetic.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { axisOf, expand, gather, reshape, transpose, unsqueeze } from "../../emit/layout.ts";
import { constant, integers, type Operand, tableOf } from "../../emit/operand.ts";
import { type Dimension, isSameShape, type Shape, shapeText } from "../../shapes/dimension.ts";
import { summed } from "../reductions/reductions.ts";
import { type OperatorRule, rule, viewRule } from "../rule.ts";
import { inverseOf } from "./views.ts";

/** A diagonal of the matrices that two axes form, and those axes behind all others. */
interface Diagonal {
  readonly order: readonly number[];
  readonly rows: number;
  readonly columns: number;
  /** Where it begins, and how many elements it has. */
  readonly row: number;
  readonly column: number;
  readonly count: number;
}

function diagonalOf(builder: GraphBuilder, shape: Shape, offset: number, dims: readonly number[]): Diagonal {
  const rank = shape.length;
  const axes = dims.map((dim) => axisOf(dim, rank));
  if (rank < 2 || axes[0] === axes[1])
    throw new ConvertError(
      "malformed",
      `a diagonal of the axes ${dims.join(" and ")} of ${shapeText(shape)}`,
    );
  const [rows, columns] = axes.map((axis) =>
    builder.guards.settle(shape[axis] as Dimension, "an extent of matrices that have a diagonal"),
  ) as [number, number];
  const [row, column] = [Math.max(-offset, 0), Math.max(offset, 0)];
  const rest = [...shape.keys()].filter((axis) => !axes.includes(axis));
  const count = Math.max(Math.min(rows - row, columns - column), 0);
  return { order: [...rest, ...axes], rows, columns, row, column, count };
}

/** The elements of a diagonal, as a new last axis. */
function diagonal(builder: GraphBuilder, x: Operand, offset: number, dims: readonly number[]): Operand {
  const { order, rows, columns, row, column, count } = diagonalOf(builder, x.shape, offset, dims);
  const turned = transpose(builder, x, order);
  const flat = reshape(builder, turned, [...turned.shape.slice(0, -2), rows * columns]);
  const picks = tableOf(count, (index) => (row + index) * columns + column + index);
  return gather(builder, flat, integers(picks), flat.shape.length - 1);
}

/** Matrices as two last axes, with these elements in a diagonal. */
function withDiagonal(
  builder: GraphBuilder,
  base: Operand,
  elements: Operand,
  { rows, columns, row, column, count }: Omit<Diagonal, "order">,
): Operand {
  if (count === 0) return base;
  // Each column has one of them, in the row where the diagonal crosses it.
  const picks = tableOf(columns, (index) => Math.min(Math.max(index - column, 0), count - 1));
  const last = elements.shape.length - 1;
  const spread = unsqueeze(builder, gather(builder, elements, integers(picks), last), [last]);
  const crossings = integers(tableOf(columns, (index) => index - column + row));
  const isCrossed = tableOf(columns, (index) => (index >= column && index < column + count ? 1 : 0));
  const lines = constant(
    "I64",
    [rows, 1],
    tableOf(rows, (index) => index),
  );
  const isHit = binary(builder, "Equal", lines, crossings);
  const flags = isCrossed.includes(0)
    ? binary(builder, "And", isHit, constant("BOOL", [columns], isCrossed))
    : isHit;
  return where(builder, flags, spread, base);
}

/** `base` with a diagonal overwritten. */
function overwriteDiagonal(
  builder: GraphBuilder,
  base: Operand,
  value: Operand,
  offset: number,
  dims: readonly number[],
): Operand {
  const place = diagonalOf(builder, base.shape, offset, dims);
  const turned = transpose(builder, base, place.order);
  const written = withDiagonal(builder, turned, cast(builder, value, base.dtype), place);
  return transpose(builder, written, inverseOf(place.order));
}

/** Matrices of zeros around a diagonal, in two new axes. */
function embedded(builder: GraphBuilder, x: Operand, offset: number, dims: readonly number[]): Operand {
  const rank = x.shape.length + 1;
  const extent = x.shape.at(-1);
  const axes = dims.map((dim) => axisOf(dim, rank));
  if (extent === undefined || axes[0] === axes[1])
    throw new ConvertError(
      "malformed",
      `a diagonal of ${shapeText(x.shape)} in the axes ${dims.join(" and ")}`,
    );
  const count = builder.guards.settle(extent, "an extent that becomes a diagonal");
  const size = count + Math.abs(offset);
  const [row, column] = [Math.max(-offset, 0), Math.max(offset, 0)];
  const zero = expand(builder, number(x.dtype, 0), [...x.shape.slice(0, -1), size, size]);
  const matrices = withDiagonal(builder, zero, x, { rows: size, columns: size, row, column, count });
  const rest = [...matrices.shape.keys()].filter((axis) => !axes.includes(axis));
  return transpose(builder, matrices, inverseOf([...rest, ...axes]));
}

/** A vector on a diagonal, or the diagonal of a matrix. */
function diag(builder: GraphBuilder, x: Operand, offset: number): Operand {
  if (x.shape.length === 1) return embedded(builder, x, offset, [0, 1]);
  if (x.shape.length === 2) return diagonal(builder, x, offset, [0, 1]);
  throw new ConvertError("malformed", `diag of a tensor of shape ${shapeText(x.shape)}`);
}

/** Rows and columns of the elements on one side of a diagonal. */
function triangleIndices(
  rows: number,
  columns: number,
  isWanted: (distance: number) => boolean,
  dtype: DType | undefined,
): Operand {
  if (rows < 0 || columns < 0) throw new ConvertError("malformed", `a triangle of ${rows} by ${columns}`);
  if (dtype !== undefined && dtype !== "I64" && dtype !== "I32")
    throw new ConvertError("malformed", `indices of ${dtype}`);
  const cells = tableOf(rows * columns, (index) => index).filter((index) =>
    isWanted((index % columns) - Math.floor(index / columns)),
  );
  const values = [
    ...cells.map((index) => Math.floor(index / columns)),
    ...cells.map((index) => index % columns),
  ];
  return constant(dtype ?? "I64", [2, cells.length], values);
}

type Indices = "a(int row, int col, int offset=0, *, dtype? dtype=None)";

const tables: readonly OperatorRule[] = (["tril_indices", "triu_indices"] as const).map((name) =>
  rule(
    `${name}(int row, int col, int offset=0, *, dtype? dtype=None, any layout=None, any device=None, any pin_memory=None)` as Indices,
    ({ row, col, offset, dtype }) =>
      triangleIndices(
        row,
        col,
        (distance) => (name === "tril_indices" ? distance <= offset : distance >= offset),
        dtype,
      ),
  ),
);

type View = "a(Tensor self, int offset=0, int dim1=0, int dim2=1)";

const shown: readonly OperatorRule[] = [
  ["diagonal", "Tensor self, int offset=0, int dim1=0, int dim2=1"],
  ["linalg_diagonal", "Tensor self, *, int offset=0, int dim1=-2, int dim2=-1"],
].map(([name, parameters]) =>
  viewRule(
    `${name}(${parameters})` as View,
    ({ self, offset, dim1, dim2 }, builder) => diagonal(builder, self, offset, [dim1, dim2]),
    ({ self, offset, dim1, dim2 }, value, builder) =>
      overwriteDiagonal(builder, self, value, offset, [dim1, dim2]),
  ),
);

/** Diagonals: shown, made, written, summed up. */
export const diagonalRules: readonly OperatorRule[] = [
  ...shown,
  ...tables,
  rule("diag(Tensor self, int diagonal=0)", ({ self, diagonal: offset }, builder) =>
    diag(builder, self, offset),
  ),
  rule("diagflat(Tensor self, int offset=0)", ({ self, offset }, builder) =>
    embedded(builder, reshape(builder, self, [-1]), offset, [0, 1]),
  ),
  rule(
    "diag_embed(Tensor self, int offset=0, int dim1=-2, int dim2=-1)",
    ({ self, offset, dim1, dim2 }, builder) => embedded(builder, self, offset, [dim1, dim2]),
  ),
  rule(
    "diagonal_scatter(Tensor self, Tensor src, int offset=0, int dim1=0, int dim2=1)",
    ({ self, src, offset, dim1, dim2 }, builder) => {
      const { shape } = diagonal(builder, self, offset, [dim1, dim2]);
      if (!isSameShape(src.shape, shape))
        throw new ConvertError(
          "malformed",
          `${shapeText(src.shape)} is written to a diagonal of ${shapeText(shape)}`,
        );
      return overwriteDiagonal(builder, self, src, offset, [dim1, dim2]);
    },
  ),
  rule("trace(Tensor self)", ({ self }, builder) => {
    if (self.shape.length !== 2 || self.dtype === "BOOL")
      throw new ConvertError("malformed", `trace of ${self.dtype} of shape ${shapeText(self.shape)}`);
    return summed(builder, "ReduceSum", diagonal(builder, self, 0, [0, 1]), undefined, false, undefined);
  }),
];
