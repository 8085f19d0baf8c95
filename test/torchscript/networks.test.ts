import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { convert } from "../../src/node.ts";
import { fixtures, temporaryFolder } from "../support/files.ts";
import { tensorsOf } from "../support/plain-tensors.ts";
import { differenceBetween, type PlainTensor, runGraph } from "../support/run-graph.ts";

const folder = join(fixtures, "torchscript", "networks");
const stems = readdirSync(folder)
  .filter((name) => name.endsWith(".pt"))
  .map((name) => name.slice(0, -".pt".length));
const shape = "x=2,3,9,11:f32";

async function converted(stem: string, inputs?: readonly string[]): Promise<string> {
  const output = join(temporaryFolder(), "model.onnx");
  await convert(join(folder, `${stem}.pt`), output, { script: inputs && { inputs } });
  return output;
}

function difference(actual: PlainTensor | undefined, wanted: PlainTensor | undefined): string | undefined {
  if (actual === undefined || wanted === undefined) return "one of them is missing";
  return differenceBetween(actual, wanted, { relative: 1e-4, absolute: 1e-5 });
}

describe.each(stems)("%s", (stem) => {
  test("gives torch's numbers in ONNX Runtime", async () => {
    const known = await tensorsOf(join(folder, `${stem}.safetensors`));
    const output = await converted(stem, [shape]);
    const given = await runGraph(readFileSync(output), [known.get("in/0") as PlainTensor]);
    expect(given.length).toBe(2);
    for (const [index, actual] of given.entries())
      expect(difference(actual, known.get(`out/${index}`)), `output ${index}`).toBe(undefined);
  });

  test("keeps the names and bytes of its weights", async () => {
    const state = await tensorsOf(join(folder, `${stem}.pt`));
    const written = await tensorsOf(await converted(stem, [shape]));
    const weights = [...written].filter(([name]) => !name.startsWith("/"));
    expect(weights.length).toBeGreaterThan(4);
    for (const [name, tensor] of weights) expect(tensor, name).toEqual(state.get(name));
  });
});

test("a batch of any size goes through a graph with an open extent", async () => {
  const known = await tensorsOf(join(folder, "scripted-2.13.safetensors"));
  const { dtype, bytes } = known.get("in/0") as PlainTensor;
  const model = readFileSync(await converted("scripted-2.13", ["x=N:2,3,9,11"]));
  const [first] = await runGraph(model, [
    { dtype, shape: [1, 3, 9, 11], bytes: bytes.slice(0, bytes.length / 2) },
  ]);
  const wanted = known.get("out/0") as PlainTensor;
  const half = { ...wanted, shape: [1, 4], bytes: wanted.bytes.slice(0, wanted.bytes.length / 2) };
  expect(difference(first, half)).toBe(undefined);
});

test("an archive traced by torch 2 tells the shapes of its inputs itself", async () => {
  const known = await tensorsOf(join(folder, "traced-2.13.safetensors"));
  const given = await runGraph(readFileSync(await converted("traced-2.13")), [
    known.get("in/0") as PlainTensor,
  ]);
  expect(difference(given[0], known.get("out/0"))).toBe(undefined);
});

test("an input that nobody describes is asked for", async () => {
  await expect(converted("scripted-2.13")).rejects.toMatchObject({ kind: "usage" });
});

test("a name that stands for two extents is refused", async () => {
  await expect(converted("scripted-2.13", ["x=N:2,N:3,9,11"])).rejects.toThrow('"N" is 2 and 3');
});
