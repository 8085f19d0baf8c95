import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { convert } from "../../src/node.ts";
import { fixtures, temporaryFolder } from "../support/files.ts";
import { tensorsOf } from "../support/plain-tensors.ts";
import { differenceBetween, type PlainTensor, runGraph } from "../support/run-graph.ts";

const folder = join(fixtures, "torchscript", "recurrent");
const stems = readdirSync(folder)
  .filter((name) => name.endsWith(".pt"))
  .map((name) => name.slice(0, -".pt".length));

async function converted(stem: string, ...inputs: readonly string[]): Promise<string> {
  const output = join(temporaryFolder(), "model.onnx");
  await convert(join(folder, `${stem}.pt`), output, { script: { inputs } });
  return output;
}

async function compare(model: string, known: ReadonlyMap<string, PlainTensor>): Promise<void> {
  const inputs = [...known].filter(([name]) => name.startsWith("in/")).map(([, tensor]) => tensor);
  const given = await runGraph(readFileSync(model), inputs);
  expect(given.length).toBe(known.size - inputs.length);
  for (const [index, actual] of given.entries()) {
    const wanted = known.get(`out/${index}`) as PlainTensor;
    expect(differenceBetween(actual, wanted, { relative: 1e-4, absolute: 1e-5 }), `output ${index}`).toBe(
      undefined,
    );
  }
}

describe.each(stems)("%s", (stem) => {
  const shapes = stem.startsWith("packed") ? ["x=3,5,3", "lengths=3:i64"] : ["x=3,5,3"];

  test("gives torch's numbers in ONNX Runtime", async () => {
    await compare(await converted(stem, ...shapes), await tensorsOf(join(folder, `${stem}.safetensors`)));
  });

  test("gives them with open batches and times", async () => {
    // Torch 1.13 traces the size of a packed batch as a number.
    const open = stem.startsWith("packed") ? ["x=3,T:9,3", "lengths=3:i64"] : ["x=N:2,T:9,3"];
    await compare(await converted(stem, ...open), await tensorsOf(join(folder, `${stem}.safetensors`)));
  });

  test("keeps the names and bytes of its weights", async () => {
    const state = await tensorsOf(join(folder, `${stem}.pt`));
    const written = await tensorsOf(await converted(stem, ...shapes));
    const weights = [...written].filter(([name]) => !name.startsWith("/"));
    expect(weights.length).toBe(stem.startsWith("packed") ? 8 : state.size);
    for (const [name, tensor] of weights) expect(tensor, name).toEqual(state.get(name));
  });
});

test("an input of other features than the layer has is refused in words", async () => {
  await expect(converted("layers-scripted-2.13", "x=3,5,4")).rejects.toMatchObject({
    message: expect.stringMatching(/must be equal|expected|given/i),
  });
});
