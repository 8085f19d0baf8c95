import type { DType } from "../../../core/dtype.ts";
import { ConvertError } from "../../../core/errors.ts";
import { cast } from "../../emit/arithmetic.ts";
import { concat, reshape } from "../../emit/layout.ts";
import { constant, type Operand } from "../../emit/operand.ts";
import { type Dimension, isSymbolic } from "../../shapes/dimension.ts";
import { asOperand, promotedType, type Scalar, scalarType } from "../../values/promotion.ts";
import { dtypeOfCode } from "../../values/scalar-types.ts";
import { read, tensorOf } from "../../values/tensor.ts";
import { isA, type ListValue, type Value } from "../../values/value.ts";
import type { Machine } from "../machine.ts";
import type { Builtin } from "./builtin.ts";

/** How many numbers a tensor may be made of that the program lists. */
const maxItems = 65_536;

/** Nested lists of one shape, flattened. */
interface Nested {
  readonly items: readonly Value[];
  readonly shape: readonly number[];
}

function flattened(list: ListValue): Nested {
  const parts = list.items.map((item) =>
    isA(item, "list") ? flattened(item) : { items: [item], shape: [] },
  );
  const inner = parts[0]?.shape ?? [];
  if (parts.some(({ shape }) => shape.join() !== inner.join()))
    throw new ConvertError("malformed", "a tensor is made of lists of different lengths");
  return { items: parts.flatMap(({ items }) => items), shape: [list.items.length, ...inner] };
}

function isNumber(value: Value): value is Scalar {
  return ["bigint", "number", "boolean"].includes(typeof value) || isSymbolic(value);
}

/** A number that data tell is a 0-d tensor. */
function numberOf(value: Value): Scalar | Operand {
  if (isNumber(value)) return value;
  if (isA(value, "tensor")) return read(value);
  throw new ConvertError("unsupported", "a tensor is made of a list that does not hold numbers");
}

function madeOf(machine: Machine, list: ListValue, wanted: DType | undefined): Operand {
  const { builder } = machine;
  const { items, shape } = flattened(list);
  if (items.length > maxItems)
    throw new ConvertError("unsupported", `a tensor is made of ${items.length} numbers one by one`);
  const numbers = items.map(numberOf);
  const dtype = wanted ?? (numbers.length === 0 ? "F32" : typeOf(numbers));
  // Torch makes floats in the program float32 first.
  const single = (value: number): number => (dtype === "F64" ? Math.fround(value) : value);
  const known: Dimension[] = [];
  for (const value of numbers) {
    if (typeof value !== "object") known.push(typeof value === "number" ? single(value) : Number(value));
    else if (isSymbolic(value) && dtype === "I64") known.push(value);
  }
  if (known.length === numbers.length && numbers.every(fits(dtype))) return constant(dtype, shape, known);
  const parts = numbers.map((value) =>
    reshape(builder, cast(builder, asOperand(builder, value, dtype), dtype), [1]),
  );
  return reshape(builder, concat(builder, parts, 0), shape);
}

/** Whether a number can stand in a constant of the dtype as it is; others are converted by the graph. */
function fits(dtype: DType): (value: Scalar | Operand) => boolean {
  if (dtype === "F32") return (value) => typeof value !== "number" || Math.fround(value) === value;
  if (dtype === "F64") return () => true;
  return (value) => typeof value !== "number";
}

function typeOf(numbers: readonly (Scalar | Operand)[]): DType {
  const scalars = numbers.filter(isNumberOrSize);
  return scalars.length === numbers.length && scalars.every((value) => scalarType(value) === "BOOL")
    ? "BOOL"
    : promotedType(numbers);
}

function isNumberOrSize(value: Scalar | Operand): value is Scalar {
  return typeof value !== "object" || value.kind === "symbolic";
}

const make: Builtin = ([data], machine, named) => {
  if (!isA(data, "list")) return undefined;
  const code = named.get("dtype");
  return tensorOf(madeOf(machine, data, typeof code === "bigint" ? dtypeOfCode(Number(code)) : undefined));
};

/** Tensors written as lists of numbers. */
export const tensorLiteralBuiltins: readonly (readonly [string, Builtin])[] = [
  ["tensor", make],
  ["as_tensor", make],
];
