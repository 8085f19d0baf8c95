import { ConvertError } from "../../core/errors.ts";
import { dtypeOfWord, dtypeWords } from "./dtype-words.ts";
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

/** Reads what a person wrote. Throws kind `usage` for what is no shape, dtype or value. */
export function parseScriptOptions(options: ScriptOptions): ScriptRequest {
  const document = options.document === undefined ? undefined : parseInputsDocument(options.document);
  const positional: InputValue[] = [];
  const own = new Map<string, InputValue>();
  const add = (name: string, value: InputValue): void => {
    if (own.has(name)) throw new ConvertError("usage", `"${name}" is given twice by --input and --arg`);
    own.set(name, value);
  };
  for (const text of options.inputs ?? []) {
    const [name, value] = parseInput(text);
    if (name === undefined) positional.push(value);
    else add(name, value);
  }
  for (const [name, text] of options.args ?? []) add(name, { kind: "text", text });
  return {
    positional: positional.length > 0 ? positional : (document?.positional ?? []),
    named: new Map([...(document?.named ?? []), ...own]),
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
  const dtype = dtypeOfWord(rest.slice(colon + 1));
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
      : `write it like x=1,3,224,224:f32, or ids=N:8,128:i64 where N is dynamic; dtypes are ${dtypeWords}`,
  });
}
