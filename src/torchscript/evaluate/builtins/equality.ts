import { isSymbolic } from "../../shapes/dimension.ts";
import { isA, type Value } from "../../values/value.ts";
import type { Machine } from "../machine.ts";

/** Python's `==` on values that are no tensors; sizes are compared by their example, which is recorded. */
export function isEqual(left: Value, right: Value, machine: Machine): boolean {
  machine.step();
  if (isSymbolic(left) || isSymbolic(right)) return isEqualSize(left, right, machine);
  if (isA(left, "list") && isA(right, "list")) return isEqualItems(left.items, right.items, machine);
  if (isA(left, "tuple") && isA(right, "tuple")) return isEqualItems(left.items, right.items, machine);
  if (isA(left, "device") && isA(right, "device")) return left.name === right.name;
  if (isA(left, "enum") && isA(right, "enum"))
    return left.className === right.className && left.name === right.name;
  if (typeof left === "bigint" && typeof right === "bigint") return left === right;
  if (isNumeric(left) && isNumeric(right)) return Number(left) === Number(right);
  return left === right;
}

function isNumeric(value: Value): boolean {
  return typeof value === "bigint" || typeof value === "number" || typeof value === "boolean";
}

function isEqualSize(left: Value, right: Value, machine: Machine): boolean {
  const [a, b] = [left, right].map((value) => (typeof value === "bigint" ? Number(value) : value));
  const isSize = (value: Value | undefined): boolean => typeof value === "number" || isSymbolic(value);
  if (!isSize(a) || !isSize(b)) return false;
  return machine.builder.guards.decide(a as number, "==", b as number);
}

function isEqualItems(left: readonly Value[], right: readonly Value[], machine: Machine): boolean {
  return (
    left.length === right.length && left.every((item, index) => isEqual(item, right[index] as Value, machine))
  );
}
