import { ConvertError } from "../../core/errors.ts";
import { constant, type Operand } from "../emit/operand.ts";
import type { Expression, Statement } from "../language/syntax.ts";
import { scalarOfOperand } from "../operators/bind.ts";
import { isSymbolic, shapeText } from "../shapes/dimension.ts";
import { read } from "../values/tensor.ts";
import { describe, isA, type Value } from "../values/value.ts";
import { requireClear } from "./call-operator.ts";
import { evaluateExpression, type Frame } from "./evaluate-expression.ts";
import { locate, placeNodes, placeOf } from "./locate.ts";
import { type Machine, positionalArguments } from "./machine.ts";
import { programError } from "./raised.ts";
import { runBranches } from "./run-branches.ts";
import { runDataLoop } from "./run-loop.ts";
import { typeName } from "./types.ts";

/** How often the body of one loop may be repeated in the graph. */
const maxTurns = 4096;

/** What ends a function: the value it returns. */
export interface Returned {
  readonly value: Value;
}

/** Runs statements in order; gives what they return, if they do. */
export function runBlock(
  machine: Machine,
  frame: Frame,
  statements: readonly Statement[],
): Returned | undefined {
  for (const statement of statements) {
    machine.step();
    placeNodes(machine, frame.file, statement.at);
    try {
      const returned = runStatement(machine, frame, statement);
      if (returned !== undefined) return returned;
    } catch (error) {
      throw locate(error, machine, frame.file, statement.at);
    }
  }
  return undefined;
}

function runStatement(machine: Machine, frame: Frame, statement: Statement): Returned | undefined {
  const evaluate = (expression: Expression): Value => evaluateExpression(machine, frame, expression);
  switch (statement.kind) {
    case "expression":
      evaluate(statement.value);
      return undefined;
    case "assign": {
      const values = statement.values.map(evaluate);
      for (const [index, target] of statement.targets.entries())
        assign(machine, frame, target, values[index] as Value);
      return undefined;
    }
    case "unpack":
      unpack(machine, frame, statement.targets, evaluate(statement.value));
      return undefined;
    case "return":
      return { value: evaluate(statement.value) };
    case "if":
      return runIf(machine, frame, evaluate(statement.condition), statement);
    case "for":
      return runFor(machine, frame, statement.name, evaluate(statement.count), statement.body);
    case "while":
      return runWhile(machine, frame, statement.condition, statement.body);
    case "with": {
      const value = evaluate(statement.value);
      return runWith(machine, frame, value, statement.name, statement.body);
    }
    case "closure": {
      const { definition } = statement;
      const captured = new Map(frame.variables);
      frame.variables.set(definition.name, { kind: "function", definition, file: frame.file, captured });
      return undefined;
    }
    default:
      return undefined;
  }
}

function assign(machine: Machine, frame: Frame, target: Expression, value: Value): void {
  if (target.kind === "name") {
    frame.variables.set(target.id, value);
    return;
  }
  if (target.kind !== "attribute") throw new ConvertError("malformed", "the code assigns to no variable");
  const object = evaluateExpression(machine, frame, target.object);
  if (!isA(object, "object"))
    throw new ConvertError("malformed", `the code sets an attribute of ${describe(object)}`);
  object.attributes.set(target.name, value);
}

function unpack(machine: Machine, frame: Frame, targets: readonly Expression[], value: Value): void {
  if (!isA(value, "tuple") && !isA(value, "list"))
    throw new ConvertError("unsupported", `the code takes ${describe(value)} apart`);
  if (value.items.length !== targets.length)
    throw new ConvertError(
      "malformed",
      `the code takes ${describe(value)} apart into ${targets.length} variables`,
    );
  for (const [index, target] of targets.entries())
    assign(machine, frame, target, value.items[index] as Value);
}

function runIf(
  machine: Machine,
  frame: Frame,
  condition: Value,
  statement: Extract<Statement, { kind: "if" }>,
): Returned | undefined {
  const known = truthOf(condition);
  const { then, otherwise } = statement;
  if (typeof known === "boolean") return runBlock(machine, frame, known ? then : otherwise);
  const run = (statements: readonly Statement[]) => (): void => {
    // What it takes to put the message together need not be possible in a graph.
    const message = raisedMessage(statements);
    if (message !== undefined) throw programError(message);
    refuseReturn(runBlock(machine, frame, statements));
  };
  const { source } = placeOf(machine, frame.file, statement.at);
  runBranches(machine, frame, { condition: known, source, whenTrue: run(then), whenFalse: run(otherwise) });
  return undefined;
}

/** What a branch raises that surely does, as far as its message is written out; `undefined` for other branches. */
function raisedMessage(statements: readonly Statement[]): string | undefined {
  const calls = statements.flatMap((statement): readonly Expression[] => {
    if (statement.kind === "expression") return [statement.value];
    return statement.kind === "assign" ? statement.values : [];
  });
  const raise = calls.find(
    (call) => call.kind === "call" && typeName(call.callee) === "ops.prim.RaiseException",
  );
  if (raise === undefined || statements.some(({ kind }) => kind === "return")) return undefined;
  return firstText(raise) ?? "with a message of its own";
}

function firstText(expression: Expression): string | undefined {
  if (expression.kind === "literal" && typeof expression.value === "string" && expression.value !== "")
    return expression.value;
  if (expression.kind !== "call") return undefined;
  for (const argument of expression.positional) {
    const text = firstText(argument);
    // Assertions have their class in front of what they say.
    if (text !== undefined && !/^\w+: $/.test(text)) return text;
  }
  return undefined;
}

/** What a branch or a loop goes by: a bool, or a 0-d tensor of which only the data tell. */
function truthOf(condition: Value): boolean | Operand {
  if (typeof condition === "boolean") return condition;
  if (!isA(condition, "tensor")) throw new ConvertError("malformed", `a condition is ${describe(condition)}`);
  const operand = requireClear(read(condition));
  if (operand.dtype !== "BOOL" || operand.shape.length > 0)
    throw new ConvertError(
      "malformed",
      `a condition is a tensor of ${operand.dtype} and shape ${shapeText(operand.shape)}`,
    );
  const known = scalarOfOperand(operand);
  return typeof known === "boolean" ? known : operand;
}

function runFor(
  machine: Machine,
  frame: Frame,
  name: string,
  count: Value,
  body: readonly Statement[],
): Returned | undefined {
  const turn = (index: Value): Returned | undefined => {
    frame.variables.set(name, index);
    return runBlock(machine, frame, body);
  };
  if (isSymbolic(count)) {
    const run = (index: Value): undefined => refuseReturn(turn(index));
    runDataLoop(machine, frame, { body, count, first: undefined, turn: run });
    return undefined;
  }
  if (typeof count !== "bigint") throw new ConvertError("malformed", `a loop counts to ${describe(count)}`);
  for (let index = 0n; index < count; index++) {
    checkTurns(Number(index));
    const returned = turn(index);
    if (returned !== undefined) return returned;
  }
  return undefined;
}

/** Turns are repeated as long as it is known that they are taken; the rest is left to the graph. */
function runWhile(
  machine: Machine,
  frame: Frame,
  condition: Expression,
  body: readonly Statement[],
): Returned | undefined {
  const truth = (): boolean | Operand => truthOf(evaluateExpression(machine, frame, condition));
  for (let turns = 0; ; turns++) {
    const first = truth();
    if (first === false) return undefined;
    if (first !== true) {
      const turn = (): Operand => {
        refuseReturn(runBlock(machine, frame, body));
        const again = truth();
        return typeof again === "boolean" ? constant("BOOL", [], [again ? 1 : 0]) : again;
      };
      runDataLoop(machine, frame, { body, count: undefined, first, turn });
      return undefined;
    }
    checkTurns(turns);
    const returned = runBlock(machine, frame, body);
    if (returned !== undefined) return returned;
  }
}

function refuseReturn(returned: Returned | undefined): undefined {
  if (returned !== undefined)
    throw new ConvertError("unsupported", "a function returns in a branch or a loop that data decide");
  return undefined;
}

function checkTurns(turn: number): void {
  if (turn >= maxTurns)
    throw new ConvertError("limit", `a loop of the program takes more than ${maxTurns} turns`, {
      hint: "each of them would become part of the graph; export the model without this loop",
    });
}

/** In archives, `with` stands around profilers and gradient modes, which mean nothing to a graph. */
function runWith(
  machine: Machine,
  frame: Frame,
  value: Value,
  name: string | undefined,
  body: readonly Statement[],
): Returned | undefined {
  const hasMethod = (method: string): boolean =>
    isA(value, "object") &&
    machine.program.findClass(value.className)?.definition.methods.has(method) === true;
  const entered =
    isA(value, "object") && hasMethod("__enter__")
      ? machine.callMethod(value, "__enter__", positionalArguments())
      : value;
  if (name !== undefined) frame.variables.set(name, entered);
  const returned = runBlock(machine, frame, body);
  if (isA(value, "object") && hasMethod("__exit__"))
    machine.callMethod(value, "__exit__", positionalArguments(null, null, null));
  return returned;
}
