import { isKind, type PickleValue } from "../../containers/pickle/values.ts";
import type { ScriptArchive } from "../../core/script-archive.ts";
import type { InputValue } from "./request.ts";

/** The arguments that a method was traced with, as far as the archive tells: dtypes and shapes of tensors, and plain values. */
export async function exampleInputs(
  archive: ScriptArchive<PickleValue>,
  method: string,
): Promise<readonly InputValue[] | undefined> {
  const examples = await archive.exampleInputs();
  const values = isKind(examples, "dict") ? examples.get(method) : undefined;
  if (!isKind(values, "list") && !isKind(values, "tuple")) return undefined;
  const inputs = (values.items as readonly PickleValue[]).map((value) => inputOf(archive, value));
  return inputs.every((input) => input !== undefined) ? inputs : undefined;
}

function inputOf(archive: ScriptArchive<PickleValue>, value: PickleValue): InputValue | undefined {
  if (value === null) return { kind: "none" };
  if (typeof value === "boolean") return { kind: "bool", value };
  if (typeof value === "number" || typeof value === "bigint") return { kind: "int", value: BigInt(value) };
  if (typeof value === "string") return { kind: "str", value };
  if (isKind(value, "float")) return { kind: "float", value: value.value };
  if (isKind(value, "list") || isKind(value, "tuple")) {
    const items = (value.items as readonly PickleValue[]).map((item) => inputOf(archive, item));
    return items.every((item) => item !== undefined) ? { kind: value.kind, items } : undefined;
  }
  if (isKind(value, "dict")) return dictInput(archive, value.entries());
  const tensor = archive.openTensor(value, "an example input");
  return tensor && { kind: "tensor", dtype: tensor.dtype, dims: tensor.shape };
}

function dictInput(
  archive: ScriptArchive<PickleValue>,
  pairs: Iterable<readonly [PickleValue, PickleValue]>,
): InputValue | undefined {
  const entries: [InputValue, InputValue][] = [];
  for (const [key, value] of pairs) {
    const [first, second] = [inputOf(archive, key), inputOf(archive, value)];
    if (first === undefined || second === undefined) return undefined;
    entries.push([first, second]);
  }
  return { kind: "dict", entries };
}
