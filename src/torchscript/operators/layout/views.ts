import { ConvertError } from "../../../core/errors.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import {
  axisOf,
  expand,
  gather,
  reshape,
  slice,
  squeeze,
  swapAxes,
  transpose,
  unsqueeze,
} from "../../emit/layout.ts";
import { constant, type Operand } from "../../emit/operand.ts";
import { overwriteSlice } from "../../emit/overwrite.ts";
import { clampedIndex } from "../../shapes/bounds.ts";
import {
  addDimensions,
  type Dimension,
  dimensionText,
  elementsOf,
  isFromData,
  largerOf,
  type Shape,
  shapeText,
} from "../../shapes/dimension.ts";
import { firstBatchSize } from "../recurrent/packed-sequence.ts";
import { type OperatorRule, perhapsViewRule, rule, viewRule } from "../rule.ts";

/** Written through a view in another shape: the same elements in the shape of the whole. */
const reshapedBack = ({ self }: { readonly self: Operand }, value: Operand, builder: GraphBuilder): Operand =>
  reshape(builder, value, self.shape);

function flattened(builder: GraphBuilder, x: Operand, startDim: number, endDim: number): Operand {
  const rank = x.shape.length;
  if (rank === 0) return reshape(builder, x, [1]);
  const start = axisOf(startDim, rank);
  const end = axisOf(endDim, rank);
  if (end < start) throw new ConvertError("malformed", "flatten ends before it starts");
  const middle = elementsOf(x.shape.slice(start, end + 1));
  return reshape(builder, x, [...x.shape.slice(0, start), middle, ...x.shape.slice(end + 1)]);
}

function orderOf(dims: readonly number[], rank: number): readonly number[] {
  const order = dims.map((dim) => axisOf(dim, rank));
  if (order.length !== rank || new Set(order).size !== rank)
    throw new ConvertError("malformed", `[${dims.join(", ")}] is no order of ${rank} dimensions`);
  return order;
}

/** The order that undoes an order of axes. */
export function inverseOf(order: readonly number[]): readonly number[] {
  return order.map((_, axis) => order.indexOf(axis));
}

/** The axes of extent 1 among these; a symbolic one is decided by its example. */
function singleAxes(builder: GraphBuilder, x: Operand, dims: readonly number[]): readonly number[] {
  const axes = dims.map((dim) => axisOf(dim, x.shape.length));
  return axes.filter(
    (axis) => axis < x.shape.length && builder.guards.decide(x.shape[axis] as Dimension, "==", 1),
  );
}

/** -1 keeps an extent; axes in front are new. */
function expandedShape(x: Operand, sizes: Shape): Shape {
  const lead = sizes.length - x.shape.length;
  if (lead < 0)
    throw new ConvertError(
      "malformed",
      `a tensor of shape ${shapeText(x.shape)} is expanded to ${shapeText(sizes)}`,
    );
  return sizes.map((size, axis) => (size === -1 ? (x.shape[axis - lead] as Dimension) : size));
}

/** A part of an axis: where it starts, and before which element it ends. */
export interface Range {
  readonly axis: number;
  readonly start: Dimension;
  readonly end: Dimension;
}

/** What a slice means: indices count from behind where they are negative, and end where the axis does. */
export function rangeOf(
  builder: GraphBuilder,
  x: Operand,
  dim: number,
  start: Dimension | undefined,
  end: Dimension | undefined,
): Range {
  const axis = axisOf(dim, x.shape.length);
  const extent = x.shape[axis];
  if (extent === undefined) throw new ConvertError("malformed", "a 0-d tensor is sliced");
  const { guards } = builder;
  const first = clampedIndex(guards, start ?? 0, extent);
  const last = clampedIndex(guards, end ?? Number.MAX_SAFE_INTEGER, extent);
  const isEmpty = guards.attempt(last, "<", first);
  if (isEmpty === undefined) return { axis, start: first, end: largerOf(first, last) };
  return { axis, start: first, end: isEmpty ? first : last };
}

function selected(builder: GraphBuilder, x: Operand, dim: number, index: Dimension): Operand {
  if (x.shape.length === 0) throw new ConvertError("malformed", "an element is selected from a 0-d tensor");
  const axis = axisOf(dim, x.shape.length);
  const size = firstBatchSize(x, axis, index);
  if (size !== undefined) return constant("I64", [], [size]);
  const { guards } = builder;
  const extent = x.shape[axis] as Dimension;
  // What data tell, the runtime checks; it takes negative indices as torch does.
  const at = isFromData(index) ? index : selectedIndex(builder, x, axis, index);
  if (!isFromData(index) && !(guards.permits(at, "<", extent) && guards.permits(at, ">=", 0)))
    throw new ConvertError(
      "malformed",
      `there is no element ${dimensionText(index)} in ${shapeText(x.shape)}`,
    );
  return gather(builder, x, constant("I64", [], [index]), axis);
}

/** An index counted from the front. */
export function selectedIndex(builder: GraphBuilder, x: Operand, axis: number, index: Dimension): Dimension {
  const isNegative = builder.guards.decide(index, "<", 0);
  return isNegative ? addDimensions(index, x.shape[axis] as Dimension) : index;
}

const shapes: readonly OperatorRule[] = [
  viewRule(
    "view(Tensor self, SymInt[] size)",
    ({ self, size }, builder) => reshape(builder, self, size),
    reshapedBack,
  ),
  viewRule(
    "view_as(Tensor self, Tensor other)",
    ({ self, other }, builder) => reshape(builder, self, other.shape),
    reshapedBack,
  ),
  perhapsViewRule("reshape(Tensor self, SymInt[] shape)", ({ self, shape }, builder) =>
    reshape(builder, self, shape),
  ),
  perhapsViewRule("reshape_as(Tensor self, Tensor other)", ({ self, other }, builder) =>
    reshape(builder, self, other.shape),
  ),
  rule("_unsafe_view(Tensor self, SymInt[] size)", ({ self, size }, builder) => reshape(builder, self, size)),
  perhapsViewRule(
    "flatten(Tensor self, int start_dim=0, int end_dim=-1)",
    ({ self, start_dim, end_dim }, builder) => flattened(builder, self, start_dim, end_dim),
  ),
  perhapsViewRule("ravel(Tensor self)", ({ self }, builder) => reshape(builder, self, [-1])),
  viewRule(
    "unflatten(Tensor self, int dim, SymInt[] sizes)",
    ({ self, dim, sizes }, builder) => {
      const axis = axisOf(dim, self.shape.length);
      const known = resolved(builder, self.shape[axis] as Dimension, sizes);
      return reshape(builder, self, [...self.shape.slice(0, axis), ...known, ...self.shape.slice(axis + 1)]);
    },
    reshapedBack,
  ),
];

/** Sizes that share out an extent; one of them may be -1. */
function resolved(builder: GraphBuilder, extent: Dimension, sizes: Shape): Shape {
  if (!sizes.includes(-1)) return sizes;
  const fixed = sizes
    .filter((size) => size !== -1)
    .map((size) => builder.guards.settle(size, "a size to unflatten to"));
  const total = fixed.reduce((product, size) => product * size, 1);
  const whole = builder.guards.settle(extent, "an extent that is unflattened");
  return sizes.map((size) => (size === -1 ? whole / total : size));
}

type Two = "a(Tensor self, int dim0, int dim1)";

const orders: readonly OperatorRule[] = [
  viewRule(
    "permute(Tensor self, int[] dims)",
    ({ self, dims }, builder) => transpose(builder, self, orderOf(dims, self.shape.length)),
    ({ self, dims }, value, builder) =>
      transpose(builder, value, inverseOf(orderOf(dims, self.shape.length))),
  ),
  ...["transpose", "swapaxes", "swapdims"].map((name) =>
    viewRule(
      `${name}(Tensor self, int dim0, int dim1)` as Two,
      ({ self, dim0, dim1 }, builder) => swapAxes(builder, self, dim0, dim1),
      ({ dim0, dim1 }, value, builder) => swapAxes(builder, value, dim0, dim1),
    ),
  ),
  ...["t", "numpy_T", "mT"].map((name) =>
    viewRule(
      `${name}(Tensor self)` as "a(Tensor self)",
      ({ self }, builder) => turned(builder, name, self),
      (_args, value, builder) => turned(builder, name, value),
    ),
  ),
];

/** `t` of a vector is itself; `numpy_T` reverses all axes, `mT` exchanges the last two. */
function turned(builder: GraphBuilder, name: string, x: Operand): Operand {
  const rank = x.shape.length;
  if (name === "numpy_T") return transpose(builder, x, [...x.shape.keys()].reverse());
  if (name === "t" && rank > 2)
    throw new ConvertError("malformed", "t of a tensor with more than two dimensions");
  return rank < 2 ? x : swapAxes(builder, x, -2, -1);
}

const extents: readonly OperatorRule[] = [
  viewRule(
    "unsqueeze(Tensor self, int dim)",
    ({ self, dim }, builder) => unsqueeze(builder, self, [axisOf(dim, self.shape.length + 1)]),
    reshapedBack,
  ),
  viewRule(
    "squeeze(Tensor self)",
    ({ self }, builder) => squeeze(builder, self, singleAxes(builder, self, [...self.shape.keys()])),
    reshapedBack,
  ),
  viewRule(
    "squeeze(Tensor self, int[1] dim)",
    ({ self, dim }, builder) => squeeze(builder, self, singleAxes(builder, self, dim)),
    reshapedBack,
  ),
  viewRule("expand(Tensor self, SymInt[] size, *, any implicit=False)", ({ self, size }, builder) =>
    expand(builder, self, expandedShape(self, size)),
  ),
  viewRule("expand_as(Tensor self, Tensor other)", ({ self, other }, builder) =>
    expand(builder, self, other.shape),
  ),
  viewRule("broadcast_to(Tensor self, SymInt[] size)", ({ self, size }, builder) =>
    expand(builder, self, expandedShape(self, size)),
  ),
];

const parts: readonly OperatorRule[] = [
  viewRule(
    "select(Tensor self, int dim, SymInt index)",
    ({ self, dim, index }, builder) => selected(builder, self, dim, index),
    ({ self, dim, index }, value, builder) => {
      const axis = axisOf(dim, self.shape.length);
      const at = selectedIndex(builder, self, axis, index);
      return overwriteSlice(
        builder,
        self,
        unsqueeze(builder, value, [axis]),
        axis,
        at,
        addDimensions(at, 1),
        1,
      );
    },
  ),
  viewRule(
    "slice(Tensor self, int dim=0, SymInt? start=None, SymInt? end=None, int step=1)",
    ({ self, dim, start, end, step }, builder) => {
      const range = rangeOf(builder, self, dim, start, end);
      return slice(builder, self, range.axis, range.start, range.end, step);
    },
    ({ self, dim, start, end, step }, value, builder) => {
      const range = rangeOf(builder, self, dim, start, end);
      return overwriteSlice(builder, self, value, range.axis, range.start, range.end, step);
    },
  ),
  viewRule(
    "narrow(Tensor self, int dim, SymInt start, SymInt length)",
    ({ self, dim, start, length }, builder) => {
      const range = rangeOf(builder, self, dim, start, undefined);
      const end = addDimensions(range.start, length);
      if (!builder.guards.permits(end, "<=", range.end) || !builder.guards.permits(length, ">=", 0))
        throw new ConvertError(
          "malformed",
          `${dimensionText(length)} elements from ${dimensionText(start)} on of ${shapeText(self.shape)}`,
        );
      return slice(builder, self, range.axis, range.start, addDimensions(range.start, length));
    },
    ({ self, dim, start, length }, value, builder) => {
      const range = rangeOf(builder, self, dim, start, undefined);
      return overwriteSlice(
        builder,
        self,
        value,
        range.axis,
        range.start,
        addDimensions(range.start, length),
        1,
      );
    },
  ),
];

/** Views of a tensor: other shapes, orders and parts, through which it can be written. */
export const viewRules: readonly OperatorRule[] = [...shapes, ...orders, ...extents, ...parts];
