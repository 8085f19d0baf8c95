import { ConvertError } from "../../core/errors.ts";
import { requireClass } from "../program/program.ts";
import { dtypeCode } from "../values/scalar-types.ts";
import { read } from "../values/tensor.ts";
import { describe, isA, listOf, type ObjectValue, type Value } from "../values/value.ts";
import { evaluateExpression } from "./evaluate-expression.ts";
import type { Machine } from "./machine.ts";

/** `object.name`. */
export function attributeOf(machine: Machine, object: Value, name: string): Value {
  if (isA(object, "object")) return objectAttribute(machine, object, name);
  if (isA(object, "tuple") && object.fields !== undefined) {
    const item = object.items[object.fields.indexOf(name)];
    if (item !== undefined) return item;
  }
  if (isA(object, "enum")) {
    if (name === "value") return object.value;
    if (name === "name") return object.name;
  }
  if (isA(object, "tensor")) {
    const operand = read(object);
    if (name === "dtype") return dtypeCode(operand);
    if (name === "device") return { kind: "device", name: "cpu" };
    if (name === "shape")
      return listOf(operand.shape.map((extent) => (typeof extent === "number" ? BigInt(extent) : extent)));
  }
  if (isA(object, "device") && name === "type") return object.name.split(":")[0] as string;
  if (isA(object, "device") && name === "index") return null;
  throw new ConvertError("unsupported", `the program reads "${name}" of ${describe(object)}`);
}

function objectAttribute(machine: Machine, object: ObjectValue, name: string): Value {
  const own = object.attributes.get(name);
  if (own !== undefined) return own;
  const { definition, file } = requireClass(machine.program, object.className);
  const constant = definition.constants.get(name);
  if (constant !== undefined) return evaluateExpression(machine, { variables: new Map(), file }, constant);
  throw new ConvertError("unsupported", `${describe(object)} has no attribute "${name}"`);
}
