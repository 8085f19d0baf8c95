import type { DType } from "../../core/dtype.ts";
import { ConvertError } from "../../core/errors.ts";
import { parseInputsDocument } from "./inputs-document.ts";
import type { InputExtent, InputValue, ScriptRequest } from "./request.ts";

/** What a program is to be compiled for, as a person writes it. */
export interface ScriptOptions {
  /** `x=1,3,224,224:f32`, or by position without the name; an extent `N:8` is dynamic, with 8 as an example. */
  readonly inputs?: readonly string[] | undefined;
  /** The same as the parsed JSON of `--inputs` (docs/torchscript.md); positions and names of `inputs` go before it. */
  readonly document?: unknown;
  /** Values of parameters that are no tensors, by name: `3`, `0.5`, `true`, `none`, or a string. */
  readonly args?: ReadonlyMap<string, string> | undefined;
  /** Another method than `forward`. */
  readonly method?: string | undefined;
  /** Version of ONNX's operators; 18 by default. */
  readonly opset?: number | undefined;
}

const dtypes: ReadonlyMap<string, DType> = new Map<string, DType>([
  ["f64", "F64"],
  ["f32", "F32"],
  ["f16", "F16"],
  ["bf16", "BF16"],
  ["i64", "I64"],
  ["i32", "I32"],
  ["i16", "I16"],
  ["i8", "I8"],
  ["u8", "U8"],
  ["bool", "BOOL"],
]);

/** Reads what a person wrote. Throws kind `usage` for what is no shape, dtype or value. */
export function parseScriptOptions(options: ScriptOptions): ScriptRequest {
  const document = options.document === undefined ? undefined : parseInputsDocument(options.document);
  const positional: InputValue[] = [];
  const named = new Map<string, InputValue>(document?.named);
  for (const text of options.inputs ?? []) {
    const [name, value] = parseInput(text);
    if (name === undefined) positional.push(value);
    else named.set(name, value);
  }
  for (const [name, text] of options.args ?? []) named.set(name, parseArgument(text));
  return {
    positional: positional.length > 0 ? positional : (document?.positional ?? []),
    named,
    inputNames: document?.inputNames,
    method: options.method,
    opset: options.opset,
  };
}

/** `NAME=DIMS[:DTYPE]`; the last part after a colon is a dtype where it is one, and no example of a dynamic extent. */
function parseInput(text: string): readonly [string | undefined, InputValue] {
  const equals = text.indexOf("=");
  const name = equals < 0 ? undefined : text.slice(0, equals);
  const rest = text.slice(equals + 1);
  const colon = rest.lastIndexOf(":");
  const dtype = dtypes.get(rest.slice(colon + 1).toLowerCase());
  const hasDType = colon >= 0 && dtype !== undefined;
  const dims = hasDType ? rest.slice(0, colon) : rest;
  const parts = dims === "" ? [] : dims.split(",");
  const value = {
    kind: "tensor",
    dtype: hasDType ? dtype : undefined,
    dims: parts.map((part) => parseExtent(part, text)),
  } as const;
  return [name, value];
}

function parseExtent(part: string, text: string): InputExtent {
  if (/^\d{1,15}$/.test(part)) return Number(part);
  const dynamic = /^([A-Za-z_]\w*):(\d{1,15})$/.exec(part);
  if (dynamic !== null) return { symbol: dynamic[1] as string, hint: Number(dynamic[2]) };
  const isName = /^[A-Za-z_]\w*$/.test(part);
  throw new ConvertError("usage", `"${part}" in --input ${text} is no extent`, {
    hint: isName
      ? `give a dynamic extent an example: ${part}:8`
      : "write it like x=1,3,224,224:f32, or ids=N:8,128:i64 where N is dynamic",
  });
}

/** Python's spelling of a value; what is none of them is a string. */
function parseArgument(text: string): InputValue {
  if (/^[+-]?\d+$/.test(text)) return { kind: "int", value: BigInt(text) };
  if (/^(true|false)$/i.test(text)) return { kind: "bool", value: /^true$/i.test(text) };
  if (/^none$/i.test(text)) return { kind: "none" };
  const value = Number(text);
  if (text !== "" && !Number.isNaN(value)) return { kind: "float", value };
  return { kind: "str", value: text.replace(/^(["'])(.*)\1$/, "$2") };
}
