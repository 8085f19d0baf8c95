import type { DType } from "../../core/dtype.ts";
import { rowMajorStrides } from "../../core/tensor.ts";
import {
  addDimensions,
  type Dimension,
  divideDimensions,
  multiplyDimensions,
  type Shape,
  staticShape,
  subtractDimensions,
} from "../shapes/dimension.ts";
import { constant, maxKnown, type Operand } from "./operand.ts";
import { isFoldable, roundTo } from "./types.ts";

/** What operators make of sizes that are not known before the graph runs. */
const symbolicKernels: Readonly<Record<string, (left: Dimension, right: Dimension) => Dimension>> = {
  Add: addDimensions,
  Sub: subtractDimensions,
  Mul: multiplyDimensions,
  Div: divideDimensions,
};

/** Elements of a static shape; 0-d has one. */
export function countOf(shape: readonly number[]): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** The constant that an operator makes of two known tensors; `undefined` where the graph has to compute it. */
export function foldBinary(
  opType: string,
  left: Operand,
  right: Operand,
  dtype: DType,
  shape: Shape,
  kernel: ((left: number, right: number) => number) | undefined,
): Operand | undefined {
  const extents = staticShape(shape);
  if (left.known === undefined || right.known === undefined || extents === undefined) return undefined;
  if (countOf(extents) > maxKnown || !isFoldable(left.dtype) || !isFoldable(dtype)) return undefined;
  const a = expandKnown(left.known, left.shape as readonly number[], extents);
  const b = expandKnown(right.known, right.shape as readonly number[], extents);
  const symbolic = left.dtype === "I64" && dtype === "I64" ? symbolicKernels[opType] : undefined;
  const values: Dimension[] = [];
  for (const [index, x] of a.entries()) {
    const value = foldPair(x, b[index] as Dimension, dtype, kernel, symbolic);
    if (value === undefined) return undefined;
    values.push(value);
  }
  return constant(dtype, shape, values);
}

function foldPair(
  left: Dimension,
  right: Dimension,
  dtype: DType,
  kernel: ((left: number, right: number) => number) | undefined,
  symbolic: ((left: Dimension, right: Dimension) => Dimension) | undefined,
): Dimension | undefined {
  if (typeof left === "number" && typeof right === "number")
    return kernel === undefined ? undefined : roundTo(dtype, kernel(left, right));
  return symbolic?.(left, right);
}

/** The constant that an operator makes of a known tensor; `undefined` where the graph has to compute it. */
export function foldUnary(
  operand: Operand,
  dtype: DType,
  kernel: ((value: number) => number) | undefined,
): Operand | undefined {
  const { known } = operand;
  if (known === undefined || kernel === undefined || !isFoldable(operand.dtype) || !isFoldable(dtype))
    return undefined;
  const values: number[] = [];
  for (const item of known) {
    const value = typeof item === "number" ? roundTo(dtype, kernel(item)) : undefined;
    if (value === undefined) return undefined;
    values.push(value);
  }
  return constant(dtype, operand.shape, values);
}

/** The elements of a view of `values`: `strides` may be 0 (expanded) or negative (reversed). */
export function gatherKnown(
  values: readonly Dimension[],
  shape: readonly number[],
  strides: readonly number[],
  start = 0,
): readonly Dimension[] {
  const result: Dimension[] = [];
  const walk = (axis: number, at: number): void => {
    if (axis === shape.length) {
      result.push(values[at] as Dimension);
      return;
    }
    for (let index = 0; index < (shape[axis] as number); index++)
      walk(axis + 1, at + index * (strides[axis] as number));
  };
  walk(0, start);
  return result;
}

/** Known elements broadcast to a larger shape. */
export function expandKnown(
  values: readonly Dimension[],
  from: readonly number[],
  to: readonly number[],
): readonly Dimension[] {
  if (from.length === to.length && from.every((extent, axis) => extent === to[axis])) return values;
  const own = rowMajorStrides(from);
  const strides = to.map((_, axis) => {
    const inner = axis - (to.length - from.length);
    return inner < 0 || from[inner] === 1 ? 0 : (own[inner] as number);
  });
  return gatherKnown(values, to, strides);
}
