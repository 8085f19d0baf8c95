import { ConvertError } from "../../core/errors.ts";
import { dtypeOfWord } from "./dtype-words.ts";
import type { InputExtent, InputValue, ScriptRequest } from "./request.ts";

type Json = Readonly<Record<string, unknown>>;

/** How deep values of the document may nest. */
const maxDepth = 64;

/**
 * Reads `{"args": [VALUE…], "kwargs": {name: VALUE}, "dynamic_axes": {…} | null, "input_names": […] | null}`; other keys
 * are passed over. Throws kind `usage` with the place of what is not understood.
 */
export function parseInputsDocument(document: unknown): ScriptRequest {
  const { args, kwargs, dynamic_axes: axes, input_names: names } = recordOf(document, "the document");
  const inputNames = names === undefined || names === null ? undefined : stringsOf(names, "input_names");
  const dynamic = axes === undefined || axes === null ? {} : recordOf(axes, "dynamic_axes");
  const positional =
    args === undefined
      ? []
      : arrayOf(args, "args").map((value, index) => inputOf(value, `args[${index}]`, 0));
  const entries = kwargs === undefined ? [] : Object.entries(recordOf(kwargs, "kwargs"));
  const named = entries.map(([name, value]): [string, InputValue] => {
    const own = inputOf(value, `kwargs.${name}`, 0);
    return [name, withDynamicAxes(own, dynamic[name], name)];
  });
  return {
    positional: positional.map((value, index) =>
      withDynamicAxes(value, dynamic[inputNames?.[index] ?? ""], `args[${index}]`),
    ),
    named: new Map(named),
    inputNames,
  };
}

/** `{"0": "batch"}`, or `[0, 2]`, as `torch.onnx.export` takes it; the extents at hand are the examples. */
function withDynamicAxes(value: InputValue, axes: unknown, place: string): InputValue {
  if (axes === undefined || value.kind !== "tensor") return value;
  const pairs: readonly (readonly [number, string])[] = Array.isArray(axes)
    ? axes.map((axis: unknown) => [Number(axis), symbolName(`${place}_dim_${String(axis)}`)] as const)
    : Object.entries(recordOf(axes, `dynamic_axes of ${place}`)).map(
        ([axis, name]) => [Number(axis), symbolName(String(name))] as const,
      );
  const dims = [...value.dims];
  for (const [axis, name] of pairs) {
    const at = axis < 0 ? axis + dims.length : axis;
    const hint = dims[at];
    if (typeof hint !== "number")
      return fail(`dynamic_axes of ${place} names dimension ${axis}, which is not there`);
    dims[at] = { symbol: name, hint } satisfies InputExtent;
  }
  return { ...value, dims };
}

function symbolName(text: string): string {
  return text.replace(/\W/g, "_");
}

function inputOf(value: unknown, place: string, depth: number): InputValue {
  if (depth > maxDepth) return fail(`${place} nests too deep`);
  const record = recordOf(value, place);
  if ("shape" in record || "dtype" in record) return tensorOf(record, place);
  const inner = (items: unknown): readonly InputValue[] =>
    arrayOf(items, place).map((item, index) => inputOf(item, `${place}[${index}]`, depth + 1));
  if (Number.isSafeInteger(record["int"])) return { kind: "int", value: BigInt(record["int"] as number) };
  if (typeof record["float"] === "number") return { kind: "float", value: record["float"] };
  if (typeof record["bool"] === "boolean") return { kind: "bool", value: record["bool"] };
  if (typeof record["str"] === "string") return { kind: "str", value: record["str"] };
  if (record["none"] === true) return { kind: "none" };
  if ("list" in record) return { kind: "list", items: inner(record["list"]) };
  if ("tuple" in record) return { kind: "tuple", items: inner(record["tuple"]) };
  if ("dict" in record) {
    const entries = arrayOf(record["dict"], place).map((pair, index): [InputValue, InputValue] => {
      const [key, item] = arrayOf(pair, `${place}[${index}]`);
      return [keyOf(key, place, depth), inputOf(item, `${place}[${index}]`, depth + 1)];
    });
    return { kind: "dict", entries };
  }
  return fail(`${place} is no value: ${JSON.stringify(value).slice(0, 80)}`);
}

function keyOf(key: unknown, place: string, depth: number): InputValue {
  return typeof key === "string" ? { kind: "str", value: key } : inputOf(key, place, depth + 1);
}

function tensorOf({ dtype, shape }: Json, place: string): InputValue {
  const own = typeof dtype === "string" ? dtypeOfWord(dtype) : undefined;
  if (own === undefined) return fail(`${place} has the dtype ${JSON.stringify(dtype)}, which is not known`);
  const dims = arrayOf(shape, `${place}.shape`).map((extent) => {
    if (Number.isSafeInteger(extent) && (extent as number) >= 0) return extent as number;
    return fail(`${place}.shape has ${JSON.stringify(extent)}, which is no extent`);
  });
  return { kind: "tensor", dtype: own, dims };
}

function recordOf(value: unknown, place: string): Json {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Json;
  return fail(`${place} is no object`);
}

function arrayOf(value: unknown, place: string): readonly unknown[] {
  return Array.isArray(value) ? value : fail(`${place} is no array`);
}

function stringsOf(value: unknown, place: string): readonly string[] {
  return arrayOf(value, place).map((item) =>
    typeof item === "string" ? item : fail(`${place} holds no strings`),
  );
}

function fail(message: string): never {
  throw new ConvertError("usage", `--inputs: ${message}`, {
    hint: 'it looks like {"args": [{"dtype": "float32", "shape": [1, 3, 224, 224]}]}',
  });
}
