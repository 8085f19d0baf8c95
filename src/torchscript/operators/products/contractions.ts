import { ConvertError } from "../../../core/errors.ts";
import { binary, multiply, subtract } from "../../emit/arithmetic.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { axisOf, concat, expand, reshape, slice, transpose } from "../../emit/layout.ts";
import { matmul } from "../../emit/linear.ts";
import type { Operand } from "../../emit/operand.ts";
import { reduce } from "../../emit/reduce.ts";
import { isFloat } from "../../emit/types.ts";
import {
  type Dimension,
  elementsOf,
  multiplyDimensions,
  shapeText,
  staticShape,
} from "../../shapes/dimension.ts";
import { promoted } from "../../values/promotion.ts";
import { inSingle } from "../layout/windows.ts";
import { summed } from "../reductions/reductions.ts";
import { type OperatorRule, rule } from "../rule.ts";

function sameType(what: string, ...operands: readonly Operand[]): void {
  const words = operands.map(({ dtype }) => dtype);
  if (words.some((dtype) => dtype !== words[0]))
    throw new ConvertError("malformed", `${what} of ${words.join(" and ")}`);
  // Torch refuses most of them, but not all ways to contract all axes.
  if (words[0] === "BOOL") throw new ConvertError("unsupported", `${what} of bools`);
}

/** Sums of products over pairs of axes; where one of a pair has extent 1, the other is summed up. */
function contracted(
  builder: GraphBuilder,
  left: Operand,
  right: Operand,
  dimsLeft: readonly number[],
  dimsRight: readonly number[],
): Operand {
  sameType("tensordot", left, right);
  const [a, b] = [axesOf(left, dimsLeft), axesOf(right, dimsRight)];
  if (a.length !== b.length)
    throw new ConvertError("malformed", `tensordot over ${a.length} and ${b.length} axes`);
  let [x, y] = [left, right];
  for (const [index, axis] of a.entries()) {
    const other = b[index] as number;
    const [own, opposite] = [x.shape[axis], y.shape[other]] as [Dimension, Dimension];
    if (own === 1 && opposite !== 1) y = collapsed(builder, y, other);
    else if (opposite === 1 && own !== 1) x = collapsed(builder, x, axis);
    else if (!builder.guards.decide(own, "==", opposite))
      throw new ConvertError(
        "malformed",
        `tensordot of ${shapeText(left.shape)} and ${shapeText(right.shape)}`,
      );
  }
  const inner = elementsOf(a.map((axis) => x.shape[axis] as Dimension));
  const [down, across] = [restOf(x, a), restOf(y, b)];
  const rows = reshape(builder, transpose(builder, x, [...down, ...a]), [extentOf(x, down), inner]);
  const columns = reshape(builder, transpose(builder, y, [...b, ...across]), [inner, extentOf(y, across)]);
  const shape = [...down.map((axis) => x.shape[axis]), ...across.map((axis) => y.shape[axis])] as Dimension[];
  return reshape(builder, matmul(builder, rows, columns), shape);
}

function axesOf(x: Operand, dims: readonly number[]): readonly number[] {
  const axes = dims.map((dim) => axisOf(dim, x.shape.length));
  if (new Set(axes).size < axes.length || (axes.length > 0 && x.shape.length === 0))
    throw new ConvertError(
      "malformed",
      `tensordot over the axes [${dims.join(", ")}] of ${shapeText(x.shape)}`,
    );
  return axes;
}

function restOf(x: Operand, axes: readonly number[]): readonly number[] {
  return [...x.shape.keys()].filter((axis) => !axes.includes(axis));
}

function extentOf(x: Operand, axes: readonly number[]): Dimension {
  return elementsOf(axes.map((axis) => x.shape[axis] as Dimension));
}

/** The sum along an axis, which stays with extent 1, in the tensor's own dtype. */
function collapsed(builder: GraphBuilder, x: Operand, axis: number): Operand {
  return summed(builder, "ReduceSum", x, [axis], true, x.dtype);
}

/** Products of vectors in the last axis of each side with each other. */
function inner(builder: GraphBuilder, left: Operand, right: Operand): Operand {
  const isNumber = left.shape.length === 0 || right.shape.length === 0;
  if (isNumber) {
    const [a, b] = promoted(builder, left, right) as [Operand, Operand];
    return product(builder, a, b);
  }
  const [own, other] = [left.shape.at(-1), right.shape.at(-1)] as [Dimension, Dimension];
  if (!builder.guards.decide(own, "==", other))
    throw new ConvertError("malformed", `inner of ${shapeText(left.shape)} and ${shapeText(right.shape)}`);
  return contracted(builder, left, right, [-1], [-1]);
}

function product(builder: GraphBuilder, left: Operand, right: Operand): Operand {
  return left.dtype === "BOOL" ? binary(builder, "And", left, right) : multiply(builder, left, right);
}

/** Each element of the left times the whole right, in its place. */
function kron(builder: GraphBuilder, left: Operand, right: Operand): Operand {
  const [x, y] = promoted(builder, left, right) as [Operand, Operand];
  const rank = Math.max(x.shape.length, y.shape.length);
  const [a, b] = [x, y].map(({ shape }) => [
    ...new Array<Dimension>(rank - shape.length).fill(1),
    ...shape,
  ]) as [Dimension[], Dimension[]];
  const outer = reshape(
    builder,
    x,
    a.flatMap((extent) => [extent, 1]),
  );
  const whole = product(
    builder,
    outer,
    reshape(
      builder,
      y,
      b.flatMap((extent) => [1, extent]),
    ),
  );
  return reshape(
    builder,
    whole,
    a.map((extent, axis) => multiplyDimensions(extent, b[axis] as Dimension)),
  );
}

/** The vector product along an axis of extent 3. */
function cross(builder: GraphBuilder, left: Operand, right: Operand, dim: number | undefined): Operand {
  sameType("the vector product", left, right);
  const rank = left.shape.length;
  const axis = dim === undefined ? left.shape.indexOf(3) : axisOf(dim, rank);
  if (rank === 0 || rank !== right.shape.length || left.shape[axis] !== 3 || right.shape[axis] !== 3)
    throw new ConvertError(
      "malformed",
      `vectors in ${shapeText(left.shape)} times those in ${shapeText(right.shape)}`,
    );
  const shape = builder.guards.broadcast(left.shape, right.shape);
  const part = (x: Operand, index: number): Operand => slice(builder, x, axis, index % 3, (index % 3) + 1);
  const parts = [0, 1, 2].map((index) =>
    subtract(
      builder,
      multiply(builder, part(left, index + 1), part(right, index + 2)),
      multiply(builder, part(left, index + 2), part(right, index + 1)),
    ),
  );
  return expand(builder, concat(builder, parts, axis), shape);
}

/** A product of matrices in the order that takes the fewest steps; the first and the last may be vectors. */
function chained(builder: GraphBuilder, name: string, matrices: readonly Operand[]): Operand {
  const [first, last] = [matrices[0], matrices.at(-1)];
  const isVector = (x: Operand): boolean => x.shape.length === 1;
  const fits = matrices.every((x) => x.shape.length === 2 || (isVector(x) && (x === first || x === last)));
  if (first === undefined || last === undefined || matrices.length < 2 || !fits)
    throw new ConvertError(
      matrices.length === 1 && name === "chain_matmul" ? "unsupported" : "malformed",
      `${name} of ${matrices.map(({ shape }) => shapeText(shape)).join(", ")}`,
    );
  sameType(name, ...matrices);
  return multiplied(builder, matrices, cheapestSplits(matrices), 0, matrices.length - 1);
}

function multiplied(
  builder: GraphBuilder,
  matrices: readonly Operand[],
  splits: ReadonlyMap<string, number>,
  start: number,
  end: number,
): Operand {
  if (start === end) return matrices[start] as Operand;
  const at = splits.get(`${start} ${end}`) ?? end - 1;
  const left = multiplied(builder, matrices, splits, start, at);
  return matmul(builder, left, multiplied(builder, matrices, splits, at + 1, end));
}

/** After which matrix each part of a chain is divided; from left to right where extents are open, or the chain is long. */
function cheapestSplits(matrices: readonly Operand[]): ReadonlyMap<string, number> {
  const splits = new Map<string, number>();
  const shapes = matrices.map(({ shape }) => staticShape(shape));
  if (matrices.length > 32 || shapes.includes(undefined)) return splits;
  const rowsOf = (index: number): number => {
    const shape = shapes[index] as readonly number[];
    return shape.length === 1 && index === 0 ? 1 : (shape[0] as number);
  };
  const columns = (index: number): number =>
    shapes[index]?.[1] ?? (index === 0 ? (shapes[0]?.[0] as number) : 1);
  const costs = matrices.map(() => matrices.map(() => 0));
  for (let length = 2; length <= matrices.length; length++) {
    for (let start = 0; start + length <= matrices.length; start++) {
      const end = start + length - 1;
      const options = Array.from({ length: length - 1 }, (_, step) => {
        const at = start + step;
        const steps = rowsOf(start) * columns(at) * columns(end);
        return (costs[start]?.[at] as number) + (costs[at + 1]?.[end] as number) + steps;
      });
      const least = Math.min(...options);
      (costs[start] as number[])[end] = least;
      splits.set(`${start} ${end}`, start + options.indexOf(least));
    }
  }
  return splits;
}

type Two = "a(Tensor self, Tensor other)";
type Chain = "a(Tensor[] matrices)";

/** Products that sum over chosen axes, products of vectors, chains of matrices, and determinants. */
export const contractionRules: readonly OperatorRule[] = [
  rule(
    "tensordot(Tensor self, Tensor other, int[] dims_self, int[] dims_other)",
    ({ self, other, dims_self, dims_other }, builder) =>
      contracted(builder, self, other, dims_self, dims_other),
  ),
  rule("inner(Tensor self, Tensor other)" as Two, ({ self, other }, builder) => inner(builder, self, other)),
  rule("kron(Tensor self, Tensor other)" as Two, ({ self, other }, builder) => kron(builder, self, other)),
  rule("cross(Tensor self, Tensor other, int? dim=None)", ({ self, other, dim }, builder) =>
    cross(builder, self, other, dim),
  ),
  rule("linalg_cross(Tensor self, Tensor other, *, int dim=-1)", ({ self, other, dim }, builder) =>
    cross(builder, self, other, dim),
  ),
  rule("linalg_vecdot(Tensor x, Tensor y, *, int dim=-1)", ({ x, y, dim }, builder) => {
    sameType("the product of vectors", x, y);
    if (!isFloat(x.dtype)) throw new ConvertError("malformed", `linalg_vecdot of ${x.dtype}`);
    const products = multiply(builder, x, y);
    return reduce(builder, "ReduceSum", products, [axisOf(dim, products.shape.length)], false);
  }),
  ...["chain_matmul", "linalg_multi_dot"].map((name) =>
    rule(`${name}(Tensor[] matrices)` as Chain, ({ matrices }, builder) => chained(builder, name, matrices)),
  ),
  ...["linalg_det", "det"].map((name) =>
    rule(`${name}(Tensor self)` as "a(Tensor self)", ({ self }, builder, context) => {
      const [rows, columns] = self.shape.slice(-2);
      const isSquare =
        rows !== undefined && columns !== undefined && builder.guards.decide(rows, "==", columns);
      if (!isSquare || !["F32", "F64"].includes(self.dtype))
        throw new ConvertError(
          "malformed",
          `the determinant of ${self.dtype} of shape ${shapeText(self.shape)}`,
        );
      return inSingle(builder, [self], context, ([x]) =>
        builder.node("Det", [x], { dtype: (x as Operand).dtype, shape: self.shape.slice(0, -2) }),
      );
    }),
  ),
];
