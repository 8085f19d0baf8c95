import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { open } from "../../src/node.ts";
import { fixtures } from "../support/files.ts";
import {
  compiled,
  differenceBetween,
  inputOption,
  openProgram,
  type PlainTensor,
  runGraph,
} from "../support/run-graph.ts";

/** Where the networks lie: those that are committed, or many more that scripts/fixtures/torchscript_transformers.py has made. */
const folder = process.env["TORCHSCRIPT_TRANSFORMERS"] ?? join(fixtures, "torchscript", "transformers");
/** What has no rule yet, of networks that only the large suite makes. */
const refusals: Readonly<Record<string, string>> = {
  fnet: "fft_fftn",
  longformer: "as_strided",
  mixtral: "histc",
  vitmae: "rand",
};
const all = readdirSync(folder).filter((name) => name.endsWith(".pt"));
const programs = all.filter((name) => refusalOf(name) === undefined);

/** The operator that stands against a network. */
function refusalOf(program: string): string | undefined {
  return refusals[program.split("-")[0] as string];
}

/** What a network was given, and what torch made of it. */
async function exampleOf(program: string): Promise<{
  readonly inputs: readonly PlainTensor[];
  readonly outputs: readonly PlainTensor[];
}> {
  const model = await open(join(folder, program.replace(/-(traced|scripted)\.pt$/, ".safetensors")));
  const sides: Record<"in" | "out", PlainTensor[]> = { in: [], out: [] };
  for (const [path, { dtype, shape }] of model.dict.tensors)
    sides[path.split("/")[0] as "in" | "out"].push({ dtype, shape, bytes: await model.read(path) });
  await model.close();
  return { inputs: sides.in, outputs: sides.out };
}

function difference(actual: PlainTensor | undefined, wanted: PlainTensor): string | undefined {
  if (actual === undefined) return "it is missing";
  return differenceBetween(actual, wanted, { relative: 1e-4, absolute: 1e-5 });
}

describe.each(programs)("%s", (program) => {
  test("gives torch's numbers in ONNX Runtime", async () => {
    const { inputs, outputs } = await exampleOf(program);
    const archive = await openProgram(join(folder, program));
    const given = await runGraph(await compiled(archive, { inputs: inputs.map(inputOption) }), inputs);
    expect(given.length).toBe(outputs.length);
    for (const [index, wanted] of outputs.entries())
      expect(difference(given[index], wanted), `output ${index}`).toBe(undefined);
  });
});

/** The first of each batch. */
function firstOf({ dtype, shape, bytes }: PlainTensor): PlainTensor {
  return { dtype, shape: [1, ...shape.slice(1)], bytes: bytes.slice(0, bytes.length / (shape[0] as number)) };
}

function openBatch(tensor: PlainTensor): string {
  return inputOption(tensor).replace(/^\d+/, "N:$&");
}

const inBatches = programs.filter((name) => /^(gpt2|llama|t5|transformer_batch_first|vit)\w*-/.test(name));

describe.each(inBatches)("%s with an open batch", (program) => {
  test("takes another number of samples", async () => {
    const { inputs, outputs } = await exampleOf(program);
    const archive = await openProgram(join(folder, program));
    const model = await compiled(archive, { inputs: inputs.map(openBatch) });
    const whole = await runGraph(model, inputs);
    const one = await runGraph(model, inputs.map(firstOf));
    for (const [index, wanted] of outputs.entries()) {
      expect(difference(whole[index], wanted), `output ${index}`).toBe(undefined);
      expect(difference(one[index], firstOf(wanted)), `output ${index} of one`).toBe(undefined);
    }
  });
});

const refused = all.filter((name) => refusalOf(name) !== undefined);

test.runIf(refused.length > 0).each(refused)("%s is refused by the name of its operator", async (program) => {
  const { inputs } = await exampleOf(program);
  const archive = await openProgram(join(folder, program));
  const attempt = compiled(archive, { inputs: inputs.map(inputOption) });
  await expect(attempt).rejects.toThrow(refusalOf(program) as string);
});
