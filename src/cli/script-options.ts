import { readFile } from "node:fs/promises";
import type { ConvertOptions } from "../convert/conversion.ts";
import { ConvertError } from "../core/errors.ts";
import { parsePairs } from "./options.ts";

/** The options that tell for which inputs a TorchScript program is compiled. */
export interface ScriptFlags {
  readonly input?: readonly string[];
  readonly inputs?: string;
  readonly arg?: readonly string[];
  readonly method?: string;
  readonly opset?: string;
}

/** What the options come to, `undefined` without any of them. Throws kind `usage` and `io`. */
export async function parseScript(flags: ScriptFlags): Promise<ConvertOptions["script"]> {
  const { input, inputs, arg, method, opset } = flags;
  if ([input, inputs, arg, method, opset].every((flag) => flag === undefined)) return undefined;
  return {
    inputs: input,
    document: inputs === undefined ? undefined : await readDocument(inputs),
    args: parsePairs(arg, "--arg"),
    method,
    opset: parseOpset(opset),
  };
}

async function readDocument(file: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new ConvertError("io", "the file of --inputs cannot be read", { file, cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ConvertError("usage", "the file of --inputs is no JSON", { file, cause });
  }
}

function parseOpset(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,3}$/.test(text)) return Number(text);
  throw new ConvertError("usage", `--opset takes a number, not "${text}"`);
}
