import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { encodeUtf8 } from "../bytes/utf8.ts";
import type { ModelInput } from "../convert/open/open.ts";
import type { ModelOutput } from "../convert/plan/plan-output.ts";
import type { TensorDict } from "../core/dict.ts";
import { elementCount } from "../core/dtype.ts";
import { type OutputPlan, type PlannedFile, plannedFile } from "../core/plan.ts";
import { readBytes } from "../core/source.ts";
import { formatBytes } from "../core/words.ts";
import { gitAttributes } from "../hub/attributes.ts";
import { modelCard } from "../hub/model-card.ts";

/** What goes into an output folder beside the weights. */
export interface BesideOptions {
  /** Copy the input folder's other files, such as configuration and tokenizer; by default they are, from a folder to another. */
  readonly carry?: boolean | undefined;
  /** Add what a repository of the Hub has, where it is missing: a model card and `.gitattributes`. */
  readonly hub?: boolean | undefined;
}

/** Weights in any form, their indexes, and what training leaves: none of it describes the weights that are written. */
const weights =
  /\.(safetensors|bin|pth|pt|ckpt|h5|msgpack|onnx|onnx_data|ot|gguf|tflite|pb|npz|distcp|pkl|joblib)$|\.index(\.[\w-]+)?\.json$|^SHA256SUMS$|^events\.out\.|^trainer_state\.json$/;

/** Largest configuration that is looked into, in bytes. */
const configBytes = 4_000_000;

/** An output that gets such files, from the folder of the first input; one that is a single file, or asks for none, stays as it is. */
export function withBeside(
  output: ModelOutput,
  inputs: readonly ModelInput[],
  from: readonly string[],
  to: string,
  { carry = true, hub = false }: BesideOptions,
): ModelOutput {
  const [input] = inputs;
  if (input === undefined || output.name !== undefined || from.some((path) => resolve(path) === resolve(to)))
    return output;
  return {
    ...output,
    async beside(plan, dict) {
      const carried = carry ? await carriedFiles(input) : [];
      const isMissing = ({ name }: PlannedFile): boolean =>
        !carried.some((file) => file.name === name) && !existsSync(join(to, name));
      const made = hub ? (await hubFiles(input, plan, dict)).filter(isMissing) : [];
      return [...carried, ...made];
    },
  };
}

async function carriedFiles({ folder, siblings = [] }: ModelInput): Promise<readonly PlannedFile[]> {
  const files: PlannedFile[] = [];
  for (const name of siblings) {
    if (weights.test(name) || (name.startsWith(".") && name !== ".gitattributes")) continue;
    const source = await folder.open(name);
    if (source) files.push(plannedFile(name, [{ kind: "payload", tensor: name, source }], 0));
  }
  return files;
}

async function hubFiles(
  input: ModelInput,
  plan: OutputPlan,
  dict: TensorDict,
): Promise<readonly PlannedFile[]> {
  const dtypes = new Map<string, number>();
  let parameters = 0;
  for (const [tensor, { dtype, shape }] of dict.tensors) {
    const count = elementCount(shape, { tensor });
    parameters += count;
    dtypes.set(dtype, (dtypes.get(dtype) ?? 0) + count);
  }
  const card = modelCard({
    config: await readJson(input, "config.json"),
    adapter: await readJson(input, "adapter_config.json"),
    parameters,
    dtypes,
    files: plan.files.map(({ name, size }) => ({ name, size: formatBytes(size) })),
  });
  return [textFile("README.md", card), textFile(".gitattributes", gitAttributes())];
}

function textFile(name: string, text: string): PlannedFile {
  return plannedFile(name, [{ kind: "bytes", bytes: encodeUtf8(text) }], 0);
}

/** A file beside the model, read for what it may say; `undefined` where it is missing or says nothing. */
async function readJson({ folder, siblings = [] }: ModelInput, name: string): Promise<unknown> {
  const source = siblings.includes(name) ? await folder.open(name) : undefined;
  if (source === undefined || source.size > configBytes) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(await readBytes(source, 0, source.size)));
  } catch {
    return undefined;
  }
}
