import { ConvertError } from "../../../core/errors.ts";
import { cast, not, number, where } from "../../emit/arithmetic.ts";
import { intAttribute } from "../../emit/attributes.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { axisOf, gather, reshape, squeeze, unsqueeze } from "../../emit/layout.ts";
import { constant, integers, type Operand } from "../../emit/operand.ts";
import { reduce } from "../../emit/reduce.ts";
import { isFloat } from "../../emit/types.ts";
import { type Dimension, dimensionText } from "../../shapes/dimension.ts";
import { promoted, type Scalar } from "../../values/promotion.ts";
import { isNaNOf } from "../elements/functions.ts";
import { type OperatorRule, rule } from "../rule.ts";

/** The first `count` of an axis by size, with their places; of equal ones the first comes first. */
export function ranked(
  builder: GraphBuilder,
  self: Operand,
  count: Dimension,
  dim: number,
  isLargest: boolean,
): readonly [values: Operand, places: Operand] {
  const axis = axisOf(dim, self.shape.length);
  if (self.shape.length === 0) return [self, number("I64", 0)];
  if (!builder.guards.permits(count, "<=", self.shape[axis] as Dimension))
    throw new ConvertError(
      "malformed",
      `the first ${dimensionText(count)} of ${dimensionText(self.shape[axis] as Dimension)} elements`,
    );
  const shape = self.shape.map((extent, index) => (index === axis ? count : extent));
  // The runtime cannot rank nothing.
  if (shape.includes(0) || self.shape.includes(0)) {
    if (shape.some((extent) => typeof extent !== "number"))
      throw new ConvertError("unsupported", "elements of a tensor that may be empty are ranked");
    return [constant(self.dtype, shape, []), constant("I64", shape, [])];
  }
  const held = cast(builder, self, rankable[self.dtype] ?? self.dtype);
  const x = isFloat(self.dtype) ? withOddLargest(builder, held) : held;
  const [values, places] = builder.nodes(
    "TopK",
    [x, integers([count])],
    [
      { dtype: x.dtype, shape },
      { dtype: "I64", shape },
    ],
    { axis: intAttribute(axis), largest: intAttribute(isLargest ? 1 : 0), sorted: intAttribute(1) },
  );
  if (!isFloat(self.dtype)) return [cast(builder, values as Operand, self.dtype), places as Operand];
  const picked = builder.node(
    "GatherElements",
    [self, places],
    { dtype: self.dtype, shape },
    { axis: intAttribute(axis) },
  );
  return [picked, places as Operand];
}

/** NaN counts as the largest to torch. Beside an infinity, which comes after it, the two come in the order of their places here. */
function withOddLargest(builder: GraphBuilder, x: Operand): Operand {
  return where(builder, isNaNOf(builder, x), number(x.dtype, Number.POSITIVE_INFINITY), x);
}

/** What ONNX Runtime ranks in another dtype, which holds the same numbers. */
const rankable: Partial<Record<Operand["dtype"], Operand["dtype"]>> = {
  BOOL: "I32",
  U8: "I32",
  I8: "I32",
  I16: "I32",
  F16: "F32",
  BF16: "F32",
};

function sorted(
  builder: GraphBuilder,
  self: Operand,
  dim: number,
  isDescending: boolean,
): readonly [values: Operand, places: Operand] {
  const extent = self.shape[axisOf(dim, self.shape.length)] ?? 1;
  return ranked(builder, self, extent, dim, isDescending);
}

/** The element that is number `k` in ascending order, counted from 1. */
function kth(
  builder: GraphBuilder,
  self: Operand,
  k: number,
  dim: number,
  keepdim: boolean,
): readonly Operand[] {
  if (k < 1) throw new ConvertError("malformed", `there is no element number ${k}`);
  const axis = axisOf(dim, self.shape.length);
  const found = ranked(builder, self, k, dim, false);
  if (self.shape.length === 0) return found;
  return found.map((operand) => {
    const last = gather(builder, operand, integers([k - 1]), axis);
    return keepdim ? last : squeeze(builder, last, [axis]);
  });
}

/** How many boundaries each value lies behind: as torch has it, a NaN behind all of them. */
function searched(
  builder: GraphBuilder,
  boundaries: Operand,
  values: Operand,
  isRight: boolean,
  isNarrow: boolean,
): Operand {
  const [bounds, wanted] = promoted(builder, boundaries, values) as [Operand, Operand];
  const rank = wanted.shape.length;
  const own = bounds.shape.length === 1 ? bounds : unsqueeze(builder, bounds, [bounds.shape.length - 1]);
  if (bounds.shape.length !== 1 && bounds.shape.length !== rank)
    throw new ConvertError("malformed", "a search in sequences of another rank than what is searched");
  const each = unsqueeze(builder, wanted, [rank]);
  const shape = builder.guards.broadcast(own.shape, each.shape);
  const isBefore = builder.node(isRight ? "Greater" : "GreaterOrEqual", [own, each], {
    dtype: "BOOL",
    shape,
  });
  const counts = cast(builder, not(builder, isBefore), "I64");
  return cast(builder, reduce(builder, "ReduceSum", counts, [rank], false), isNarrow ? "I32" : "I64");
}

/** `right`, or by its other name. */
function isRightSide(right: boolean, side: string | undefined): boolean {
  if (side === "left" && right)
    throw new ConvertError("malformed", 'a search to the right and to the "left"');
  return right || side === "right";
}

function refuseSorter(sorter: Operand | undefined): void {
  if (sorter !== undefined) throw new ConvertError("unsupported", "searchsorted with a sorter");
}

function single(value: Scalar): Operand {
  const isWhole = typeof value === "bigint" || typeof value === "object";
  return constant(isWhole ? "I64" : "F32", [], [typeof value === "object" ? value : Number(value)]);
}

type Search =
  "a(Tensor sorted_sequence, Tensor self, *, bool out_int32=False, bool right=False, str? side=None, Tensor? sorter=None)";
type SearchOne =
  "a(Tensor sorted_sequence, Scalar self, *, bool out_int32=False, bool right=False, str? side=None, Tensor? sorter=None)";
type Sort = "a(Tensor self, int dim=-1, bool descending=False)";
type StableSort = "a(Tensor self, *, any stable, int dim=-1, bool descending=False)";

const searches: readonly OperatorRule[] = [
  rule(
    "searchsorted(Tensor sorted_sequence, Tensor self, *, bool out_int32=False, bool right=False, str? side=None, Tensor? sorter=None)" as Search,
    ({ sorted_sequence, self, out_int32, right, side, sorter }, builder) => {
      refuseSorter(sorter);
      return searched(builder, sorted_sequence, self, isRightSide(right, side), out_int32);
    },
  ),
  rule(
    "searchsorted(Tensor sorted_sequence, Scalar self, *, bool out_int32=False, bool right=False, str? side=None, Tensor? sorter=None)" as SearchOne,
    ({ sorted_sequence, self, out_int32, right, side, sorter }, builder) => {
      refuseSorter(sorter);
      return searched(builder, sorted_sequence, single(self), isRightSide(right, side), out_int32);
    },
  ),
  rule(
    "bucketize(Tensor self, Tensor boundaries, *, bool out_int32=False, bool right=False)",
    ({ self, boundaries, out_int32, right }, builder) => {
      if (boundaries.shape.length !== 1)
        throw new ConvertError("malformed", `boundaries of ${boundaries.shape.length} dimensions`);
      return searched(builder, boundaries, self, right, out_int32);
    },
  ),
  rule(
    "bucketize(Scalar self, Tensor boundaries, *, bool out_int32=False, bool right=False)",
    ({ self, boundaries, out_int32, right }, builder) =>
      searched(builder, boundaries, single(self), right, out_int32),
  ),
];

/** Elements in order of size, and places in that order. */
export const orderingRules: readonly OperatorRule[] = [
  rule(
    "topk(Tensor self, SymInt k, int dim=-1, bool largest=True, any sorted=True)",
    ({ self, k, dim, largest }, builder) => ranked(builder, self, k, dim, largest),
  ),
  rule("sort(Tensor self, int dim=-1, bool descending=False)" as Sort, ({ self, dim, descending }, builder) =>
    sorted(builder, self, dim, descending),
  ),
  rule(
    "sort(Tensor self, *, any stable, int dim=-1, bool descending=False)" as StableSort,
    ({ self, dim, descending }, builder) => sorted(builder, self, dim, descending),
  ),
  rule("msort(Tensor self)", ({ self }, builder) => sorted(builder, self, 0, false)[0]),
  rule(
    "argsort(Tensor self, int dim=-1, bool descending=False)" as Sort,
    ({ self, dim, descending }, builder) => sorted(builder, self, dim, descending)[1],
  ),
  rule(
    "argsort(Tensor self, *, any stable, int dim=-1, bool descending=False)" as StableSort,
    ({ self, dim, descending }, builder) => sorted(builder, self, dim, descending)[1],
  ),
  rule("kthvalue(Tensor self, int k, int dim=-1, bool keepdim=False)", ({ self, k, dim, keepdim }, builder) =>
    kth(builder, self, k, dim, keepdim),
  ),
  ...searches,
  rule("isin(Tensor elements, Tensor test_elements)", ({ elements, test_elements }, builder) => {
    const [left, right] = promoted(builder, elements, test_elements) as [Operand, Operand];
    const flat = reshape(builder, right, [-1]);
    const each = unsqueeze(builder, left, [left.shape.length]);
    const shape = builder.guards.broadcast(each.shape, flat.shape);
    const hits = builder.node("Equal", [each, flat], { dtype: "BOOL", shape });
    const count = reduce(builder, "ReduceSum", cast(builder, hits, "I64"), [left.shape.length], false);
    return cast(builder, count, "BOOL");
  }),
];
