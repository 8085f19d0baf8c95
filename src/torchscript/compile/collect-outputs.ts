import { ConvertError } from "../../core/errors.ts";
import { constant, type Operand } from "../emit/operand.ts";
import { isQuantized } from "../emit/quantized.ts";
import { requireClear } from "../evaluate/call-operator.ts";
import type { Machine } from "../evaluate/machine.ts";
import { isSymbolic } from "../shapes/dimension.ts";
import { scalarType } from "../values/promotion.ts";
import { read } from "../values/tensor.ts";
import { describe, isA, type Value } from "../values/value.ts";

/** How many tensors a program may return. */
const maxOutputs = 65_536;

/**
 * The tensors that a program returns, with their names: `output`, or within a tuple or list `output_0`, `output_1` …,
 * within a dict its keys, within a NamedTuple its fields. None is left out; numbers become 0-d tensors.
 */
export function collectOutputs(machine: Machine, result: Value): readonly (readonly [string, Operand])[] {
  const outputs: [string, Operand][] = [];
  const names = new Set<string>();

  function addOutput(name: string, operand: Operand): void {
    // An empty name means "left out" to ONNX.
    const wanted = name === "" ? "output" : name;
    let free = wanted;
    for (let number = 2; names.has(free) || machine.builder.isTaken(free); number++)
      free = `${wanted}_${number}`;
    names.add(free);
    if (names.size > maxOutputs)
      throw new ConvertError("limit", `the program returns more than ${maxOutputs} tensors`);
    if (isQuantized(operand))
      throw new ConvertError(
        "unsupported",
        `"${free}" is a quantized tensor, which no output of a graph can be`,
        {
          hint: "let the model dequantize what it returns, or return its int_repr()",
        },
      );
    outputs.push([free, requireClear(operand)]);
  }

  function add(value: Value, name: string): void {
    if (value === null) return;
    if (isA(value, "tensor")) addOutput(name, read(value));
    else if (isA(value, "tuple") || isA(value, "list")) {
      const fields = isA(value, "tuple") ? value.fields : undefined;
      for (const [index, item] of value.items.entries()) add(item, innerName(name, fields?.[index] ?? index));
    } else if (isA(value, "dict")) {
      for (const [key, item] of value.entries.values()) add(item, innerName(name, String(key)));
    } else addOutput(name, numberOutput(value));
  }

  add(result, "output");
  if (outputs.length === 0) throw new ConvertError("unsupported", "the program returns no tensor");
  return outputs;
}

function innerName(name: string, key: string | number): string {
  if (typeof key === "number") return `${name}_${key}`;
  return name === "output" ? key : `${name}.${key}`;
}

function numberOutput(value: Value): Operand {
  if (isSymbolic(value)) return constant("I64", [], [value]);
  if (typeof value === "bigint" || typeof value === "number" || typeof value === "boolean")
    return constant(scalarType(value), [], [Number(value)]);
  throw new ConvertError("unsupported", `the program returns ${describe(value)}, which no graph can give`);
}
