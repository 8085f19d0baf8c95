import type { DType } from "../../core/dtype.ts";
import { ConvertError } from "../../core/errors.ts";
import { intAttribute } from "../../core/graph.ts";
import { staticShape } from "../shapes/dimension.ts";
import { countOf, expandKnown, foldBinary, foldUnary } from "./fold.ts";
import type { Attributes, GraphBuilder } from "./graph-builder.ts";
import { constant, maxKnown, type Operand, scalar } from "./operand.ts";
import { categoryOf, heldAs, isFloat, typeCode } from "./types.ts";

type Kernel = (left: number, right: number) => number;

const kernels: Readonly<Record<string, Kernel>> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Max: (a, b) => (Number.isNaN(a) || Number.isNaN(b) ? Number.NaN : Math.max(a, b)),
  Min: (a, b) => (Number.isNaN(a) || Number.isNaN(b) ? Number.NaN : Math.min(a, b)),
  Pow: (a, b) => a ** b,
  And: (a, b) => a && b,
  Or: (a, b) => a || b,
  Xor: (a, b) => (a === b ? 0 : 1),
  Equal: (a, b) => (a === b ? 1 : 0),
  Less: (a, b) => (a < b ? 1 : 0),
  LessOrEqual: (a, b) => (a <= b ? 1 : 0),
  Greater: (a, b) => (a > b ? 1 : 0),
  GreaterOrEqual: (a, b) => (a >= b ? 1 : 0),
};

const comparisons = new Set(["Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"]);

/**
 * An operator of two tensors of one dtype, broadcast as numpy does: Add, Sub, Mul, Div, Pow, Mod, Max, Min, And, Or,
 * Xor, and the comparisons, which give bools. Computed at once where both are known.
 */
export function binary(builder: GraphBuilder, opType: string, left: Operand, right: Operand): Operand {
  const dtype: DType = comparisons.has(opType) ? "BOOL" : left.dtype;
  const shape = builder.guards.broadcast(left.shape, right.shape);
  const small = ["U8", "I8", "I16"].includes(left.dtype);
  // ONNX Runtime has no kernel of these for integers below 32 bits.
  if (small && narrowGaps.has(opType))
    return cast(
      builder,
      binary(builder, opType, cast(builder, left, "I32"), cast(builder, right, "I32")),
      dtype,
    );
  return (
    foldBinary(opType, left, right, dtype, shape, kernelOf(opType, left.dtype)) ??
    builder.node(opType, [left, right], { dtype, shape })
  );
}

const narrowGaps = new Set(["Max", "Min", "Mod"]);

function kernelOf(opType: string, dtype: DType): Kernel | undefined {
  if (opType === "Div")
    return isFloat(dtype) ? (a, b) => a / b : (a, b) => (b === 0 ? Number.NaN : Math.trunc(a / b));
  if (opType === "Mod" && !isFloat(dtype))
    return (a, b) => (b === 0 ? Number.NaN : a - Math.floor(a / b) * b);
  return kernels[opType];
}

/** Halves go to the even neighbour. */
function roundedToEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

const unaryKernels: Readonly<Record<string, (value: number) => number>> = {
  Neg: (value) => -value,
  Abs: Math.abs,
  Floor: Math.floor,
  Ceil: Math.ceil,
  Round: roundedToEven,
  Sqrt: Math.sqrt,
  Exp: Math.exp,
  Log: Math.log,
  Sin: Math.sin,
  Cos: Math.cos,
  Reciprocal: (value) => 1 / value,
  Not: (value) => 1 - value,
  Sign: Math.sign,
  Relu: (value) => Math.max(value, 0),
  Identity: (value) => value,
};

/** An operator of one tensor that keeps its shape and dtype: Relu, Exp, Floor, Not … */
export function unary(
  builder: GraphBuilder,
  opType: string,
  operand: Operand,
  attributes?: Attributes,
): Operand {
  const kernel = attributes === undefined ? unaryKernels[opType] : undefined;
  return foldUnary(operand, operand.dtype, kernel) ?? builder.node(opType, [operand], operand, attributes);
}

/** The same numbers in another dtype: floats lose their fraction in integers, and become whether they differ from 0 in bools. */
export function cast(builder: GraphBuilder, operand: Operand, dtype: DType): Operand {
  if (operand.dtype === dtype) return operand;
  const { known, shape } = operand;
  const isWhole = dtype === "I64" && ["I32", "I64"].includes(operand.dtype);
  if (known !== undefined && isWhole) return constant(dtype, shape, known);
  const folded = foldUnary(operand, dtype, (value) => value);
  if (folded !== undefined) return folded;
  // Constants are written in the wanted dtype, also where arithmetic in it is not done here.
  if (known?.every((item) => typeof item === "number") && isFloat(dtype))
    return constant(
      dtype,
      shape,
      known.map((item) => heldAs(dtype, item)),
    );
  return builder.node("Cast", [operand], { dtype, shape }, { to: intAttribute(typeCode(dtype)) });
}

/** ONNX Runtime selects among no bools and no narrow integers, which these hold. */
const selectable: Partial<Record<DType, DType>> = { BOOL: "U8", I8: "I32", I16: "I32" };

/** `condition ? left : right`, element by element, all three broadcast. */
export function where(builder: GraphBuilder, condition: Operand, left: Operand, right: Operand): Operand {
  const { guards } = builder;
  const shape = guards.broadcast(condition.shape, guards.broadcast(left.shape, right.shape));
  const extents = staticShape(shape);
  const { dtype } = left;
  if (condition.known && left.known && right.known && extents && countOf(extents) <= maxKnown) {
    const [c, a, b] = [condition, left, right].map((operand) =>
      expandKnown(operand.known ?? [], operand.shape as readonly number[], extents),
    );
    return constant(
      dtype,
      shape,
      (c ?? []).map((flag, index) => (flag !== 0 ? a : b)?.[index] as number),
    );
  }
  const held = selectable[dtype];
  if (held !== undefined)
    return cast(
      builder,
      where(builder, condition, cast(builder, left, held), cast(builder, right, held)),
      dtype,
    );
  return builder.node("Where", [condition, left, right], { dtype, shape });
}

/** The opposite of a comparison, or of any bools. */
export function not(builder: GraphBuilder, operand: Operand): Operand {
  return unary(builder, "Not", operand);
}

/** A 0-d constant, as its dtype holds it. */
export function number(dtype: DType, value: number): Operand {
  if (!Number.isFinite(value) && categoryOf(dtype) === "integer")
    throw new ConvertError("malformed", `${value} is made a number of ${dtype}`);
  return scalar(dtype, heldAs(dtype, value));
}

/** The sum of two tensors of one dtype, broadcast. */
export const add = (builder: GraphBuilder, left: Operand, right: Operand): Operand =>
  binary(builder, "Add", left, right);

/** The difference of two tensors of one dtype, broadcast. */
export const subtract = (builder: GraphBuilder, left: Operand, right: Operand): Operand =>
  binary(builder, "Sub", left, right);

/** The product of two tensors of one dtype, broadcast. */
export const multiply = (builder: GraphBuilder, left: Operand, right: Operand): Operand =>
  binary(builder, "Mul", left, right);

/** The quotient of two tensors of one dtype, broadcast; of integers it is rounded towards zero. */
export const divide = (builder: GraphBuilder, left: Operand, right: Operand): Operand =>
  binary(builder, "Div", left, right);

/** A tensor times a number, in the tensor's dtype. */
export function scaled(builder: GraphBuilder, operand: Operand, factor: number): Operand {
  return factor === 1 ? operand : multiply(builder, operand, number(operand.dtype, factor));
}
