import type { DType } from "../../core/dtype.ts";
import { ConvertError } from "../../core/errors.ts";
import { cast, number } from "../emit/arithmetic.ts";
import type { GraphBuilder } from "../emit/graph-builder.ts";
import { constant, isOperand, type Operand } from "../emit/operand.ts";
import { type Category, categories, categoryOf, isFloat } from "../emit/types.ts";
import { isSymbolic, type SymbolicDimension } from "../shapes/dimension.ts";

/** A Python number given to an operator. */
export type Scalar = bigint | number | boolean | SymbolicDimension;

/** What an operator on elements takes. */
export type TensorOrScalar = Operand | Scalar;

/** The dtype of a Python number by itself; floats are float32, torch's default. */
export function scalarType(value: Scalar): DType {
  if (typeof value === "boolean") return "BOOL";
  return typeof value === "number" ? "F32" : "I64";
}

/**
 * The dtype that torch computes in: the highest category of all arguments, and of that category the dtype of the
 * tensors with dimensions, else that of 0-d tensors, else that of numbers.
 */
export function promotedType(values: readonly TensorOrScalar[]): DType {
  const classes: DType[][] = [[], [], []];
  for (const value of values) {
    if (isOperand(value) && value.isNumber) classes[2]?.push(numberType(value.dtype));
    else if (isOperand(value)) classes[value.shape.length > 0 ? 0 : 1]?.push(value.dtype);
    else classes[2]?.push(scalarType(value));
  }
  const rank = (category: Category): number => categories.indexOf(category);
  const highest = Math.max(...classes.flat().map((dtype) => rank(categoryOf(dtype))));
  for (const dtypes of classes) {
    const fitting = dtypes.filter((dtype) => rank(categoryOf(dtype)) === highest);
    if (fitting.length > 0) return fitting.reduce(wider);
  }
  return "F32";
}

/** A number in a trace counts as one of Python. */
function numberType(dtype: DType): DType {
  if (categoryOf(dtype) === "float") return "F32";
  return categoryOf(dtype) === "integer" ? "I64" : dtype;
}

const order: readonly DType[] = [
  "BOOL",
  "U8",
  "I8",
  "I16",
  "I32",
  "I64",
  "F16",
  "BF16",
  "F32",
  "F64",
  "C64",
  "C128",
];

/** The dtype of one class and category that holds both. */
function wider(left: DType, right: DType): DType {
  if (left === right) return left;
  const pair = new Set([left, right]);
  if (pair.has("U8") && pair.has("I8")) return "I16";
  if (pair.has("F16") && pair.has("BF16")) return "F32";
  return order.indexOf(left) > order.indexOf(right) ? left : right;
}

/** A tensor or number as a tensor of a dtype; numbers become 0-d. */
export function asOperand(builder: GraphBuilder, value: TensorOrScalar, dtype: DType): Operand {
  if (isOperand(value)) return cast(builder, value, dtype);
  if (isSymbolic(value)) return cast(builder, constant("I64", [], [value]), dtype);
  if (typeof value === "bigint" && !isFloat(dtype)) requireExact(value);
  return number(dtype, Number(value));
}

/** Ints are computed with as doubles here; the ends of 64 bits, which stand for no bound at all, are known as such. */
function requireExact(value: bigint): void {
  const isEnd = value === 2n ** 63n - 1n || value === -(2n ** 63n);
  if (!isEnd && !Number.isSafeInteger(Number(value)))
    throw new ConvertError("unsupported", `the int ${textOfInt(value)}, which has more than 53 bits`);
}

function textOfInt(value: bigint): string {
  const text = String(value);
  return text.length > 20 ? `of ${text.length} digits` : text;
}

/** All arguments in the dtype that torch promotes them to. */
export function promoted(builder: GraphBuilder, ...values: readonly TensorOrScalar[]): readonly Operand[] {
  const dtype = promotedType(values);
  return values.map((value) => asOperand(builder, value, dtype));
}

/** The dtype of a float result of any numbers: float tensors keep theirs, all else becomes float32. */
export function floatType(dtype: DType): DType {
  return categoryOf(dtype) === "float" || categoryOf(dtype) === "complex" ? dtype : "F32";
}

/** A tensor as floats. */
export function asFloat(builder: GraphBuilder, operand: Operand): Operand {
  return cast(builder, operand, floatType(operand.dtype));
}

/** Both in one floating-point type, as torch promotes to. */
export function floats(
  builder: GraphBuilder,
  left: TensorOrScalar,
  right: TensorOrScalar,
): readonly [Operand, Operand] {
  const [a, b] = promoted(builder, left, right) as [Operand, Operand];
  return [asFloat(builder, a), asFloat(builder, b)];
}
