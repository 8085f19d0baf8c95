import { ConvertError } from "../../../core/errors.ts";
import { cast, scaled } from "../../emit/arithmetic.ts";
import { intAttribute, stringAttribute } from "../../emit/attributes.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { axisOf, expand, gather, reshape, slice } from "../../emit/layout.ts";
import type { Operand } from "../../emit/operand.ts";
import { categoryOf, isFloat } from "../../emit/types.ts";
import { type Dimension, shapeText } from "../../shapes/dimension.ts";
import { asOperand } from "../../values/promotion.ts";
import { type OperatorRule, rule } from "../rule.ts";
import { indexed, indexPut } from "./advanced-index.ts";

/** Indices as 64-bit integers. */
export function indicesOf(builder: GraphBuilder, index: Operand): Operand {
  if (categoryOf(index.dtype) !== "integer")
    throw new ConvertError("malformed", `an index of ${index.dtype}`);
  return cast(builder, index, "I64");
}

/** What `gather` and `scatter` take: as many axes as the tensor, and no more elements along those that are not indexed. */
function checkBeside(builder: GraphBuilder, self: Operand, dim: number, index: Operand): number {
  const rank = self.shape.length;
  const axis = axisOf(dim, rank);
  const fits =
    index.shape.length === rank &&
    index.shape.every(
      (extent, own) => own === axis || builder.guards.permits(extent, "<=", self.shape[own] as Dimension),
    );
  if (!fits)
    throw new ConvertError(
      "malformed",
      `an index of shape ${shapeText(index.shape)} into a tensor of shape ${shapeText(self.shape)}`,
    );
  return axis;
}

function gathered(builder: GraphBuilder, self: Operand, dim: number, index: Operand): Operand {
  const axis = checkBeside(builder, self, dim, index);
  if (self.shape.length === 0) return self;
  return builder.node(
    "GatherElements",
    [self, indicesOf(builder, index)],
    { dtype: self.dtype, shape: index.shape },
    { axis: intAttribute(axis) },
  );
}

const reductions: Readonly<Record<string, string>> = {
  add: "add",
  sum: "add",
  multiply: "mul",
  prod: "mul",
  amax: "max",
  amin: "min",
};

/** `source` written where the index says, or joined with what is there. */
function scattered(
  builder: GraphBuilder,
  self: Operand,
  dim: number,
  index: Operand,
  source: Operand,
  reduction: string | undefined,
): Operand {
  const axis = checkBeside(builder, self, dim, index);
  if (source.dtype !== self.dtype)
    throw new ConvertError("malformed", `elements of ${source.dtype} are written to ${self.dtype}`);
  const word = reduction === undefined ? "none" : reductions[reduction];
  if (word === undefined) throw new ConvertError("unsupported", `scatter with the reduction "${reduction}"`);
  if (word !== "none" && self.dtype === "BOOL")
    throw new ConvertError("unsupported", `scatter of bools with the reduction "${reduction}"`);
  if (["max", "min"].includes(word) && builder.opset < 18)
    throw new ConvertError("unsupported", `scatter with the reduction "${reduction}", which needs opset 18`);
  if (self.shape.length === 0) throw new ConvertError("unsupported", "scatter into a 0-d tensor");
  const updates = partOf(builder, source, index.shape);
  return builder.node("ScatterElements", [self, indicesOf(builder, index), updates], self, {
    axis: intAttribute(axis),
    ...(word === "none" ? {} : { reduction: stringAttribute(word) }),
  });
}

/** The first elements along each axis; torch takes sources that are larger than the index. */
function partOf(builder: GraphBuilder, source: Operand, shape: readonly Dimension[]): Operand {
  if (source.shape.length !== shape.length)
    throw new ConvertError(
      "malformed",
      `an index of shape ${shapeText(shape)} for ${shapeText(source.shape)}`,
    );
  return shape.reduce<Operand>((part, extent, axis) => {
    if (builder.guards.attempt(extent, ">", part.shape[axis] as Dimension))
      throw new ConvertError(
        "malformed",
        `an index of shape ${shapeText(shape)} for ${shapeText(source.shape)}`,
      );
    return slice(builder, part, axis, 0, extent);
  }, source);
}

/** `self[…, index, …] = source` along one axis, or added to what is there. */
function writtenAlong(
  builder: GraphBuilder,
  self: Operand,
  dim: number,
  index: Operand,
  source: Operand,
  accumulates: boolean,
): Operand {
  const axis = axisOf(dim, self.shape.length);
  const rows = reshape(builder, indicesOf(builder, index), [-1]);
  const before = new Array<undefined>(axis).fill(undefined);
  return indexPut(builder, self, [...before, rows], source, accumulates);
}

type Source = "a(Tensor self, int dim, Tensor index, Tensor src)";
type Along = "a(Tensor self, int dim, Tensor index, Tensor source)";

const writing: readonly OperatorRule[] = [
  rule(
    "scatter(Tensor self, int dim, Tensor index, Tensor src)" as Source,
    ({ self, dim, index, src }, builder) => scattered(builder, self, dim, index, src, undefined),
  ),
  rule(
    "scatter(Tensor self, int dim, Tensor index, Tensor src, *, str reduce)",
    ({ self, dim, index, src, reduce }, builder) => scattered(builder, self, dim, index, src, reduce),
  ),
  rule(
    "scatter(Tensor self, int dim, Tensor index, Scalar value, *, str? reduce=None)",
    ({ self, dim, index, value, reduce }, builder) => {
      const source = expand(builder, asOperand(builder, value, self.dtype), index.shape);
      return scattered(builder, self, dim, index, source, reduce);
    },
  ),
  rule(
    "scatter_add(Tensor self, int dim, Tensor index, Tensor src)" as Source,
    ({ self, dim, index, src }, builder) => scattered(builder, self, dim, index, src, "add"),
  ),
  rule(
    "scatter_reduce(Tensor self, int dim, Tensor index, Tensor src, str reduce, *, bool include_self=True)",
    ({ self, dim, index, src, reduce, include_self }, builder) => {
      if (!include_self) throw new ConvertError("unsupported", "scatter_reduce without the tensor itself");
      return scattered(builder, self, dim, index, src, reduce);
    },
  ),
  rule("take(Tensor self, Tensor index)", ({ self, index }, builder) =>
    gather(builder, reshape(builder, self, [-1]), indicesOf(builder, index), 0),
  ),
  rule(
    "index_add(Tensor self, int dim, Tensor index, Tensor source, *, Scalar alpha=1)",
    ({ self, dim, index, source, alpha }, builder) => {
      if (!isFloat(source.dtype) && typeof alpha === "number")
        throw new ConvertError("malformed", `integers are multiplied with the alpha ${alpha}`);
      return writtenAlong(builder, self, dim, index, scaled(builder, source, Number(alpha)), true);
    },
  ),
  rule(
    "index_copy(Tensor self, int dim, Tensor index, Tensor source)" as Along,
    ({ self, dim, index, source }, builder) => writtenAlong(builder, self, dim, index, source, false),
  ),
  rule(
    "index_fill(Tensor self, int dim, Tensor index, Tensor|Scalar value)",
    ({ self, dim, index, value }, builder) =>
      writtenAlong(builder, self, dim, index, asOperand(builder, value, self.dtype), false),
  ),
];

/** Elements by index: read, and written. */
export const indexingRules: readonly OperatorRule[] = [
  rule("index(Tensor self, Tensor?[] indices)", ({ self, indices }, builder) =>
    indexed(builder, self, indices),
  ),
  ...["index_put", "_index_put_impl", "_unsafe_index_put"].map((name) =>
    rule(
      `${name}(Tensor self, Tensor?[] indices, Tensor values, bool accumulate=False, any unsafe=False)` as "a(Tensor self, Tensor?[] indices, Tensor values, bool accumulate=False)",
      ({ self, indices, values, accumulate }, builder) =>
        indexPut(builder, self, indices, values, accumulate),
    ),
  ),
  ...writing,
  rule("index_select(Tensor self, int dim, Tensor index)", ({ self, dim, index }, builder) => {
    const axis = axisOf(dim, self.shape.length);
    if (index.shape.length > 1) throw new ConvertError("malformed", "index_select by more than a vector");
    const rows = reshape(builder, indicesOf(builder, index), [-1]);
    if (self.shape.length > 0) return gather(builder, self, rows, axis);
    return reshape(builder, gather(builder, reshape(builder, self, [1]), rows, 0), []);
  }),
  rule(
    "gather(Tensor self, int dim, Tensor index, *, any sparse_grad=False)",
    ({ self, dim, index }, builder) => gathered(builder, self, dim, index),
  ),
  rule("take_along_dim(Tensor self, Tensor indices, int dim)", ({ self, indices, dim }, builder) => {
    const axis = axisOf(dim, self.shape.length);
    const apart = (shape: readonly Dimension[]): readonly Dimension[] =>
      shape.map((extent, own) => (own === axis ? 1 : extent));
    if (self.shape.length !== indices.shape.length)
      throw new ConvertError("malformed", "take_along_dim with as many axes on neither side");
    const beside = builder.guards.broadcast(apart(self.shape), apart(indices.shape));
    const widened = (x: Operand): Operand =>
      expand(
        builder,
        x,
        beside.map((extent, own) => (own === axis ? (x.shape[axis] as Dimension) : extent)),
      );
    return gathered(builder, widened(self), axis, widened(indices));
  }),
  rule(
    "embedding(Tensor weight, Tensor indices, any padding_idx=-1, any scale_grad_by_freq=False, any sparse=False)",
    ({ weight, indices }, builder) => {
      if (weight.shape.length !== 2) throw new ConvertError("malformed", "an embedding that is no matrix");
      return gather(builder, weight, indicesOf(builder, indices), 0);
    },
  ),
];
