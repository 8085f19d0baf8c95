import { ConvertError } from "../../core/errors.ts";
import type { GraphBuilder } from "../emit/graph-builder.ts";
import { constant, type Operand } from "../emit/operand.ts";
import { anyInteger, isSymbolic } from "../shapes/dimension.ts";
import { scalarType } from "../values/promotion.ts";
import { read, type Storage, tensorOf } from "../values/tensor.ts";
import { describe, isA, listOf, type Value } from "../values/value.ts";

/** What of a value a loop hands from turn to turn: its tensors and numbers, in order. */
export interface Slot {
  readonly operand: Operand;
  /** The memory of a tensor, which others may share. */
  readonly storage: Storage | undefined;
}

/** The slots of a value. Throws kind `unsupported` for what no graph can hand on. */
export function slotsOf(value: Value): readonly Slot[] {
  if (isA(value, "tensor")) {
    const operand = read(value);
    // Numbers have no memory that anything could write to.
    return [{ operand, storage: operand.isNumber ? undefined : value.storage }];
  }
  if (isA(value, "tuple") || isA(value, "list")) return value.items.flatMap(slotsOf);
  if (typeof value === "bigint") return [numberSlot(constant("I64", [], [Number(value)]))];
  if (isSymbolic(value)) return [numberSlot(constant("I64", [], [value]))];
  if (typeof value === "number" || typeof value === "boolean")
    return [numberSlot(constant(scalarType(value), [], [Number(value)]))];
  throw new ConvertError(
    "unsupported",
    `${describe(value)} is changed in a loop of which data decide the turns`,
  );
}

function numberSlot(operand: Operand): Slot {
  return { operand: { ...operand, isNumber: true }, storage: undefined };
}

/** Whether a value can have slots, or has to stay what it is. */
export function hasSlots(value: Value): boolean {
  if (isA(value, "tuple") || isA(value, "list")) return value.items.every(hasSlots);
  return isA(value, "tensor") || isSymbolic(value) || ["bigint", "number", "boolean"].includes(typeof value);
}

/** A value of the same form with these operands in its slots, taken from the front of `operands`. */
export function refilled(builder: GraphBuilder, value: Value, operands: Operand[]): Value {
  if (isA(value, "tuple"))
    return { ...value, items: value.items.map((item) => refilled(builder, item, operands)) };
  if (isA(value, "list")) return listOf(value.items.map((item) => refilled(builder, item, operands)));
  const operand = operands.shift() as Operand;
  if (typeof value === "bigint" || isSymbolic(value))
    return builder.sizeFromData({ operand, axis: undefined }, anyInteger);
  return tensorOf(isA(value, "tensor") && !value.held.isNumber ? operand : { ...operand, isNumber: true });
}
