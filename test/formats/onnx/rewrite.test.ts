import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { createContext } from "../../../src/core/context.ts";
import { type ByteSource, bytesSource, readBytes } from "../../../src/core/source.ts";
import { entriesOf } from "../../../src/formats/onnx/entries.ts";
import type { OnnxModel, OnnxNode } from "../../../src/formats/onnx/model.ts";
import { openTensor } from "../../../src/formats/onnx/open-tensor.ts";
import { filesOf } from "../../../src/formats/onnx/read.ts";
import { skimModel } from "../../../src/formats/onnx/skim.ts";
import { inputFolder } from "../../../src/node/input-folder.ts";
import { convert } from "../../../src/node.ts";
import { fixtures, temporaryFolder } from "../../support/files.ts";
import { encodeOnnx } from "../../support/onnx-schema.ts";
import { outcomeOf } from "../../support/outcome.ts";

const exported = ["torch-1.13", "torch-2.13"].flatMap((torch) =>
  ["branches", "conv", "inputs", "mlp"].map((name) => `exports/${torch}/${name}.onnx`),
);

const models = readdirSync(join(fixtures, "onnx/models")).map((name) => `models/${name}`);

const external = readdirSync(join(fixtures, "onnx/external")).map((name) => {
  const file = readdirSync(join(fixtures, "onnx/external", name)).find((file) => file.endsWith(".onnx"));
  return `external/${name}/${file}`;
});

function fixture(file: string): string {
  return join(fixtures, "onnx", file);
}

/** Everything that a model says but where its tensors lie, and the bytes of those. */
async function contentsOf(path: string) {
  const folder = inputFolder(dirname(path));
  const source = (await folder.open(path.slice(dirname(path).length + 1))) as ByteSource;
  const context = createContext();
  const model = await skimModel(source, context);
  const files = filesOf(source, folder, context);
  const tensors = [];
  for (const { key, tensor, sparse } of entriesOf(model)) {
    if (sparse || tensor.dataType === 8) continue;
    const { dtype, shape, payload } = await openTensor(key, tensor, files);
    tensors.push([key, dtype, shape, await readBytes(payload, 0, payload.size)]);
  }
  await folder.close();
  return { tensors, nodes: model.graph.nodes.map(nodeFacts), rest: restOf(model) };
}

function nodeFacts({ name, opType, domain, inputs, outputs, attributes }: OnnxNode) {
  const values = attributes.map(({ name, type, int, ints, float, floats, text }) => {
    return { name, type, int, ints, float, floats, text };
  });
  return { name, opType, domain, inputs, outputs, values };
}

function restOf({ irVersion, producerName, opsets, metadata, graph, functions, trainingGraphs }: OnnxModel) {
  return {
    irVersion,
    producerName,
    opsets,
    metadata: [...metadata],
    inputs: graph.inputs.map(({ name, type }) => [name, type]),
    outputs: graph.outputs.map(({ name, type }) => [name, type]),
    initializers: graph.initializers.map(({ name }) => name),
    functions: functions.map(({ name, nodes }) => [name, nodes.map(nodeFacts)]),
    training: trainingGraphs.map(({ path, initializers }) => [path, initializers.map(({ name }) => name)]),
  };
}

describe("ONNX into ONNX", () => {
  test.each(exported)("moves the weights of %s out, and in again as it was, byte for byte", async (file) => {
    const folder = temporaryFolder();
    const input = fixture(file);
    const out = join(folder, "out/model.onnx");
    await convert(input, out, { externalData: "safetensors" });
    expect(readdirSync(dirname(out))).toEqual(["model.onnx", "model.safetensors"]);
    expect(readFileSync(out).length).toBeLessThan(readFileSync(input).length + 1000);
    const back = join(folder, "back.onnx");
    await convert(out, back);
    expect(readFileSync(back).equals(readFileSync(input))).toBe(true);
  });

  test.each([...models, ...external, ...exported])(
    "keeps all of %s, wherever its weights go",
    async (file) => {
      const wanted = await contentsOf(fixture(file));
      const folder = temporaryFolder();
      for (const [index, externalData] of ["never", "always", "pytorch"].entries()) {
        // PyTorch has no integers of less than a byte.
        if (externalData === "pytorch" && /odd|homes/.test(file)) continue;
        const output = join(folder, String(index), "model.onnx");
        const { notices } = await convert(fixture(file), output, { externalData, verify: true });
        expect(notices).toEqual([]);
        expect(await contentsOf(output), externalData).toEqual(wanted);
      }
    },
  );

  test("gives a model that computes the same", async () => {
    const input = fixture("exports/torch-2.13/conv.onnx");
    const output = join(temporaryFolder(), "model.onnx");
    await convert(input, output, { externalData: "safetensors" });
    const values = Float32Array.from({ length: 48 }, (_, index) => Math.sin(index));
    const run = async (path: string) => {
      const session = await InferenceSession.create(path, { logSeverityLevel: 4 });
      const { output } = await session.run({ input: new Tensor("float32", values, [1, 3, 4, 4]) });
      await session.release();
      return Array.from(output?.data as Float32Array);
    };
    expect(await run(output)).toEqual(await run(input));
  });

  test("keeps fields that nobody knows", async () => {
    const folder = temporaryFolder();
    const weight = { name: "w", dims: [400], data_type: 1, raw_data: new Uint8Array(1600).fill(7) };
    const known = encodeOnnx({ ir_version: 8, graph: { name: "g", initializer: [weight] } });
    // Field 111, with the text "mystery".
    const unknown = Uint8Array.of(0xfa, 0x06, 7, ...Buffer.from("mystery"));
    const input = join(folder, "in.onnx");
    writeFileSync(input, Buffer.concat([known, unknown]));
    await convert(input, join(folder, "out.onnx"), { externalData: "always" });
    const bytes = readFileSync(join(folder, "out.onnx"));
    expect(bytes.subarray(-unknown.length).equals(Buffer.from(unknown))).toBe(true);
    await convert(join(folder, "out.onnx"), join(folder, "back.onnx"));
    expect(readFileSync(join(folder, "back.onnx")).equals(readFileSync(input))).toBe(true);
  });

  test("leaves bytes that two tensors share shared", async () => {
    const folder = temporaryFolder();
    const output = join(folder, "model.onnx");
    const data = new Uint8Array(4096).fill(3);
    mkdirSync(join(folder, "in"));
    const place = ["location", "offset", "length"].map((key, index) => {
      return { key, value: ["w.bin", "0", "4096"][index] as string };
    });
    const tensor = (name: string) => ({
      name,
      dims: [1024],
      data_type: 1,
      external_data: place,
      data_location: 1,
    });
    const model = { ir_version: 8, graph: { name: "g", initializer: [tensor("embed"), tensor("head")] } };
    writeFileSync(join(folder, "in/model.onnx"), encodeOnnx(model));
    writeFileSync(join(folder, "in/w.bin"), data);
    await convert(join(folder, "in/model.onnx"), output, { externalData: "always" });
    expect(readFileSync(join(folder, "model.onnx.data")).equals(Buffer.from(data))).toBe(true);
    const { tensors } = await contentsOf(output);
    expect(tensors.map(([key, , , bytes]) => [key, bytes])).toEqual([
      ["embed", data],
      ["head", data],
    ]);
  });

  test("adds metadata, and replaces what is there", async () => {
    const folder = temporaryFolder();
    const input = fixture("exports/torch-2.13/mlp.onnx");
    const first = join(folder, "first.onnx");
    const second = join(folder, "second.onnx");
    await convert(input, first, { metadata: new Map([["author", "me"]]) });
    await convert(first, second, { metadata: new Map(Object.entries({ author: "you", more: "x" })) });
    const model = await skimModel(bytesSource("second", readFileSync(second)), createContext());
    expect([...model.metadata]).toEqual([
      ["author", "you"],
      ["more", "x"],
    ]);
    expect((await contentsOf(second)).tensors).toEqual((await contentsOf(input)).tensors);
  });

  test("leaves the graph behind where tensors change, and says so", async () => {
    const output = join(temporaryFolder(), "model.onnx");
    const { notices } = await convert(fixture("exports/torch-2.13/mlp.onnx"), output, { exclude: ["*bias"] });
    expect(notices.map(({ code }) => code)).toContain("left-behind");
    const { nodes, tensors } = await contentsOf(output);
    expect(nodes).toEqual([]);
    expect(tensors.length).toBeGreaterThan(0);
  });

  test("writes the weights alone where PyTorch's names are asked for", async () => {
    const output = join(temporaryFolder(), "model.onnx");
    await convert(fixture("exports/torch-1.13/mlp.onnx"), output, { naming: { names: "pytorch" } });
    const { nodes, tensors } = await contentsOf(output);
    expect(nodes).toEqual([]);
    expect(tensors.map(([key]) => key)).toContain("0.weight");
  });

  test("refuses sparse tensors that lie in other files", async () => {
    const folder = temporaryFolder();
    const place = [{ key: "location", value: "w.bin" }];
    const values = { name: "s", dims: [1], data_type: 1, external_data: place, data_location: 1 };
    const indices = { dims: [1], data_type: 7, raw_data: new Uint8Array(8) };
    const graph = { name: "g", sparse_initializer: [{ values, indices, dims: [4] }] };
    writeFileSync(join(folder, "in.onnx"), encodeOnnx({ ir_version: 8, graph }));
    writeFileSync(join(folder, "w.bin"), new Uint8Array(4));
    const { error } = await outcomeOf(() => convert(join(folder, "in.onnx"), join(folder, "out.onnx")));
    expect(error).toMatchObject({ kind: "unsupported", site: { tensor: "s" } });
  });
});
