import { ConvertError } from "../../../core/errors.ts";
import { binary, cast, divide, multiply, number, subtract, where } from "../../emit/arithmetic.ts";
import { intAttribute, stringAttribute } from "../../emit/attributes.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { expand, gather, reshape, slice, unsqueeze } from "../../emit/layout.ts";
import { constant, knownNumbers, type Operand, scalar } from "../../emit/operand.ts";
import { reduce } from "../../emit/reduce.ts";
import { addDimensions, type Dimension, shapeText } from "../../shapes/dimension.ts";
import { indicesOf } from "../indexing/indexing.ts";
import { type OperatorRule, rule } from "../rule.ts";

const modes = ["sum", "mean", "max"] as const;

interface Bags {
  readonly weight: Operand;
  readonly indices: Operand;
  readonly offsets: Operand;
  readonly mode: number;
  readonly per_sample_weights: Operand | undefined;
  readonly include_last_offset: boolean;
  readonly padding_idx: number | undefined;
}

/** How rows of values, one for each index, are joined to one row for each bag. */
type Join = (values: Operand, reduction: "add" | "max") => Operand;

/** The sum, mean or largest of the rows that each bag has indices of; zeros for a bag without any. */
function joinedBags(builder: GraphBuilder, bags: Bags): Operand {
  checkBags(builder, bags);
  const { weight, per_sample_weights: factors } = bags;
  const wide = weight.dtype === "F64" ? "F64" : "F32";
  const indices = indicesOf(builder, bags.indices);
  const join = joinOf(builder, bags);
  const rows = cast(builder, gather(builder, weight, indices, 0), wide);
  const weighted =
    factors === undefined
      ? rows
      : multiply(builder, rows, unsqueeze(builder, cast(builder, factors, wide), [1]));
  const isLeftOut = leftOut(builder, bags, indices);
  const kept = (filling: number): Operand =>
    isLeftOut === undefined ? weighted : where(builder, isLeftOut, number(wide, filling), weighted);
  const mode = modes[bags.mode];
  if (mode === "sum") return cast(builder, join(kept(0), "add"), weight.dtype);
  const ones = expand(builder, number(wide, 1), [indices.shape[0] as Dimension, 1]);
  const counted = isLeftOut === undefined ? ones : where(builder, isLeftOut, number(wide, 0), ones);
  const counts = join(counted, "add");
  const least = binary(builder, "Max", counts, number(wide, 1));
  if (mode === "mean") return cast(builder, divide(builder, join(kept(0), "add"), least), weight.dtype);
  const isEmpty = binary(builder, "Equal", counts, number(wide, 0));
  const largest = join(kept(Number.NEGATIVE_INFINITY), "max");
  return cast(builder, where(builder, isEmpty, number(wide, 0), largest), weight.dtype);
}

function checkBags(builder: GraphBuilder, bags: Bags): void {
  const { weight, indices, offsets, per_sample_weights: factors } = bags;
  const fits =
    weight.shape.length === 2 &&
    indices.shape.length === 1 &&
    offsets.shape.length === 1 &&
    ["F16", "F32", "F64"].includes(weight.dtype) &&
    modes[bags.mode] !== undefined;
  if (!fits)
    throw new ConvertError(
      "malformed",
      `bags of ${shapeText(indices.shape)} indices and ${shapeText(offsets.shape)} offsets into ${weight.dtype} ${shapeText(weight.shape)}`,
    );
  if (
    bags.include_last_offset &&
    builder.guards.permits(offsets.shape[0] as Dimension, "<", 1) &&
    offsets.shape[0] === 0
  )
    throw new ConvertError("malformed", "bags without the last offset that is said to be there");
  if (factors === undefined) return;
  const isBeside =
    factors.shape.length === 1 &&
    builder.guards.permits(factors.shape[0] as Dimension, "==", indices.shape[0] as Dimension);
  if (modes[bags.mode] !== "sum" || !isBeside || factors.dtype !== weight.dtype)
    throw new ConvertError("malformed", `weights of samples of ${factors.dtype} ${shapeText(factors.shape)}`);
}

/** Which indices count for nothing, as a column. */
function leftOut(
  builder: GraphBuilder,
  { weight, padding_idx }: Bags,
  indices: Operand,
): Operand | undefined {
  if (padding_idx === undefined) return undefined;
  const index: Dimension =
    padding_idx < 0 ? addDimensions(weight.shape[0] as Dimension, padding_idx) : padding_idx;
  return unsqueeze(builder, binary(builder, "Equal", indices, constant("I64", [], [index])), [1]);
}

function joinOf(builder: GraphBuilder, bags: Bags): Join {
  const [given] = bags.offsets.shape as [Dimension];
  const count = bags.include_last_offset ? addDimensions(given, -1) : given;
  const even = evenSize(bags, count);
  if (even !== undefined)
    return (values, reduction) => {
      const apart = reshape(builder, values, [count, even, values.shape[1] as Dimension]);
      return reduce(builder, reduction === "add" ? "ReduceSum" : "ReduceMax", apart, [1], false);
    };
  const owners = ownersOf(builder, bags, count);
  return (values, reduction) => {
    if (reduction === "max" && builder.opset < 18)
      throw new ConvertError("unsupported", "the largest of bags of several sizes, which needs opset 18");
    const shape = [count, values.shape[1] as Dimension];
    const start = number(values.dtype, reduction === "add" ? 0 : Number.NEGATIVE_INFINITY);
    return builder.node(
      "ScatterElements",
      [expand(builder, start, shape), expand(builder, unsqueeze(builder, owners, [1]), values.shape), values],
      { dtype: values.dtype, shape },
      { axis: intAttribute(0), reduction: stringAttribute(reduction) },
    );
  };
}

/** How many indices each bag has, where it is known that all have as many. */
function evenSize({ indices, offsets }: Bags, count: Dimension): number | undefined {
  const starts = knownNumbers(offsets);
  const [total] = indices.shape;
  if (starts === undefined || typeof total !== "number" || typeof count !== "number" || count < 1)
    return undefined;
  const size = total / count;
  const isEven = Number.isInteger(size) && size > 0 && starts.every((start, bag) => start === bag * size);
  return isEven ? size : undefined;
}

/** The bag of each index: how many offsets have come by then. */
function ownersOf(builder: GraphBuilder, { indices, offsets }: Bags, count: Dimension): Operand {
  const [total] = indices.shape as [Dimension];
  const starts = slice(builder, indicesOf(builder, offsets), 0, 0, count);
  const places = [addDimensions(total, 1)];
  const zero = number("I64", 0);
  const marks = builder.node(
    "ScatterElements",
    [expand(builder, zero, places), starts, expand(builder, number("I64", 1), [count])],
    { dtype: "I64", shape: places },
    { axis: intAttribute(0), reduction: stringAttribute("add") },
  );
  const counts = builder.node("CumSum", [marks, scalar("I64", 0)], marks);
  const owners = subtract(builder, slice(builder, counts, 0, 0, total), number("I64", 1));
  // Torch refuses offsets that do not start at 0; here such indices go to a bag that there is not, which the runtime refuses.
  const isBefore = binary(builder, "Less", owners, zero);
  return where(builder, isBefore, constant("I64", [], [count]), owners);
}

/** What torch keeps for gradients, and no network reads. */
const forGradients: Operand = {
  kind: "operand",
  dtype: "I64",
  shape: [],
  known: undefined,
  origin: { kind: "opaque", operator: "embedding_bag, of which only the first result is computed," },
};

type Bag =
  "a(Tensor weight, Tensor indices, Tensor offsets, any scale_grad_by_freq=False, int mode=0, any sparse=False, Tensor? per_sample_weights=None, bool include_last_offset=False)";
type Padded =
  "a(Tensor weight, Tensor indices, Tensor offsets, any scale_grad_by_freq, int mode, any sparse, Tensor? per_sample_weights, bool include_last_offset, int? padding_idx)";

const parameters = "Tensor weight, Tensor indices, Tensor offsets, any scale_grad_by_freq";

/** Rows of a table joined in bags. */
export const embeddingBagRules: readonly OperatorRule[] = [
  rule(
    `embedding_bag(${parameters}=False, int mode=0, any sparse=False, Tensor? per_sample_weights=None, bool include_last_offset=False)` as Bag,
    (args, builder) => [
      joinedBags(builder, { ...args, padding_idx: undefined }),
      forGradients,
      forGradients,
      forGradients,
    ],
  ),
  rule(
    `embedding_bag(${parameters}, int mode, any sparse, Tensor? per_sample_weights, bool include_last_offset, int? padding_idx)` as Padded,
    (args, builder) => [joinedBags(builder, args), forGradients, forGradients, forGradients],
  ),
];
