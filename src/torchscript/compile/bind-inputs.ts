import { ConvertError } from "../../core/errors.ts";
import type { Arguments, Machine } from "../evaluate/machine.ts";
import type { FunctionDefinition } from "../language/syntax.ts";
import { requireClass } from "../program/program.ts";
import { type Dimension, hintOf, symbol } from "../shapes/dimension.ts";
import { dictKey } from "../values/keys.ts";
import { tensorOf } from "../values/tensor.ts";
import { listOf, type ObjectValue, tupleOf, type Value } from "../values/value.ts";
import { checkArgument, typedInput } from "./argument-types.ts";
import type { InputValue, ScriptRequest } from "./request.ts";

/**
 * The arguments of a method: tensors become inputs of the graph, under the name of their parameter, or a dotted one
 * within a list or dict. What the request leaves out is taken from the archive's own examples.
 */
export function bindInputs(
  machine: Machine,
  root: ObjectValue,
  method: string,
  request: ScriptRequest,
  examples: readonly InputValue[] | undefined,
): Arguments {
  const signature = methodOf(machine, root, method).parameters.slice(1);
  const parameters = signature.map(({ name }) => name);
  const named = request.named ?? new Map<string, InputValue>();
  const unknown = [...named.keys()].find((name) => !parameters.includes(name));
  if (unknown !== undefined)
    throw new ConvertError(
      "usage",
      `"${method}" has no parameter "${unknown}"; it takes ${parameters.join(", ")}`,
    );
  const free = parameters.filter((name) => !named.has(name));
  const positional = request.positional ?? [];
  if (positional.length > free.length)
    throw new ConvertError(
      "usage",
      `"${method}" takes no more than ${parameters.join(", ")}; ${positional.length} inputs without a name are given`,
    );
  const wanted = new Map<string, InputValue>(named);
  for (const [index, value] of positional.entries()) wanted.set(free[index] as string, value);
  const bind = createBinder(machine, request.inputNames ?? []);
  const args = new Map<string, Value>();
  for (const [index, parameter] of signature.entries()) {
    const { name } = parameter;
    const given = completed(wanted.get(name), examples?.[index]);
    if (given === undefined) continue;
    const value = bind(typedInput(given, parameter), name);
    checkArgument(value, parameter);
    args.set(name, value);
  }
  return { positional: [], named: args };
}

function methodOf(machine: Machine, root: ObjectValue, method: string): FunctionDefinition {
  const { definition } = requireClass(machine.program, root.className);
  const found = definition.methods.get(method);
  if (found !== undefined) return found;
  const others = [...definition.methods.keys()].filter((name) => !name.startsWith("_"));
  throw new ConvertError("usage", `the model has no method "${method}"`, {
    hint:
      others.length === 0
        ? "it has none that could be compiled"
        : `choose one with --method: ${others.join(", ")}`,
  });
}

/** A tensor whose dtype is left open has that of the example. */
function completed(wanted: InputValue | undefined, example: InputValue | undefined): InputValue | undefined {
  if (wanted?.kind !== "tensor" || wanted.dtype !== undefined) return wanted ?? example;
  return { ...wanted, dtype: example?.kind === "tensor" ? example.dtype : "F32" };
}

function createBinder(
  machine: Machine,
  inputNames: readonly string[],
): (value: InputValue, name: string) => Value {
  const { builder } = machine;
  const defined = new Map<string, Dimension>();
  let count = 0;

  function bindTensor(value: Extract<InputValue, { kind: "tensor" }>, path: string): Value {
    const name = inputNames[count++] ?? path;
    const fresh: [symbolName: string, axis: number][] = [];
    const shape = value.dims.map((extent, axis) => {
      if (typeof extent === "number") return extent;
      const known = defined.get(extent.symbol);
      if (known !== undefined && hintOf(known) !== extent.hint)
        throw new ConvertError("usage", `"${extent.symbol}" is ${hintOf(known)} and ${extent.hint}`, {
          hint: "one name stands for one extent: give others names of their own",
        });
      if (known !== undefined) return known;
      const own = symbol(extent.symbol, extent.hint, { least: 0, most: Number.POSITIVE_INFINITY });
      defined.set(extent.symbol, own);
      fresh.push([extent.symbol, axis]);
      return own;
    });
    const operand = builder.input(name, value.dtype ?? "F32", shape);
    for (const [symbolName, axis] of fresh) builder.define(symbolName, { operand, axis });
    return tensorOf(operand);
  }

  function bind(value: InputValue, path: string): Value {
    switch (value.kind) {
      case "tensor":
        return bindTensor(value, path);
      case "none":
        return null;
      case "text":
        return value.text;
      case "list":
        return listOf(value.items.map((item, index) => bind(item, `${path}.${index}`)));
      case "tuple":
        return tupleOf(value.items.map((item, index) => bind(item, `${path}.${index}`)));
      case "dict": {
        const entries = new Map<unknown, readonly [Value, Value]>();
        for (const [keyValue, item] of value.entries) {
          const key = bind(keyValue, path);
          entries.set(dictKey(key), [key, bind(item, `${path}.${String(key)}`)]);
        }
        return { kind: "dict", entries };
      }
      default:
        return value.value;
    }
  }
  return bind;
}
