import { ConvertError } from "../../core/errors.ts";
import type { Attribute, Call, Expression } from "../language/syntax.ts";
import { isSymbolic, multiplyDimensions } from "../shapes/dimension.ts";
import { dictKey } from "../values/keys.ts";
import { describe, isA, listOf, tupleOf, type Value } from "../values/value.ts";
import { attributeOf } from "./attributes.ts";
import { wrapped } from "./builtins/ints.ts";
import { evaluateCall } from "./call.ts";
import type { Machine } from "./machine.ts";
import { typeName } from "./types.ts";

/** The variables of a function that runs, and the file that its code stands in. */
export interface Frame {
  readonly variables: Map<string, Value>;
  readonly file: string;
}

/** The value of an expression; operators in it add their nodes to the graph. */
export function evaluateExpression(machine: Machine, frame: Frame, expression: Expression): Value {
  switch (expression.kind) {
    case "literal":
      return expression.value;
    case "name":
      return variable(frame, expression.id);
    case "list":
      return listOf(expression.items.map((item) => evaluateExpression(machine, frame, item)));
    case "tuple":
      return tupleOf(expression.items.map((item) => evaluateExpression(machine, frame, item)));
    case "dict": {
      const entries = new Map<unknown, readonly [Value, Value]>();
      for (const [keyExpression, valueExpression] of expression.entries) {
        const key = evaluateExpression(machine, frame, keyExpression);
        entries.set(dictKey(key), [key, evaluateExpression(machine, frame, valueExpression)]);
      }
      return { kind: "dict", entries };
    }
    case "negative":
      return negated(evaluateExpression(machine, frame, expression.operand));
    case "attribute":
      return evaluateAttribute(machine, frame, expression);
    case "subscript": {
      const object = evaluateExpression(machine, frame, expression.object);
      const items = expression.items.map((item) => evaluateExpression(machine, frame, item));
      if (items.length !== (expression.isSlice ? 2 : 1))
        throw new ConvertError(
          "malformed",
          `the code indexes ${describe(object)} with ${items.length} values`,
        );
      return expression.isSlice ? sliceTuple(object, items) : itemOf(machine, object, items[0] as Value);
    }
    case "call":
      return evaluateCall(machine, frame, expression as Call);
  }
}

function variable(frame: Frame, id: string): Value {
  const value = frame.variables.get(id);
  if (value === undefined) throw new ConvertError("malformed", `the code reads "${id}", which is not set`);
  if (isA(value, "poison") && value.reason !== undefined)
    throw new ConvertError("unsupported", `"${id}" is ${value.reason}`);
  return value;
}

function negated(value: Value): Value {
  if (typeof value === "bigint") return wrapped(-value);
  if (typeof value === "number") return -value;
  if (isSymbolic(value)) return dimensionValue(multiplyDimensions(value, -1));
  throw new ConvertError("malformed", `the code negates ${describe(value)}`);
}

/** A size as a value of the program. */
export function dimensionValue(dimension: number | Exclude<Value, null | string>): Value {
  return typeof dimension === "number" ? BigInt(dimension) : dimension;
}

function evaluateAttribute(machine: Machine, frame: Frame, expression: Attribute): Value {
  const dotted = typeName(expression);
  if (dotted !== undefined && !frame.variables.has(dotted.slice(0, dotted.indexOf(".")))) {
    const constant = /^CONSTANTS\.c(\d+)$/.exec(dotted);
    if (constant !== null) return constantOf(machine, Number(constant[1]));
    const known = globalValue(machine, dotted);
    if (known !== undefined) return known;
  }
  return attributeOf(machine, evaluateExpression(machine, frame, expression.object), expression.name);
}

function constantOf(machine: Machine, index: number): Value {
  const value = machine.constants[index];
  if (value === undefined)
    throw new ConvertError("malformed", `the code uses CONSTANTS.c${index}, which the archive lacks`);
  return value;
}

/** A function, or a member of an Enum, by its qualified name. */
function globalValue(machine: Machine, dotted: string): Value | undefined {
  if (!dotted.startsWith("__torch__.")) return undefined;
  const located = machine.program.findFunction(dotted);
  if (located !== undefined) return { kind: "function", ...located };
  const dot = dotted.lastIndexOf(".");
  const className = dotted.slice(0, dot);
  const name = dotted.slice(dot + 1);
  const enumeration = machine.program.findClass(className)?.definition;
  const member = enumeration?.base === "Enum" ? enumeration.constants.get(name) : undefined;
  if (member?.kind !== "literal") return undefined;
  return { kind: "enum", className, name, value: member.value };
}

/** `object[index]` of a list, a tuple, a dict or a string. */
export function itemOf(machine: Machine, object: Value, index: Value): Value {
  if (isA(object, "dict")) {
    const entry = object.entries.get(dictKey(index));
    if (entry === undefined)
      throw new ConvertError("unsupported", `the program looks up ${String(index)} in a dict that lacks it`);
    return entry[1];
  }
  if (isA(object, "object")) {
    const name = typeof index === "string" ? index : String(index);
    const value = object.attributes.get(name);
    if (value !== undefined) return value;
  }
  const at = isSymbolic(index) ? BigInt(machine.builder.guards.settle(index, "an index of a list")) : index;
  const items =
    typeof object === "string"
      ? [...object]
      : isA(object, "list") || isA(object, "tuple")
        ? object.items
        : undefined;
  if (items === undefined || typeof at !== "bigint")
    throw new ConvertError("unsupported", `the program indexes ${describe(object)} with ${describe(index)}`);
  const item = items.at(Number(at));
  if (item === undefined)
    throw new ConvertError("unsupported", `the program asks for item ${at} of ${describe(object)}`);
  return item;
}

function sliceTuple(object: Value, [start, end]: readonly Value[]): Value {
  if (!isA(object, "tuple") || typeof start !== "bigint" || typeof end !== "bigint")
    throw new ConvertError("malformed", `the code takes a slice of ${describe(object)}`);
  return tupleOf(object.items.slice(Number(start), Number(end)));
}
