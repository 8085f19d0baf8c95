import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type ConvertPathOptions, convert } from "../../src/node.ts";
import { fixtures, temporaryFolder } from "../support/files.ts";
import { tensorsOf } from "../support/plain-tensors.ts";
import { differenceBetween, type PlainTensor, runGraph } from "../support/run-graph.ts";

const folder = join(fixtures, "torchscript", "whole");

async function converted(path: string, options: ConvertPathOptions = {}): Promise<string> {
  const output = join(temporaryFolder(), "model.onnx");
  await convert(path, output, options);
  return output;
}

async function difference(
  model: string,
  known: ReadonlyMap<string, PlainTensor>,
): Promise<string | undefined> {
  const [given] = await runGraph(readFileSync(model), [known.get("in/0") as PlainTensor]);
  return differenceBetween(given as PlainTensor, known.get("out/0") as PlainTensor, {
    relative: 5e-3,
    absolute: 1e-3,
  });
}

describe("a module without any tensor", () => {
  test.each(["plain-traced", "plain-scripted"])("%s becomes a graph without weights", async (name) => {
    const model = await converted(join(folder, `${name}.pt`), {
      script: { inputs: ["x=2,3"] },
      verify: true,
    });
    expect(await difference(model, await tensorsOf(join(folder, `${name}.safetensors`)))).toBe(undefined);
  });

  test("is no checkpoint", async () => {
    const output = join(temporaryFolder(), "model.safetensors");
    await expect(convert(join(folder, "plain-scripted.pt"), output)).rejects.toMatchObject({
      kind: "unsupported",
      message: expect.stringContaining("holds no tensors"),
    });
  });
});

describe("a network in another precision than float32", () => {
  test.each(["half", "double"])("%s gives torch's numbers", async (name) => {
    const model = await converted(join(folder, `${name}.pt`));
    expect(await difference(model, await tensorsOf(join(folder, `${name}.safetensors`)))).toBe(undefined);
  });

  test.each(["half", "bfloat", "double"])("%s keeps the dtypes and bytes of its weights", async (name) => {
    const state = await tensorsOf(join(folder, `${name}.pt`));
    const written = await tensorsOf(await converted(join(folder, `${name}.pt`)));
    const weights = [...written].filter(([own]) => !own.startsWith("/"));
    expect(weights.length).toBe(10);
    for (const [own, tensor] of weights) expect(tensor, own).toEqual(state.get(own));
  });
});

test("a graph with constants among its weights is verified", async () => {
  const model = await converted(join(folder, "half.pt"), { verify: true });
  expect([...(await tensorsOf(model)).keys()].some((name) => name.startsWith("/Constant"))).toBe(true);
});

test("an open extent stays open from input to output", async () => {
  const known = await tensorsOf(join(folder, "double.safetensors"));
  const model = await converted(join(folder, "double.pt"), { script: { inputs: ["x=N:4,3,6,6:f64"] } });
  expect(await difference(model, known)).toBe(undefined);
});

describe("an input whose shape nobody tells", () => {
  const scripted = join(fixtures, "torchscript", "networks", "scripted-2.13.pt");

  test("is proposed by what the program first does with it", async () => {
    await expect(converted(scripted)).rejects.toMatchObject({
      kind: "usage",
      site: { hint: expect.stringContaining("--input x=1,3,224,224") },
    });
  });

  test("is asked for where that tells nothing", async () => {
    await expect(converted(join(folder, "plain-scripted.pt"))).rejects.toMatchObject({
      kind: "usage",
      site: { hint: expect.stringContaining("--input x=…") },
    });
  });
});
