import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { planOutput } from "../../src/convert/plan/plan-output.ts";
import { runPlan } from "../../src/convert/run/run-plan.ts";
import { createContext } from "../../src/core/context.ts";
import type { TensorDict } from "../../src/core/dict.ts";
import { readBytes } from "../../src/core/source.ts";
import { reader } from "../../src/formats/onnx/read.ts";
import { builtinFormats, onnx } from "../../src/index.ts";
import { anyDict } from "../support/arbitrary-dict.ts";
import { readBack } from "../support/doubles.ts";
import { memoryOutput } from "../support/memory.ts";

/** Writes a dict and reads it again, all in memory. */
async function thereAndBack(
  dict: TensorDict,
  layout: { readonly externalData?: "always" | "never" | "safetensors"; readonly maxShardBytes?: number },
): Promise<TensorDict> {
  const output = memoryOutput();
  const context = createContext({ bufferBytes: 65_536 });
  const { plan } = await planOutput(dict, onnx, "model.onnx", { formats: builtinFormats, ...layout });
  await runPlan(plan, output, () => false, context);
  const folder = readBack(output.files);
  const source = await folder.open("model.onnx");
  if (source === undefined) throw new Error("the model was not written");
  const { candidates } = await reader.read(source, folder, context);
  return (candidates[0] as (typeof candidates)[0]).load();
}

async function contentsOf(dict: TensorDict) {
  const tensors: unknown[] = [];
  for (const [name, { dtype, shape, payload }] of dict.tensors)
    tensors.push({ name, dtype, shape, bytes: [...(await readBytes(payload, 0, payload.size))] });
  return { tensors, strings: new Map([...dict.metadata, ...dict.aliases]) };
}

/** ONNX has no tensors without names, and text in UTF-8 alone. */
const writable = anyDict.filter(
  ({ tensors, metadata }) =>
    !tensors.has("") && [...tensors.keys(), ...metadata.keys(), ...metadata.values()].every(isWhole),
);

function isWhole(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

describe("weights as ONNX", () => {
  test.each([
    ["in one file", { externalData: "never" }],
    ["beside it", { externalData: "always" }],
    ["in several files", { externalData: "always", maxShardBytes: 50 }],
    ["in safetensors", { externalData: "safetensors" }],
  ] as const)("%s read back as they were written, in their order", async (_, layout) => {
    await fc.assert(
      fc.asyncProperty(writable, async (dict) => {
        const wanted = await contentsOf(dict);
        expect(await contentsOf(await thereAndBack(dict, layout))).toEqual(wanted);
      }),
    );
  });
});
