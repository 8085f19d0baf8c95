import { ConvertError } from "../../core/errors.ts";
import { cast } from "../emit/arithmetic.ts";
import { reshape } from "../emit/layout.ts";
import { constant, type Operand } from "../emit/operand.ts";
import { isFloat } from "../emit/types.ts";
import type { Expression } from "../language/syntax.ts";
import { scalarOfOperand } from "../operators/bind.ts";
import { anyInteger, elementsOf, isFromData, isSymbolic } from "../shapes/dimension.ts";
import { read, tensorOf } from "../values/tensor.ts";
import { describe, isA, type Value } from "../values/value.ts";
import { requireClear } from "./call-operator.ts";
import type { Machine } from "./machine.ts";
import { typeName } from "./types.ts";

/** `int(x)`, `float(x)`, `bool(x)` and the implicit conversions that `annotate` stands for. */
export const conversions = { annotate, toInt, toFloat, toBool };

/** `annotate(T, x)`: a 0-d tensor becomes a number where `T` is one; everything else stays. */
function annotate(machine: Machine, type: Expression, value: Value): Value {
  if (!isA(value, "tensor")) return value;
  switch (typeName(type)) {
    case "int":
      return toInt(machine, value);
    case "float":
      return toFloat(machine, value);
    case "bool":
      return toBool(machine, value);
    case "number":
      return isFloat(read(value).dtype) ? toFloat(machine, value) : toInt(machine, value);
    default:
      return value;
  }
}

/** The one element of a tensor, as a 0-d operand; throws kind `malformed` where there are more. */
function single(machine: Machine, value: Value): Operand {
  const operand = requireClear(read(value as Extract<Value, { kind: "tensor" }>));
  if (!machine.builder.guards.permits(elementsOf(operand.shape), "==", 1))
    throw new ConvertError("malformed", "a tensor of several elements is taken for a number");
  return operand;
}

function toInt(machine: Machine, value: Value): Value {
  if (typeof value === "bigint" || isSymbolic(value)) return value;
  if (typeof value === "boolean") return value ? 1n : 0n;
  if (typeof value === "number") return truncated(value);
  if (typeof value === "string" && /^\s*[+-]?\d+\s*$/.test(value)) return BigInt(value.trim());
  if (!isA(value, "tensor")) throw new ConvertError("malformed", `${describe(value)} is no int`);
  const operand = single(machine, value);
  const known = scalarOfOperand(operand);
  if (known !== undefined) return toInt(machine, known);
  const { builder } = machine;
  const source = reshape(builder, cast(builder, operand, "I64"), []);
  return builder.sizeFromData({ operand: source, axis: undefined }, anyInteger);
}

function truncated(value: number): bigint {
  if (!Number.isFinite(value)) throw new ConvertError("malformed", `${value} is no int`);
  return BigInt(Math.trunc(value));
}

function toFloat(machine: Machine, value: Value): Value {
  if (typeof value === "number") return value;
  if (typeof value === "bigint" || typeof value === "boolean") return Number(value);
  if (isFromData(value)) return numberOf(cast(machine.builder, constant("I64", [], [value]), "F32"));
  if (isSymbolic(value)) return machine.builder.guards.settle(value, "a size that is used as a float");
  if (typeof value === "string") return Number(value);
  if (!isA(value, "tensor")) throw new ConvertError("malformed", `${describe(value)} is no float`);
  const operand = single(machine, value);
  const known = scalarOfOperand(operand);
  if (known !== undefined) return toFloat(machine, known);
  return numberOf(reshape(machine.builder, cast(machine.builder, operand, "F32"), []));
}

/** A Python number that only the data tell: a 0-d tensor that counts as a number where dtypes are decided. */
function numberOf(operand: Operand): Value {
  return tensorOf({ ...operand, isNumber: true });
}

/** A bool that only the data tell stays a 0-d tensor. */
function toBool(machine: Machine, value: Value): Value {
  if (typeof value === "boolean") return value;
  if (typeof value === "bigint") return value !== 0n;
  if (typeof value === "number") return value !== 0;
  if (isSymbolic(value))
    return (
      machine.builder.guards.attempt(value, "!=", 0) ??
      toBool(machine, tensorOf(constant("I64", [], [value])))
    );
  if (!isA(value, "tensor")) throw new ConvertError("malformed", `${describe(value)} is no bool`);
  const operand = single(machine, value);
  const known = scalarOfOperand(operand);
  if (known !== undefined && !isFromData(known)) return toBool(machine, known);
  return tensorOf(reshape(machine.builder, cast(machine.builder, operand, "BOOL"), []));
}
