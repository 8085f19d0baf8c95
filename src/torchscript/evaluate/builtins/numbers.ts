import { ConvertError } from "../../../core/errors.ts";
import { binary, not } from "../../emit/arithmetic.ts";
import { constant, type Operand } from "../../emit/operand.ts";
import {
  addDimensions,
  type Dimension,
  divideDimensions,
  isFromData,
  isSymbolic,
  largerOf,
  multiplyDimensions,
  remainderOfDimensions,
  smallerOf,
  subtractDimensions,
} from "../../shapes/dimension.ts";
import { tensorOf } from "../../values/tensor.ts";
import { isA, listOf, type Value } from "../../values/value.ts";
import { conversions } from "../conversions.ts";
import { noteEmptiness } from "../emptiness.ts";
import { dimensionValue } from "../evaluate-expression.ts";
import type { Machine } from "../machine.ts";
import { type Builtin, unfit } from "./builtin.ts";
import { isEqual } from "./equality.ts";
import { floorDivide, modulo, power, shift, wrapped } from "./ints.ts";

type Int = bigint | Dimension;

interface Arithmetic {
  readonly ints: (left: bigint, right: bigint) => Value;
  readonly sizes?: (left: Dimension, right: Dimension) => Dimension;
  readonly floats: (left: number, right: number) => Value;
}

/** An operator of two numbers; anything else among the arguments is left to the rules. */
function arithmetic(name: string, { ints, sizes, floats }: Arithmetic): readonly [string, Builtin] {
  return [
    name,
    (args, machine) => {
      if (args.length !== 2) return undefined;
      const [left, right] = args.map((value) => (typeof value === "boolean" ? BigInt(value) : value));
      if (typeof left === "bigint" && typeof right === "bigint") return ints(left, right);
      if (!isNumber(left) || !isNumber(right)) return undefined;
      if (typeof left !== "number" && typeof right !== "number" && sizes !== undefined)
        return dimensionValue(sizes(asDimension(left), asDimension(right)));
      // As floats, sizes that only data tell are left to the rules for tensors.
      if (isFromData(left) || isFromData(right)) return undefined;
      const asFloat = (value: Int | number): number =>
        isSymbolic(value)
          ? machine.builder.guards.settle(value, "a size that is computed with as a float")
          : Number(value);
      return floats(asFloat(left), asFloat(right));
    },
  ];
}

function isNumber(value: Value | undefined): value is Int {
  return typeof value === "bigint" || typeof value === "number" || isSymbolic(value);
}

function asDimension(value: Int): Dimension {
  return typeof value === "bigint" ? Number(value) : value;
}

const operators: readonly (readonly [string, Builtin])[] = [
  arithmetic("add", { ints: (a, b) => wrapped(a + b), sizes: addDimensions, floats: (a, b) => a + b }),
  arithmetic("sub", { ints: (a, b) => wrapped(a - b), sizes: subtractDimensions, floats: (a, b) => a - b }),
  arithmetic("mul", { ints: (a, b) => wrapped(a * b), sizes: multiplyDimensions, floats: (a, b) => a * b }),
  arithmetic("div", { ints: (a, b) => Number(a) / Number(b), floats: (a, b) => a / b }),
  arithmetic("floordiv", { ints: floorDivide, sizes: divideDimensions, floats: (a, b) => Math.floor(a / b) }),
  arithmetic("floor_divide", {
    ints: floorDivide,
    sizes: divideDimensions,
    floats: (a, b) => Math.floor(a / b),
  }),
  arithmetic("remainder", {
    ints: (a, b) => wrapped(a - floorDivide(a, b) * b),
    sizes: remainderOfDimensions,
    floats: modulo,
  }),
  arithmetic("pow", { ints: power, floats: (a, b) => a ** b }),
  arithmetic("fmod", { ints: (a, b) => Number(a % b), floats: (a, b) => a % b }),
  arithmetic("max", { ints: (a, b) => (a > b ? a : b), sizes: largerOf, floats: Math.max }),
  arithmetic("min", { ints: (a, b) => (a < b ? a : b), sizes: smallerOf, floats: Math.min }),
  arithmetic("__lshift__", { ints: shift, floats: () => Number.NaN }),
  arithmetic("__rshift__", { ints: (a, b) => shift(a, -b), floats: () => Number.NaN }),
];

type Comparison = "==" | "!=" | "<" | "<=" | ">" | ">=";

const comparisons: readonly (readonly [string, Comparison])[] = [
  ["eq", "=="],
  ["ne", "!="],
  ["lt", "<"],
  ["le", "<="],
  ["gt", ">"],
  ["ge", ">="],
];

function comparison([name, operator]: readonly [string, Comparison]): readonly [string, Builtin] {
  return [
    name,
    ([left, right], machine) => {
      if (left === undefined || right === undefined || isA(left, "tensor") || isA(right, "tensor"))
        return undefined;
      if (isSymbolic(left) || isSymbolic(right)) {
        if (!isNumber(left) || !isNumber(right)) return undefined;
        return compareSizes(machine, asDimension(left), operator, asDimension(right));
      }
      if (operator === "==") return isEqual(left, right, machine);
      if (operator === "!=") return !isEqual(left, right, machine);
      return ordered(left, right, operator);
    },
  ];
}

const nodeTypes = {
  "==": "Equal",
  "!=": "Equal",
  "<": "Less",
  "<=": "LessOrEqual",
  ">": "Greater",
  ">=": "GreaterOrEqual",
} as const;

/** A bool, or one that only data tell. */
function compareSizes(machine: Machine, left: Dimension, operator: Comparison, right: Dimension): Value {
  const { builder } = machine;
  const answer = builder.guards.attempt(left, operator, right);
  if (answer !== undefined) return answer;
  const [a, b] = [left, right].map((size) => constant("I64", [], [size])) as [Operand, Operand];
  const compared = binary(builder, nodeTypes[operator], a, b);
  const result = operator === "!=" ? not(builder, compared) : compared;
  noteEmptiness(result, left, operator, right);
  return tensorOf(result);
}

function ordered(left: Value, right: Value, operator: Comparison): boolean {
  const isOrdered = (value: Value): value is bigint | number | string =>
    typeof value === "bigint" || typeof value === "number" || typeof value === "string";
  const [a, b] = [left, right].map((value) => (typeof value === "boolean" ? BigInt(value) : value));
  if (a === undefined || b === undefined || !isOrdered(a) || !isOrdered(b))
    return unfit(operator, [left, right]);
  if (operator === "<") return a < b;
  if (operator === "<=") return a <= b;
  return operator === ">" ? a > b : a >= b;
}

/** A function of one number; ints stay ints where `ints` is given. */
function functionOf(
  name: string,
  floats: (value: number) => Value,
  ints?: (value: bigint) => Value,
): readonly [string, Builtin] {
  return [
    name,
    (args, machine) => {
      const [value] = args;
      if (args.length !== 1) return undefined;
      if (typeof value === "number") return floats(value);
      if (typeof value === "bigint") return ints === undefined ? floats(Number(value)) : ints(value);
      if (isSymbolic(value) && name === "neg") return dimensionValue(multiplyDimensions(value, -1));
      if (isSymbolic(value) && name === "abs")
        return dimensionValue(largerOf(value, multiplyDimensions(value, -1)));
      if (isFromData(value)) return undefined;
      if (isSymbolic(value)) return floats(machine.builder.guards.settle(value, "a size that is rounded"));
      return undefined;
    },
  ];
}

function wholeOf(value: number): bigint {
  if (Number.isFinite(value)) return BigInt(value);
  throw new ConvertError("malformed", `the program makes an int of ${value}`);
}

function roundEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

const functions: readonly (readonly [string, Builtin])[] = [
  functionOf(
    "neg",
    (value) => -value,
    (value) => wrapped(-value),
  ),
  functionOf("abs", Math.abs, (value) => (value < 0n ? -value : value)),
  functionOf(
    "floor",
    (value) => wholeOf(Math.floor(value)),
    (value) => value,
  ),
  functionOf(
    "ceil",
    (value) => wholeOf(Math.ceil(value)),
    (value) => value,
  ),
  functionOf(
    "round",
    (value) => roundEven(value),
    (value) => Number(value),
  ),
  functionOf("sqrt", Math.sqrt),
  functionOf("exp", Math.exp),
  functionOf("log", Math.log),
  functionOf("log2", Math.log2),
  functionOf("log10", Math.log10),
  functionOf("sin", Math.sin),
  functionOf("cos", Math.cos),
  functionOf("tan", Math.tan),
  functionOf("tanh", Math.tanh),
  functionOf("isnan", Number.isNaN),
  functionOf("isinf", (value) => Math.abs(value) === Number.POSITIVE_INFINITY),
  functionOf("isfinite", Number.isFinite),
];

/** Bools, and bits of ints. */
function logical(
  name: string,
  bools: (left: boolean, right: boolean) => boolean,
  ints: (left: bigint, right: bigint) => bigint,
): readonly [string, Builtin] {
  return [
    name,
    ([left, right]) => {
      if (typeof left === "boolean" && typeof right === "boolean") return bools(left, right);
      return typeof left === "bigint" && typeof right === "bigint" ? ints(left, right) : undefined;
    },
  ];
}

/** Numbers: arithmetic as Python has it, also on sizes that depend on the inputs. */
export const numberBuiltins: readonly (readonly [string, Builtin])[] = [
  ...operators,
  ...comparisons.map(comparison),
  ...functions,
  logical(
    "__and__",
    (a, b) => a && b,
    (a, b) => a & b,
  ),
  logical(
    "__or__",
    (a, b) => a || b,
    (a, b) => a | b,
  ),
  logical(
    "__xor__",
    (a, b) => a !== b,
    (a, b) => a ^ b,
  ),
  ["__not__", ([value]) => (typeof value === "boolean" ? !value : undefined)],
  ["Int", ([value], machine) => conversions.toInt(machine, value as Value)],
  ["int", ([value], machine) => conversions.toInt(machine, value as Value)],
  ["IntImplicit", ([value], machine) => conversions.toInt(machine, value as Value)],
  ["Float", ([value], machine) => conversions.toFloat(machine, value as Value)],
  ["float", ([value], machine) => conversions.toFloat(machine, value as Value)],
  ["FloatImplicit", ([value], machine) => conversions.toFloat(machine, value as Value)],
  ["Bool", ([value], machine) => conversions.toBool(machine, value as Value)],
  ["bool", ([value], machine) => conversions.toBool(machine, value as Value)],
  [
    "__range_length",
    ([start, stop, step]) => {
      if (typeof start !== "bigint" || typeof stop !== "bigint" || typeof step !== "bigint")
        return unfit("range", [start ?? null, stop ?? null, step ?? null]);
      if (step === 0n) throw new ConvertError("unsupported", "the program has a range with step 0");
      const span = step > 0n ? stop - start : start - stop;
      const size = step > 0n ? step : -step;
      return span <= 0n ? 0n : (span + size - 1n) / size;
    },
  ],
  [
    "__derive_index",
    ([index, start, step]) => {
      if (typeof index !== "bigint" || typeof start !== "bigint" || typeof step !== "bigint")
        return unfit("range", [index ?? null, start ?? null, step ?? null]);
      return start + index * step;
    },
  ],
  [
    "divmod",
    ([a, b]) =>
      typeof a === "bigint" && typeof b === "bigint"
        ? listOf([floorDivide(a, b), a - floorDivide(a, b) * b])
        : undefined,
  ],
];
