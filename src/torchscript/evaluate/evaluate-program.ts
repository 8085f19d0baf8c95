import { ConvertError } from "../../core/errors.ts";
import type { FunctionDefinition } from "../language/syntax.ts";
import { requireClass } from "../program/program.ts";
import { type FunctionValue, type ObjectValue, tupleOf, type Value } from "../values/value.ts";
import { evaluateExpression, type Frame } from "./evaluate-expression.ts";
import type { Arguments, Machine } from "./machine.ts";
import { runBlock } from "./run-block.ts";

/** How deep calls may nest; modules of real models stay below a hundred. */
const maxCalls = 200;

/** Steps that an evaluation may take: statements run and operators called. */
const defaultSteps = 1_000_000;

/** Items of lists and characters of strings that an evaluation may make, all together. */
const maxHeld = 10_000_000;

/** The parts of a machine that are given from outside. */
export type MachineParts = Omit<Machine, "callFunction" | "callMethod" | "step" | "hold" | "modules">;

/** A machine that can run an archive's program. */
export function createMachine(parts: MachineParts, steps = defaultSteps): Machine {
  let left = steps;
  let held = 0;
  let depth = 0;
  const modules: string[] = [];

  const machine: Machine = {
    ...parts,
    modules,
    step() {
      if (--left >= 0) return;
      throw new ConvertError("limit", `the program takes more than ${steps} steps`, {
        hint: "it may loop without end; the graph would hold every turn of its loops",
      });
    },
    hold(count) {
      held += count;
      if (held <= maxHeld) return;
      throw new ConvertError(
        "limit",
        `the program makes lists and strings of more than ${maxHeld} items and characters`,
        { hint: "it may grow them without end; export the model without that" },
      );
    },
    callFunction(callee, args) {
      if (depth >= maxCalls) throw new ConvertError("unsupported", "the program's calls nest too deep");
      depth++;
      try {
        return runFunction(machine, callee, args);
      } finally {
        depth--;
      }
    },
    callMethod(object, name, args) {
      const { definition, file } = requireClass(machine.program, object.className);
      const method = definition.methods.get(name);
      if (method === undefined)
        throw new ConvertError("unsupported", `the class ${object.className} has no method "${name}"`);
      const isModule = definition.base === "Module";
      if (isModule) enter(object.path);
      try {
        const call = (function_: FunctionDefinition, given: Arguments): Value =>
          machine.callFunction({ kind: "function", definition: function_, file }, withSelf(object, given));
        if (!isModule || name !== "forward") return call(method, args);
        return callWithHooks(object, definition, args, (given) => call(method, given), call);
      } finally {
        if (isModule) leave();
      }
    },
  };

  function enter(path: string): void {
    modules.push(path);
    machine.builder.place(path, undefined);
  }

  function leave(): void {
    modules.pop();
    machine.builder.place(modules.at(-1) ?? "", undefined);
  }

  return machine;
}

function withSelf(self: ObjectValue, { positional, named }: Arguments): Arguments {
  return { positional: [self, ...positional], named };
}

/** Hooks before see and may replace the inputs, a tuple; hooks after see inputs and output, and may replace that. */
function callWithHooks(
  object: ObjectValue,
  definition: {
    readonly preHooks: readonly string[];
    readonly hooks: readonly string[];
    readonly methods: ReadonlyMap<string, FunctionDefinition>;
  },
  args: Arguments,
  forward: (args: Arguments) => Value,
  call: (definition: FunctionDefinition, args: Arguments) => Value,
): Value {
  const hook = (name: string, ...given: readonly Value[]): Value => {
    const method = definition.methods.get(name);
    if (method === undefined)
      throw new ConvertError("malformed", `the class ${object.className} lacks its hook "${name}"`);
    return call(method, { positional: given, named: new Map() });
  };
  let inputs = args.positional;
  for (const name of definition.preHooks) {
    const result = hook(name, tupleOf(inputs));
    if (result !== null) inputs = isTuple(result) ? result.items : [result];
  }
  let output = forward({ positional: inputs, named: args.named });
  for (const name of definition.hooks) {
    const result = hook(name, tupleOf(inputs), output);
    if (result !== null) output = result;
  }
  return output;
}

function isTuple(value: Value): value is Extract<Value, { kind: "tuple" }> {
  return typeof value === "object" && value !== null && value.kind === "tuple";
}

function runFunction(machine: Machine, callee: FunctionValue, args: Arguments): Value {
  const { definition, file, captured } = callee;
  const variables = new Map<string, Value>(captured);
  const frame: Frame = { variables, file };
  const { positional, named } = args;
  if (positional.length > definition.parameters.length)
    throw new ConvertError(
      "malformed",
      `${definition.name} takes ${definition.parameters.length} arguments, but is given ${positional.length}`,
    );
  for (const [index, parameter] of definition.parameters.entries()) {
    const given = index < positional.length ? positional[index] : named.get(parameter.name);
    if (given !== undefined) variables.set(parameter.name, given);
    else if (parameter.default !== undefined)
      variables.set(parameter.name, evaluateExpression(machine, frame, parameter.default));
    else
      throw new ConvertError("usage", `${definition.name} needs a value for "${parameter.name}"`, {
        hint: `give its shape with --input ${parameter.name}=…, or its value with --arg ${parameter.name}=…`,
      });
  }
  return runBlock(machine, frame, definition.body)?.value ?? null;
}
