import { ConvertError } from "../../../core/errors.ts";
import { cast } from "../../emit/arithmetic.ts";
import { intAttribute } from "../../emit/attributes.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { axisOf, expand, gather, reshape, transpose } from "../../emit/layout.ts";
import { type Operand, scalar } from "../../emit/operand.ts";
import { boundsOf, type Dimension, elementsOf, type Shape } from "../../shapes/dimension.ts";
import { type OperatorRule, rule } from "../rule.ts";

/** A result with an axis whose extent only data tell, at most `most`. */
export function withDataExtent(
  builder: GraphBuilder,
  result: Operand,
  axis: number,
  most: Dimension,
): Operand {
  const bounds = { least: 0, most: boundsOf(most).most };
  const extent = builder.sizeFromData({ operand: result, axis }, bounds);
  return { ...result, shape: result.shape.map((own, index) => (index === axis ? extent : own)) };
}

/** Where a tensor is not zero: one row of indices for each of its axes, `[rank, count]`. */
export function placesOfNonZero(builder: GraphBuilder, x: Operand): Operand {
  const flags = cast(builder, x, "BOOL");
  const rank = flags.shape.length;
  const places = builder.node("NonZero", [flags], { dtype: "I64", shape: [rank, -1] });
  return withDataExtent(builder, places, 1, elementsOf(flags.shape));
}

function nonZero(builder: GraphBuilder, x: Operand): Operand {
  if (x.shape.length === 0) throw new ConvertError("unsupported", "nonzero of a tensor without dimensions");
  return transpose(builder, placesOfNonZero(builder, x), [1, 0]);
}

/** The indices of each axis by themselves. */
function nonZeroColumns(builder: GraphBuilder, x: Operand): readonly Operand[] {
  if (x.shape.length === 0) throw new ConvertError("unsupported", "nonzero of a tensor without dimensions");
  const places = placesOfNonZero(builder, x);
  return x.shape.map((_, axis) => gather(builder, places, scalar("I64", axis), 0));
}

function maskedSelect(builder: GraphBuilder, x: Operand, mask: Operand): Operand {
  if (mask.dtype !== "BOOL" && mask.dtype !== "U8")
    throw new ConvertError("malformed", `a mask of ${mask.dtype}, and not of bools`);
  const shape = builder.guards.broadcast(x.shape, mask.shape);
  const [values, flags] = [x, cast(builder, mask, "BOOL")].map((operand) =>
    reshape(builder, expand(builder, operand, shape), [-1]),
  );
  const picked = builder.node("Compress", [values, flags], { dtype: x.dtype, shape: [-1] });
  return withDataExtent(builder, picked, 0, elementsOf(shape));
}

/** What ONNX Runtime tells apart in another dtype, which holds the same numbers. */
export function distinguishable(builder: GraphBuilder, x: Operand): Operand {
  if (["F32", "F64", "I64"].includes(x.dtype)) return x;
  return cast(builder, x, ["F16", "BF16"].includes(x.dtype) ? "F32" : "I64");
}

/** Each value once, in ascending order; which of them each element is; how often each occurs. */
function unique(builder: GraphBuilder, self: Operand, dim: number | undefined): readonly Operand[] {
  const rank = self.shape.length;
  const axis = dim === undefined ? undefined : axisOf(dim, rank);
  const x = distinguishable(builder, self);
  const count: Shape = [-1];
  const shape = axis === undefined ? count : x.shape.map((extent, own) => (own === axis ? -1 : extent));
  const total = axis === undefined ? elementsOf(x.shape) : (x.shape[axis] as Dimension);
  const [values, , inverse, counts] = builder.nodes(
    "Unique",
    [x],
    [
      { dtype: x.dtype, shape },
      { dtype: "I64", shape: count },
      { dtype: "I64", shape: [total] },
      { dtype: "I64", shape: count },
    ],
    { sorted: intAttribute(1), ...(axis === undefined ? {} : { axis: intAttribute(axis) }) },
  ) as [Operand, Operand, Operand, Operand];
  const distinct = withDataExtent(builder, values, axis ?? 0, total);
  const extent = distinct.shape[axis ?? 0] as Dimension;
  return [
    cast(builder, distinct, self.dtype),
    axis === undefined ? reshape(builder, inverse, self.shape) : inverse,
    { ...counts, shape: [extent] },
  ];
}

/** Elements of which data decide how many they are. */
export const dataSelectionRules: readonly OperatorRule[] = [
  rule("nonzero(Tensor self)", ({ self }, builder) => nonZero(builder, self)),
  rule("argwhere(Tensor self)", ({ self }, builder) => nonZero(builder, self)),
  rule("nonzero_numpy(Tensor self) -> Tensor[]", ({ self }, builder) => nonZeroColumns(builder, self)),
  rule("where(Tensor condition) -> Tensor[]", ({ condition }, builder) => nonZeroColumns(builder, condition)),
  rule("masked_select(Tensor self, Tensor mask)", ({ self, mask }, builder) =>
    maskedSelect(builder, self, mask),
  ),
  rule(
    "_unique2(Tensor self, any sorted=True, any return_inverse=False, any return_counts=False)",
    ({ self }, builder) => unique(builder, self, undefined),
  ),
  rule("_unique(Tensor self, any sorted=True, any return_inverse=False)", ({ self }, builder) =>
    unique(builder, self, undefined).slice(0, 2),
  ),
  rule(
    "unique_dim(Tensor self, int dim, any sorted=True, any return_inverse=False, any return_counts=False)",
    ({ self, dim }, builder) => unique(builder, self, dim),
  ),
];
