import { intAttribute, intsAttribute } from "../../core/graph.ts";
import { rowMajorStrides } from "../../core/tensor.ts";
import { staticShape } from "../shapes/dimension.ts";
import { gatherKnown } from "./fold.ts";
import type { GraphBuilder } from "./graph-builder.ts";
import { constant, integers, type Operand } from "./operand.ts";
import { isFoldable, roundTo } from "./types.ts";

/** The reductions of ONNX that keep the dtype. */
export type Reduction =
  | "ReduceSum"
  | "ReduceMean"
  | "ReduceMax"
  | "ReduceMin"
  | "ReduceProd"
  | "ReduceL1"
  | "ReduceL2"
  | "ReduceLogSumExp"
  | "ReduceSumSquare";

const kernels: Partial<Record<Reduction, (values: readonly number[]) => number>> = {
  ReduceSum: (values) => values.reduce((sum, value) => sum + value, 0),
  ReduceProd: (values) => values.reduce((product, value) => product * value, 1),
  ReduceMax: (values) => values.reduce((most, value) => (value > most ? value : most), -Infinity),
  ReduceMin: (values) => values.reduce((least, value) => (value < least ? value : least), Infinity),
};

/** Reduces these axes, counted from the front; none of them leaves the operand as it is. */
export function reduce(
  builder: GraphBuilder,
  opType: Reduction,
  operand: Operand,
  axes: readonly number[],
  keepAxes: boolean,
): Operand {
  const { dtype } = operand;
  const shape = keepAxes
    ? operand.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent))
    : operand.shape.filter((_, axis) => !axes.includes(axis));
  const folded = foldReduction(opType, operand, axes);
  if (folded !== undefined) return constant(dtype, shape, folded);
  const keepdims = intAttribute(keepAxes ? 1 : 0);
  // A reduction over no axes is none; without this, ONNX takes it for one over all.
  const noop_with_empty_axes = intAttribute(1);
  if (builder.opset >= 18 || opType === "ReduceSum") {
    const attributes = axes.length === 0 ? { keepdims, noop_with_empty_axes } : { keepdims };
    return builder.node(opType, [operand, integers(axes)], { dtype, shape }, attributes);
  }
  return builder.node(opType, [operand], { dtype, shape }, { axes: intsAttribute(axes), keepdims });
}

/** Of floats only the extremes: the order in which they are summed shows in the result. */
function foldReduction(
  opType: Reduction,
  operand: Operand,
  axes: readonly number[],
): readonly number[] | undefined {
  const kernel = kernels[opType];
  const extents = staticShape(operand.shape);
  const { known, dtype } = operand;
  if (kernel === undefined || known === undefined || extents === undefined || !isFoldable(dtype))
    return undefined;
  const isExtreme = opType === "ReduceMax" || opType === "ReduceMin";
  if (dtype.startsWith("F") && !isExtreme) return undefined;
  if (!known.every((item) => typeof item === "number" && !Number.isNaN(item))) return undefined;
  const strides = rowMajorStrides(extents);
  const kept = extents.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const order = [...kept, ...axes];
  const turned = gatherKnown(
    known,
    order.map((axis) => extents[axis] as number),
    order.map((axis) => strides[axis] as number),
  ) as readonly number[];
  const inner = axes.reduce((product, axis) => product * (extents[axis] as number), 1);
  const outer = kept.reduce((product, axis) => product * (extents[axis] as number), 1);
  if (inner === 0) return undefined;
  const results = Array.from({ length: outer }, (_, row) =>
    roundTo(dtype, kernel(turned.slice(row * inner, (row + 1) * inner))),
  );
  return results.every((value) => value !== undefined) ? results : undefined;
}
