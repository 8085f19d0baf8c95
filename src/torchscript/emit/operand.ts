import type { DType } from "../../core/dtype.ts";
import { ConvertError } from "../../core/errors.ts";
import type { LazyTensor } from "../../core/tensor.ts";
import type { Dimension, Shape } from "../shapes/dimension.ts";

/** A value that a graph computes or is given. It never changes: what torch does in place makes a new one. */
export interface Operand {
  readonly kind: "operand";
  readonly dtype: DType;
  readonly shape: Shape;
  /** The elements, row-major, where they are few and do not depend on data; bools are 0 and 1. May hold symbolic sizes. */
  readonly known: readonly Dimension[] | undefined;
  /** Set for a number that a trace has as a 0-d constant: it decides a dtype no more than a Python number does. */
  readonly isNumber?: boolean | undefined;
  /** Where it comes from. A constant is not in the graph before a node wants it. */
  readonly origin: Origin;
}

/** What makes an operand. */
export type Origin =
  | { readonly kind: "constant" }
  | { readonly kind: "value"; readonly name: string }
  | {
      readonly kind: "weight";
      readonly name: string;
      readonly tensor: LazyTensor;
      /** The elements of a short row of floats, for rules that have to know them; the graph computes with the weight all the same. */
      readonly elements?: readonly number[] | undefined;
    }
  /** Two real tensors of one dtype and shape; no node takes or gives complex numbers. */
  | { readonly kind: "complex"; readonly real: Operand; readonly imaginary: Operand }
  /** A quantized tensor: no node can be given it but through its integers, so that none takes them for the numbers. */
  | { readonly kind: "quantized"; readonly integers: Operand; readonly scheme: QuantizationScheme }
  /** The result of an operator that there is no rule for; nothing is known of it, and nothing may be made of it. */
  | { readonly kind: "opaque"; readonly operator: string };

/** How integers stand for numbers, `(integer - zeroPoint) · scale`: one pair, or one for each slice along `axis`. */
export interface QuantizationScheme {
  readonly scales: readonly number[];
  readonly zeroPoints: readonly number[];
  readonly axis: number | undefined;
}

/** What is known of a value before it is made. */
export interface OperandType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** How many elements are kept at compile time; beyond it, the graph computes them. */
export const maxKnown = 8192;

/** How many elements a constant may have that is made for an operator: it stands in the graph, not among the weights. */
const maxTable = 2 ** 22;

/** The elements of a constant, one for each index. Throws kind `unsupported` for more of them than graphs should hold. */
export function tableOf(count: number, valueAt: (index: number) => number): number[] {
  if (count <= maxTable) return Array.from({ length: count }, (_, index) => valueAt(index));
  throw new ConvertError("unsupported", `a constant of ${count} numbers is more than a graph should hold`);
}

/** A tensor whose elements are known: a number for each element, row-major, bools as 0 and 1. */
export function constant(dtype: DType, shape: Shape, known: readonly Dimension[]): Operand {
  return { kind: "operand", dtype, shape, known, origin: { kind: "constant" } };
}

/** A known 0-d tensor. */
export function scalar(dtype: DType, value: Dimension): Operand {
  return constant(dtype, [], [value]);
}

/** A known 1-d tensor of 64-bit integers, as sizes and axes are given to nodes. */
export function integers(values: readonly Dimension[]): Operand {
  return constant("I64", [values.length], values);
}

/** The elements as plain numbers; `undefined` where one is unknown or symbolic. */
export function knownNumbers(operand: Operand): readonly number[] | undefined {
  const { known } = operand;
  return known?.every((item) => typeof item === "number") ? (known as readonly number[]) : undefined;
}

/** The elements that stand in the archive, also those of short weights; `undefined` for what is computed. */
export function writtenNumbers(operand: Operand): readonly number[] | undefined {
  const { origin } = operand;
  return knownNumbers(operand) ?? (origin.kind === "weight" ? origin.elements : undefined);
}

/** Whether an argument is a tensor and no number. */
export function isOperand(value: unknown): value is Operand {
  return typeof value === "object" && value !== null && (value as { kind?: unknown }).kind === "operand";
}

/** Whether nothing is known of an operand because an operator before it is not supported. */
export function isOpaque(operand: Operand): boolean {
  return operand.origin.kind === "opaque";
}
