import type { DType } from "../../core/dtype.ts";
import { ConvertError } from "../../core/errors.ts";
import { isOperand, knownNumbers, type Operand } from "../emit/operand.ts";
import { isQuantized } from "../emit/quantized.ts";
import { categoryOf, isFloat } from "../emit/types.ts";
import { isSymbolic } from "../shapes/dimension.ts";
import type { Scalar } from "../values/promotion.ts";
import { dtypeOfCode } from "../values/scalar-types.ts";
import { read } from "../values/tensor.ts";
import { isA, type Value } from "../values/value.ts";
import type { OperatorRule } from "./rule.ts";
import type { ArgumentType, Schema } from "./schema.ts";

/** Arguments as a rule takes them, or why they do not fit its signature. */
export type Bound =
  | { readonly fits: true; readonly args: Readonly<Record<string, unknown>> }
  | { readonly fits: false; readonly reason: string };

/** Brings a call's arguments into the form that a signature asks for. Overloads are told apart by whether that works. */
function bindArguments(
  schema: Schema,
  positional: readonly Value[],
  named: ReadonlyMap<string, Value>,
): Bound {
  const places = schema.parameters.filter(({ isNamed }) => !isNamed).length;
  if (positional.length > places)
    return {
      fits: false,
      reason: `it takes ${places} arguments, not ${positional.length}`,
    };
  const args: Record<string, unknown> = {};
  let used = positional.length;
  for (const [index, { name, type, default: text }] of schema.parameters.entries()) {
    const isNamed = named.has(name);
    if (isNamed) used++;
    const given = index < positional.length ? positional[index] : named.get(name);
    const bound = given === undefined ? defaultOf(type, text) : convert(type, given);
    if (bound === mismatch)
      return {
        fits: false,
        reason: given === undefined ? `"${name}" is missing` : `"${name}" is ${misfit(type, given)}`,
      };
    args[name] = bound;
  }
  const extra = [...named.keys()].find((name) => !schema.parameters.some((own) => own.name === name));
  if (extra !== undefined) return { fits: false, reason: `it has no argument "${extra}"` };
  if (used < positional.length + named.size) return { fits: false, reason: "an argument is given twice" };
  return { fits: true, args };
}

/** As `bindArguments`; a rule of real numbers takes no complex ones, and the other way round. */
export function bindRule(
  { schema, numbers }: OperatorRule,
  positional: readonly Value[],
  named: ReadonlyMap<string, Value>,
): Bound {
  const bound = bindArguments(schema, positional, named);
  if (!bound.fits || numbers === "any") return bound;
  const isComplex = schema.parameters.some(({ name, type }) => holdsComplex(type, bound.args[name]));
  if (isComplex === (numbers === "complex")) return bound;
  return {
    fits: false,
    reason: isComplex ? "complex tensors are not supported here" : "its tensors are not complex",
  };
}

function holdsComplex(type: ArgumentType, argument: unknown): boolean {
  if (Array.isArray(argument)) return argument.some((item) => holdsComplex(type, item));
  if (type.startsWith("dtype")) return argument !== undefined && categoryOf(argument as DType) === "complex";
  return isOperand(argument) && categoryOf(argument.dtype) === "complex";
}

function misfit(type: ArgumentType, given: Value): string {
  const isOf = (value: Value): boolean => isA(value, "tensor") && isQuantized(read(value));
  const quantized = isOf(given) || (isA(given, "list") && given.items.some(isOf));
  return quantized ? "a quantized tensor" : `no ${type}`;
}

/** What a tensor holds, if it is quantized, or if it is not, as the word says. */
function tensorOf(type: "Tensor" | "Quantized", value: Value): Operand | undefined {
  const operand = isA(value, "tensor") ? read(value) : undefined;
  return operand && isQuantized(operand) === (type === "Quantized") ? operand : undefined;
}

/** How many tensors or numbers an operator may be given in a list. */
const maxItems = 65_536;

const mismatch = Symbol("mismatch");

/** Defaults are written as in Python, without strings of commas: `None`, `1`, `-1.5`, `True`, `[]`, `"mean"`. */
function defaultOf(type: ArgumentType, text: string | undefined): unknown {
  if (text === undefined) return mismatch;
  if (text === "None") return convert(type, null);
  if (text === "True" || text === "False") return convert(type, text === "True");
  if (text === "[]") return [];
  if (/^[a-z"]/.test(text) && type.startsWith("str")) return text.replaceAll('"', "");
  const value = /^-?\d+$/.test(text) ? BigInt(text) : Number(text);
  return convert(type, value);
}

/** A value as the word says, or `mismatch`. Throws where the value fits but is not known. */
function convert(type: ArgumentType, value: Value): unknown {
  if (type === "any") return value;
  if (type.endsWith("?"))
    return value === null ? undefined : convert(type.slice(0, -1) as ArgumentType, value);
  const list = /^(.*)\[(\d*)\]$/.exec(type);
  if (list !== null) return convertList(list[1] as ArgumentType, list[2] as string, value);
  switch (type) {
    case "Tensor":
    case "Quantized":
      return tensorOf(type, value) ?? mismatch;
    case "Tensor|Scalar":
      return tensorOf("Tensor", value) ?? scalarOf(value) ?? mismatch;
    case "Packed":
      return isA(value, "packed") ? value.layer() : mismatch;
    case "Scalar":
      return scalarOf(plain(value)) ?? mismatch;
    case "SymInt":
      return sizeOf(plain(value));
    case "int":
    case "dtype": {
      const size = sizeOf(plain(value));
      if (typeof size !== "number") return mismatch;
      return type === "dtype" ? dtypeOfCode(size) : size;
    }
    case "float":
      return floatOf(plain(value));
    case "bool":
      return typeof value === "boolean" ? value : mismatch;
    default:
      return typeof value === "string" ? value : mismatch;
  }
}

function convertList(item: ArgumentType, count: string, value: Value): unknown {
  if (!isA(value, "list") && !isA(value, "tuple")) {
    // A single int stands for one in each dimension.
    const single = count === "" ? mismatch : convert(item, value);
    return single === mismatch ? mismatch : new Array(Number(count)).fill(single);
  }
  if (value.items.length > maxItems)
    throw new ConvertError(
      "unsupported",
      `a list of ${value.items.length} items is more than an operator takes`,
    );
  const optional = item.endsWith("?");
  const items = value.items.map((own) =>
    optional && own === null
      ? undefined
      : convert((optional ? item.slice(0, -1) : item) as ArgumentType, own),
  );
  return items.includes(mismatch) ? mismatch : items;
}

/** A 0-d tensor where a number is asked for is that number, if it is known. */
function plain(value: Value): Value {
  if (!isA(value, "tensor")) return value;
  return scalarOfOperand(read(value)) ?? value;
}

/** The Python number of a known tensor of one element; `undefined` where it is not known. */
export function scalarOfOperand(operand: Operand): Scalar | undefined {
  const [first] = operand.known ?? [];
  if (operand.known?.length !== 1 || first === undefined) return undefined;
  if (isSymbolic(first)) return first;
  return scalarOfNumber(operand.dtype, knownNumbers(operand)?.[0] as number);
}

function scalarOfNumber(dtype: DType, value: number): Scalar {
  if (dtype === "BOOL") return value !== 0;
  return isFloat(dtype) ? value : BigInt(value);
}

function floatOf(value: Value): unknown {
  const scalar = scalarOf(value);
  return scalar === undefined || isSymbolic(scalar) ? mismatch : Number(scalar);
}

function scalarOf(value: Value): Scalar | undefined {
  const isNumber = typeof value === "bigint" || typeof value === "number" || typeof value === "boolean";
  return isNumber || isSymbolic(value) ? value : undefined;
}

/** Ints beyond the safe range are "to the end" and "from the start", and become the ends of that range. */
function sizeOf(value: Value): unknown {
  if (isSymbolic(value)) return value;
  if (typeof value !== "bigint") return mismatch;
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) return Number.MAX_SAFE_INTEGER;
  if (value < BigInt(Number.MIN_SAFE_INTEGER)) return Number.MIN_SAFE_INTEGER;
  return Number(value);
}
