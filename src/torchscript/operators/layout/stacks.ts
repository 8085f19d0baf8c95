import { ConvertError } from "../../../core/errors.ts";
import { cast, number } from "../../emit/arithmetic.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { concat, expand, gather, reshape, unsqueeze } from "../../emit/layout.ts";
import { constant, integers, maxKnown, type Operand } from "../../emit/operand.ts";
import {
  addDimensions,
  type Dimension,
  elementsOf,
  type Shape,
  shapeText,
  subtractDimensions,
} from "../../shapes/dimension.ts";
import { promotedType } from "../../values/promotion.ts";
import { grids } from "../creation/creation.ts";
import { type OperatorRule, perhapsViewRule, rule, viewRule } from "../rule.ts";
import { joined } from "./joins.ts";

type Rank = 1 | 2 | 3;

/** Axes of extent 1 around what has fewer than `rank`: a vector is a row of a matrix, and a matrix has its third axis behind. */
function atLeast(builder: GraphBuilder, x: Operand, rank: Rank): Operand {
  const own = x.shape.length;
  if (own >= rank) return x;
  if (own === 0) return unsqueeze(builder, x, [0, 1, 2].slice(0, rank));
  if (rank === 2) return unsqueeze(builder, x, [0]);
  return unsqueeze(builder, x, own === 1 ? [0, 2] : [2]);
}

const raised: readonly OperatorRule[] = ([1, 2, 3] as const).flatMap((rank) => [
  viewRule(
    `atleast_${rank}d(Tensor self)` as "a(Tensor self)",
    ({ self }, builder) => atLeast(builder, self, rank),
    ({ self }, value, builder) => reshape(builder, value, self.shape),
  ),
  perhapsViewRule(
    `atleast_${rank}d(Tensor[] tensors) -> Tensor[]` as "a(Tensor[] tensors) -> Tensor[]",
    ({ tensors }, builder) => tensors.map((tensor) => atLeast(builder, tensor, rank)),
  ),
]);

/** Joined along an axis after each has got `rank` axes. */
function stackedAt(builder: GraphBuilder, tensors: readonly Operand[], rank: Rank, axis: number): Operand {
  return joined(
    builder,
    tensors.map((tensor) => atLeast(builder, tensor, rank)),
    axis,
  );
}

/** Side by side: vectors one after the other, all else along the second axis. */
function sideBySide(builder: GraphBuilder, tensors: readonly Operand[]): Operand {
  const isFlat = (tensors[0]?.shape.length ?? 0) < 2;
  return stackedAt(builder, tensors, 1, isFlat ? 0 : 1);
}

/** Vectors and numbers become columns. */
function asColumn(builder: GraphBuilder, x: Operand): Operand {
  return x.shape.length > 1 ? x : reshape(builder, x, [elementsOf(x.shape), 1]);
}

type Tensors = "a(Tensor[] tensors)";

const stacks: readonly OperatorRule[] = [
  rule("hstack(Tensor[] tensors)", ({ tensors }, builder) => sideBySide(builder, tensors)),
  ...["vstack", "row_stack"].map((name) =>
    rule(`${name}(Tensor[] tensors)` as Tensors, ({ tensors }, builder) => stackedAt(builder, tensors, 2, 0)),
  ),
  rule("dstack(Tensor[] tensors)", ({ tensors }, builder) => stackedAt(builder, tensors, 3, 2)),
  rule("column_stack(Tensor[] tensors)", ({ tensors }, builder) =>
    sideBySide(
      builder,
      tensors.map((tensor) => asColumn(builder, tensor)),
    ),
  ),
];

/** Matrices along a diagonal, with zeros around them. */
function blockDiagonal(builder: GraphBuilder, tensors: readonly Operand[]): Operand {
  if (tensors.length === 0) return constant("F32", [1, 0], []);
  const dtype = promotedType(tensors);
  const blocks = tensors.map((tensor) => {
    if (tensor.shape.length > 2)
      throw new ConvertError("malformed", `a block of shape ${shapeText(tensor.shape)}`);
    return atLeast(builder, cast(builder, tensor, dtype), 2);
  });
  const zeros = (shape: Shape): Operand => expand(builder, number(dtype, 0), shape);
  const widths = blocks.map(({ shape }) => shape[1] as Dimension);
  const total = sumOf(widths);
  const rows = blocks.map((block, index) => {
    const height = block.shape[0] as Dimension;
    const before = sumOf(widths.slice(0, index));
    const behind = subtractDimensions(total, sumOf(widths.slice(0, index + 1)));
    return concat(builder, [zeros([height, before]), block, zeros([height, behind])], 1);
  });
  return concat(builder, rows, 0);
}

function sumOf(extents: readonly Dimension[]): Dimension {
  return extents.reduce<Dimension>((sum, extent) => addDimensions(sum, extent), 0);
}

/** Every choice of one element of each vector, as rows. */
function cartesianProduct(builder: GraphBuilder, tensors: readonly Operand[]): Operand {
  const [first] = tensors;
  if (first === undefined || tensors.some(({ shape }) => shape.length !== 1))
    throw new ConvertError("malformed", "the product of what are no vectors");
  if (tensors.length === 1)
    throw new ConvertError("unsupported", "cartesian_prod of one vector, which is that vector");
  if (tensors.some(({ dtype }) => dtype !== first.dtype))
    throw new ConvertError("malformed", "the product of vectors of several dtypes");
  const columns = grids(builder, tensors, "ij").map((grid) =>
    reshape(builder, grid, [elementsOf(grid.shape), 1]),
  );
  return concat(builder, columns, 1);
}

/** All ways to take `count` of the first `total` numbers in ascending order, perhaps one of them again. */
function choices(total: number, count: number, repeats: boolean): readonly (readonly number[])[] {
  let rows: readonly (readonly number[])[] = [[]];
  for (let turn = 0; turn < count; turn++) {
    rows = rows.flatMap((row) => {
      const start = turn === 0 ? 0 : (row.at(-1) as number) + (repeats ? 0 : 1);
      return Array.from({ length: Math.max(total - start, 0) }, (_, index) => [...row, start + index]);
    });
    if (rows.length * count > maxKnown)
      throw new ConvertError("unsupported", `combinations of ${count} of ${total} elements`);
  }
  return rows;
}

function combinations(builder: GraphBuilder, x: Operand, count: number, repeats: boolean): Operand {
  const [extent] = x.shape;
  if (x.shape.length !== 1 || extent === undefined || count < 0)
    throw new ConvertError("malformed", `combinations of ${count} elements of ${shapeText(x.shape)}`);
  if (count === 0) return constant(x.dtype, [0], []);
  const rows = choices(builder.guards.settle(extent, "a number of elements to choose of"), count, repeats);
  if (rows.length === 0) return constant(x.dtype, [0, count], []);
  return gather(builder, x, reshape(builder, integers(rows.flat()), [rows.length, count]), 0);
}

/** Tensors of fewer axes put beside each other, and everything that is made of all pairs of them. */
export const stackRules: readonly OperatorRule[] = [
  ...raised,
  ...stacks,
  perhapsViewRule("broadcast_tensors(Tensor[] tensors) -> Tensor[]", ({ tensors }, builder) => {
    const shape = tensors.reduce<Shape>((wide, own) => builder.guards.broadcast(wide, own.shape), []);
    return tensors.map((tensor) => expand(builder, tensor, shape));
  }),
  rule("block_diag(Tensor[] tensors)", ({ tensors }, builder) => blockDiagonal(builder, tensors)),
  rule("cartesian_prod(Tensor[] tensors)", ({ tensors }, builder) => cartesianProduct(builder, tensors)),
  rule(
    "combinations(Tensor self, int r=2, bool with_replacement=False)",
    ({ self, r, with_replacement }, builder) => combinations(builder, self, r, with_replacement),
  ),
];
