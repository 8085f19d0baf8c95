import { ConvertError } from "../../core/errors.ts";
import { intAttribute, intsAttribute } from "../../core/graph.ts";
import { rowMajorStrides } from "../../core/tensor.ts";
import {
  addDimensions,
  type Dimension,
  divideDimensions,
  elementsOf,
  hintOf,
  isSameDimension,
  isSameShape,
  isSymbolic,
  type Shape,
  shapeText,
  staticShape,
  subtractDimensions,
} from "../shapes/dimension.ts";
import { countOf, expandKnown, gatherKnown } from "./fold.ts";
import type { GraphBuilder } from "./graph-builder.ts";
import { constant, integers, maxKnown, type Operand } from "./operand.ts";

/** An axis counted from the front; throws kind `malformed` where the tensor has no such axis. 0-d tensors take 0 and -1. */
export function axisOf(axis: number, rank: number): number {
  const bound = Math.max(rank, 1);
  if (axis < -bound || axis >= bound)
    throw new ConvertError("malformed", `there is no dimension ${axis} among ${rank}`);
  return axis < 0 ? axis + bound : axis;
}

/** The same elements in another shape; one extent may be -1. Throws kind `malformed` where their number differs. */
export function reshape(builder: GraphBuilder, operand: Operand, wanted: Shape): Operand {
  const shape = resolvedShape(builder, operand, wanted);
  if (isSameShape(shape, operand.shape)) return operand;
  if (operand.known !== undefined) return constant(operand.dtype, shape, operand.known);
  const target = shapeOperand(shape);
  // Otherwise a 0 means "as before" to ONNX, also one that only the runtime sees.
  const attributes = target.known?.includes(-1) ? {} : { allowzero: intAttribute(1) };
  return builder.node("Reshape", [operand, target], { dtype: operand.dtype, shape }, attributes);
}

/** The shape with its -1 filled in. */
function resolvedShape(builder: GraphBuilder, operand: Operand, wanted: Shape): Shape {
  const total = elementsOf(operand.shape);
  const isNegative = wanted.filter((extent) => typeof extent === "number" && extent < 0).length > 1;
  const open = wanted.indexOf(-1);
  const fixed = elementsOf(wanted.filter((_, axis) => axis !== open));
  const shape =
    open < 0
      ? wanted
      : wanted.map((extent, axis) => (axis === open ? divideDimensions(total, fixed) : extent));
  const isOpenEmpty = open >= 0 && hintOf(fixed) === 0;
  if (isNegative || isOpenEmpty || !builder.guards.permits(elementsOf(shape), "==", total))
    throw new ConvertError(
      "malformed",
      `a tensor of shape ${shapeText(operand.shape)} cannot take the shape ${shapeText(wanted)}`,
    );
  return shape;
}

/** One symbolic extent is left to the runtime; more of them are computed. */
function shapeOperand(shape: Shape): Operand {
  const symbolic = shape.filter(isSymbolic);
  const isPlain = symbolic.length === 1 && !shape.includes(0);
  return integers(isPlain ? shape.map((extent) => (isSymbolic(extent) ? -1 : extent)) : shape);
}

/** Axes in another order: axis `i` of the result is axis `order[i]` of the operand. */
export function transpose(builder: GraphBuilder, operand: Operand, order: readonly number[]): Operand {
  if (order.every((axis, index) => axis === index)) return operand;
  const shape = order.map((axis) => operand.shape[axis] as Dimension);
  const extents = staticShape(operand.shape);
  if (operand.known !== undefined && extents !== undefined) {
    const strides = rowMajorStrides(extents);
    const turned = order.map((axis) => strides[axis] as number);
    return constant(operand.dtype, shape, gatherKnown(operand.known, shape as readonly number[], turned));
  }
  return builder.node(
    "Transpose",
    [operand],
    { dtype: operand.dtype, shape },
    { perm: intsAttribute(order) },
  );
}

/** Two axes exchanged. */
export function swapAxes(builder: GraphBuilder, operand: Operand, first: number, second: number): Operand {
  const rank = operand.shape.length;
  const [a, b] = [axisOf(first, rank), axisOf(second, rank)];
  const order = operand.shape.map((_, axis) => (axis === a ? b : axis === b ? a : axis));
  return transpose(builder, operand, order);
}

/** New axes of extent 1 at these places of the result, counted from the front and in order. */
export function unsqueeze(builder: GraphBuilder, operand: Operand, axes: readonly number[]): Operand {
  if (axes.length === 0) return operand;
  const rest = [...operand.shape];
  const rank = operand.shape.length + axes.length;
  const shape = Array.from({ length: rank }, (_, axis) =>
    axes.includes(axis) ? 1 : (rest.shift() as Dimension),
  );
  if (operand.known !== undefined) return constant(operand.dtype, shape, operand.known);
  return builder.node("Unsqueeze", [operand, integers(axes)], { dtype: operand.dtype, shape });
}

/** Without these axes, whose extent is 1, counted from the front. */
export function squeeze(builder: GraphBuilder, operand: Operand, axes: readonly number[]): Operand {
  if (axes.length === 0) return operand;
  const shape = operand.shape.filter((_, axis) => !axes.includes(axis));
  if (operand.known !== undefined) return constant(operand.dtype, shape, operand.known);
  return builder.node("Squeeze", [operand, integers(axes)], { dtype: operand.dtype, shape });
}

/** Repeated along axes of extent 1, and along new ones in front, up to a shape that it broadcasts to. */
export function expand(builder: GraphBuilder, operand: Operand, shape: Shape): Operand {
  if (isSameShape(operand.shape, shape)) return operand;
  checkExpands(builder, operand.shape, shape);
  const extents = staticShape(shape);
  const own = staticShape(operand.shape);
  if (operand.known && own && extents && countOf(extents) <= maxKnown)
    return constant(operand.dtype, shape, expandKnown(operand.known, own, extents));
  return builder.node("Expand", [operand, integers(shape)], { dtype: operand.dtype, shape });
}

function checkExpands(builder: GraphBuilder, own: Shape, shape: Shape): void {
  const lead = shape.length - own.length;
  const fits =
    lead >= 0 &&
    own.every(
      (extent, axis) => extent === 1 || builder.guards.permits(extent, "==", shape[axis + lead] as Dimension),
    );
  if (!fits)
    throw new ConvertError(
      "malformed",
      `a tensor of shape ${shapeText(own)} is expanded to ${shapeText(shape)}`,
    );
}

/** Tensors of one dtype one after the other along an axis. */
export function concat(builder: GraphBuilder, operands: readonly Operand[], axis: number): Operand {
  const [first] = operands;
  if (first === undefined) throw new ConvertError("malformed", "there is nothing to concatenate");
  if (operands.length === 1) return first;
  for (const operand of operands) checkBeside(builder, first, operand, axis);
  const sum = operands
    .map((operand) => operand.shape[axis] as Dimension)
    .reduce((left, right) => addDimensions(left, right));
  const shape = first.shape.map((extent, index) => (index === axis ? sum : extent));
  const known = axis === 0 ? operands.map((operand) => operand.known) : [undefined];
  if (known.every((values) => values !== undefined)) {
    const values = known.flat();
    if (values.length <= maxKnown) return constant(first.dtype, shape, values);
  }
  return builder.node("Concat", operands, { dtype: first.dtype, shape }, { axis: intAttribute(axis) });
}

function checkBeside(builder: GraphBuilder, first: Operand, operand: Operand, axis: number): void {
  const fits =
    first.shape.length === operand.shape.length &&
    first.shape.every(
      (extent, index) =>
        index === axis || builder.guards.permits(extent, "==", operand.shape[index] as Dimension),
    );
  if (!fits)
    throw new ConvertError(
      "malformed",
      `shapes ${shapeText(first.shape)} and ${shapeText(operand.shape)} cannot stand beside each other along ${axis}`,
    );
}

/** Elements `start`, `start + step` … before `end` of an axis; all three fit the extent, and `step` is above 0. */
export function slice(
  builder: GraphBuilder,
  operand: Operand,
  axis: number,
  start: Dimension,
  end: Dimension,
  step = 1,
): Operand {
  if (step < 1) throw new ConvertError("malformed", `a slice takes steps of ${step}`);
  const extent = operand.shape[axis] as Dimension;
  if (start === 0 && step === 1 && isSameDimension(end, extent)) return operand;
  const length = divideDimensions(addDimensions(subtractDimensions(end, start), step - 1), step);
  const shape = operand.shape.map((own, index) => (index === axis ? length : own));
  const extents = staticShape(operand.shape);
  if (operand.known && extents && typeof start === "number" && staticShape(shape)) {
    const strides = [...rowMajorStrides(extents)];
    const first = start * (strides[axis] as number);
    strides[axis] = (strides[axis] as number) * step;
    return constant(
      operand.dtype,
      shape,
      gatherKnown(operand.known, shape as readonly number[], strides, first),
    );
  }
  const bounds = [[start], [end], [axis], [step]].map(integers);
  return builder.node("Slice", [operand, ...bounds], { dtype: operand.dtype, shape });
}

/** What the indices pick along an axis, which their own axes replace; a 0-d index takes the axis away. Indices may be negative. */
export function gather(builder: GraphBuilder, operand: Operand, indices: Operand, axis: number): Operand {
  const shape = [...operand.shape.slice(0, axis), ...indices.shape, ...operand.shape.slice(axis + 1)];
  return (
    gatherConstant(operand, indices, axis, shape) ??
    builder.node("Gather", [operand, indices], { dtype: operand.dtype, shape }, { axis: intAttribute(axis) })
  );
}

function gatherConstant(operand: Operand, indices: Operand, axis: number, shape: Shape): Operand | undefined {
  const extents = staticShape(operand.shape);
  if (operand.known === undefined || indices.known === undefined || extents === undefined) return undefined;
  const extent = extents[axis] as number;
  const strides = rowMajorStrides(extents);
  const outer = countOf(extents.slice(0, axis));
  const inner = strides[axis] as number;
  const values: Dimension[] = [];
  for (let row = 0; row < outer; row++) {
    for (const index of indices.known) {
      if (typeof index !== "number" || index < -extent || index >= extent) return undefined;
      const at = (row * extent + (index < 0 ? index + extent : index)) * inner;
      values.push(...operand.known.slice(at, at + inner));
    }
  }
  return values.length <= maxKnown ? constant(operand.dtype, shape, values) : undefined;
}

/** Parts of these extents along an axis. */
export function split(
  builder: GraphBuilder,
  operand: Operand,
  axis: number,
  extents: readonly Dimension[],
): readonly Operand[] {
  if (extents.length === 1) return [operand];
  if (operand.known !== undefined) return splitKnown(builder, operand, axis, extents);
  const results = extents.map((own) => ({
    dtype: operand.dtype,
    shape: operand.shape.map((extent, index) => (index === axis ? own : extent)),
  }));
  return builder.nodes("Split", [operand, integers(extents)], results, { axis: intAttribute(axis) });
}

function splitKnown(
  builder: GraphBuilder,
  operand: Operand,
  axis: number,
  extents: readonly Dimension[],
): readonly Operand[] {
  let start: Dimension = 0;
  return extents.map((extent) => {
    const end = addDimensions(start, extent);
    const part = slice(builder, operand, axis, start, end);
    start = end;
    return part;
  });
}
