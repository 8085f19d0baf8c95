import { ConvertError } from "../../core/errors.ts";
import type { Attribute, Call, Expression } from "../language/syntax.ts";
import { describe, isA, tupleOf, type Value } from "../values/value.ts";
import { attributeOf } from "./attributes.ts";
import { callOperator } from "./call-operator.ts";
import { conversions } from "./conversions.ts";
import { evaluateExpression, type Frame } from "./evaluate-expression.ts";
import { locate, placeNodes, placeOf } from "./locate.ts";
import type { Arguments, Machine } from "./machine.ts";
import { hasType, typeName } from "./types.ts";

/** The value of a call: of the language's own words, an operator, a function, a method or a class. */
export function evaluateCall(machine: Machine, frame: Frame, call: Call): Value {
  machine.step();
  const { callee } = call;
  try {
    if (callee.kind === "name" && !frame.variables.has(callee.id))
      return callWord(machine, frame, call, callee.id);
    const dotted = typeName(callee);
    const head = dotted?.slice(0, dotted.indexOf(".")) ?? "";
    if (dotted !== undefined && callee.kind === "attribute" && !frame.variables.has(head)) {
      const found = callGlobal(machine, frame, call, dotted, head);
      if (found !== undefined) return found;
    }
    if (callee.kind === "attribute") return callMethod(machine, frame, call, callee);
    const target = evaluateExpression(machine, frame, callee);
    if (!isA(target, "function")) throw new ConvertError("malformed", `the code calls ${describe(target)}`);
    return machine.callFunction(target, evaluateArguments(machine, frame, call));
  } catch (error) {
    throw locate(error, machine, frame.file, call.at);
  }
}

function evaluateArguments(machine: Machine, frame: Frame, call: Call): Arguments {
  const positional = call.positional.map((item) => evaluateExpression(machine, frame, item));
  const named = new Map(
    call.named.map(({ name, value }) => [name, evaluateExpression(machine, frame, value)] as const),
  );
  // Arguments may be calls themselves.
  placeNodes(machine, frame.file, call.at);
  return { positional, named };
}

/** Words that are part of the language: some take types, which are no values. */
function callWord(machine: Machine, frame: Frame, call: Call, word: string): Value {
  const [first, second] = call.positional;
  const evaluate = (expression: Expression | undefined): Value => {
    if (expression === undefined) throw new ConvertError("malformed", `${word} is called without arguments`);
    return evaluateExpression(machine, frame, expression);
  };
  switch (word) {
    case "annotate":
      return conversions.annotate(machine, first as Expression, evaluate(second));
    case "unchecked_cast":
      return evaluate(second);
    case "uninitialized":
      return { kind: "poison" };
    case "isinstance":
      if (second === undefined) throw new ConvertError("malformed", "isinstance is called without a type");
      return isInstance(evaluate(first), second);
    case "getattr":
      return attributeOf(machine, evaluate(first), String(evaluate(second)));
    case "fork":
    case "awaitable": {
      const [target, ...args] = call.positional.map(evaluate);
      if (!isA(target, "function")) throw new ConvertError("malformed", `${word} is given no function`);
      return machine.callFunction(target, { positional: args, named: new Map() });
    }
    default:
      return callOperator(
        machine,
        word,
        evaluateArguments(machine, frame, call),
        placeOf(machine, frame.file, call.at),
      );
  }
}

function isInstance(value: Value, type: Expression): boolean {
  const answer = hasType(value, type);
  if (answer !== undefined) return answer;
  throw new ConvertError("unsupported", `whether ${describe(value)} is of a type cannot be told`);
}

/** A call by a dotted name that starts with no variable; `undefined` where it is a method after all. */
function callGlobal(
  machine: Machine,
  frame: Frame,
  call: Call,
  dotted: string,
  head: string,
): Value | undefined {
  const rest = dotted.slice(head.length + 1);
  if (head === "torch" || head === "ops") {
    // `ops.prim.device` and `torch.device` are looked up alike; other namespaces stay visible.
    const name = head === "torch" ? rest : rest.replace(/^(prim|aten)\./, "").replace(".", "::");
    return callOperator(
      machine,
      name,
      evaluateArguments(machine, frame, call),
      placeOf(machine, frame.file, call.at),
    );
  }
  if (head !== "__torch__") return undefined;
  const located = machine.program.findFunction(dotted);
  if (located !== undefined)
    return machine.callFunction({ kind: "function", ...located }, evaluateArguments(machine, frame, call));
  if (dotted.endsWith(".__new__")) return newObject(machine, dotted.slice(0, -".__new__".length));
  const type = machine.program.findClass(dotted)?.definition;
  if (type?.base !== "NamedTuple") return undefined;
  const { positional, named } = evaluateArguments(machine, frame, call);
  const fields = [...type.attributes.keys()];
  const items = fields.map((field, index) => positional[index] ?? named.get(field) ?? null);
  return { ...tupleOf(items), className: dotted, fields };
}

function newObject(machine: Machine, className: string): Value {
  if (machine.program.findClass(className) === undefined)
    throw new ConvertError(
      "unsupported",
      `the program makes an object of ${className}, which is not supported`,
    );
  return { kind: "object", className, path: machine.modules.at(-1) ?? "", attributes: new Map() };
}

function callMethod(machine: Machine, frame: Frame, call: Call, callee: Attribute): Value {
  const object = evaluateExpression(machine, frame, callee.object);
  if (isA(object, "object")) {
    const args = evaluateArguments(machine, frame, call);
    placeNodes(machine, frame.file, call.at);
    const result = machine.callMethod(object, callee.name, args);
    placeNodes(machine, frame.file, call.at);
    return result;
  }
  throw new ConvertError("unsupported", `the program calls "${callee.name}" of ${describe(object)}`);
}
