import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { isConvertError } from "../../src/core/errors.ts";
import { convert } from "../../src/node.ts";
import { fixtures, temporaryFolder } from "../support/files.ts";
import { tensorsOf } from "../support/plain-tensors.ts";
import { type PlainTensor, runGraph } from "../support/run-graph.ts";

const folder = join(fixtures, "torchscript", "quantized");
const stems = readdirSync(folder)
  .filter((name) => name.endsWith(".pt"))
  .map((name) => name.slice(0, -".pt".length));
const networks = stems.filter((stem) => stem.startsWith("network"));

async function converted(stem: string): Promise<string> {
  const output = join(temporaryFolder(), "model.onnx");
  await convert(join(folder, `${stem}.pt`), output, { script: { inputs: ["x=2,3,8,8"] } });
  return output;
}

function floatsOf({ bytes }: PlainTensor): readonly number[] {
  return [...new Float32Array(bytes.slice().buffer as ArrayBuffer)];
}

/** The smallest distance between two numbers: a multiple of the step of a quantized output. */
function stepOf(values: readonly number[]): number {
  const sorted = [...new Set(values)].sort((a, b) => a - b);
  return Math.min(...sorted.slice(1).map((value, index) => value - (sorted[index] as number)));
}

describe.each(networks)("%s", (stem) => {
  test("gives torch's numbers within a step of its output", async () => {
    const known = await tensorsOf(join(folder, `${stem}.safetensors`));
    const [given] = await runGraph(readFileSync(await converted(stem)), [known.get("in/0") as PlainTensor]);
    const wanted = floatsOf(known.get("out/0") as PlainTensor);
    const step = stepOf(wanted);
    const distances = floatsOf(given as PlainTensor).map((value, index) =>
      Math.abs(value - (wanted[index] as number)),
    );
    expect(distances.length).toBe(10);
    expect(Math.max(...distances)).toBeLessThan(step * 1.01);
  });

  test("has its weights as integers, with their bytes", async () => {
    const weights = [...(await tensorsOf(await converted(stem)))].filter(([name]) => !name.startsWith("/"));
    expect(weights.map(([, { dtype }]) => dtype).sort()).toEqual(["F32", "F32", "F32", "I8", "I8", "I8"]);
    if (stem.includes("frozen")) return;
    const state = await tensorsOf(join(folder, `${stem}.pt`));
    for (const [name, tensor] of weights) expect(tensor, name).toEqual(state.get(name));
  });
});

test.each(stems.filter((stem) => stem.startsWith("output")))(
  "%s, which returns a quantized tensor, is refused with a sentence",
  async (stem) => {
    await expect(converted(stem)).rejects.toSatisfy(
      (error) =>
        isConvertError(error, "unsupported") && error.message.includes('"output" is a quantized tensor'),
    );
  },
);
