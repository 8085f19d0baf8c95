import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { convert, open } from "../../../src/node.ts";
import { command } from "../../support/command.ts";
import { temporaryFolder } from "../../support/files.ts";
import { exportCases } from "../../support/onnx-names.ts";
import { decodeOnnx, encodeOnnx } from "../../support/onnx-schema.ts";

function find(title: string) {
  const found = exportCases.find((row) => row.title === title);
  if (found === undefined) throw new Error(`no fixture ${title}`);
  return found;
}

async function dictOf(path: string): Promise<Map<string, Uint8Array>> {
  const model = await open(path);
  const bytes = new Map<string, Uint8Array>();
  for (const name of model.dict.tensors.keys()) bytes.set(name, await model.read(name));
  await model.close();
  return bytes;
}

function floats(bytes: Uint8Array | undefined): readonly number[] {
  if (bytes === undefined) throw new Error("there is no such tensor");
  return [...new Float32Array(bytes.slice().buffer)];
}

describe("norms that stand for those which went into convolutions", () => {
  const cnn = find("torch-2.13 cnn");

  test("have the names of the reference, and do what is left to do", async () => {
    const out = join(temporaryFolder(), "equivalent.pth");
    const { notices } = await convert(cnn.graph, out, {
      naming: { reference: cnn.other, fused: "equivalent" },
    });
    const [made, reference] = [await dictOf(out), await dictOf(cnn.other)];
    const trained = [...reference.keys()].filter((name) => !name.endsWith("num_batches_tracked"));
    expect([...made.keys()]).toEqual(trained);
    for (const [convolution, norms] of Object.entries(cnn.fused)) {
      expect(made.has(`${convolution}.weight`), convolution).toBe(true);
      for (const norm of norms) {
        expect(new Set(floats(made.get(`${norm}.running_mean`)))).toEqual(new Set([0]));
        expect(new Set(floats(made.get(`${norm}.running_var`)))).toEqual(new Set([1]));
        expect(new Set(floats(made.get(`${norm}.weight`)))).toEqual(
          new Set([Math.fround(Math.sqrt(1.00001))]),
        );
      }
    }
    expect(notices.find(({ code }) => code === "fused")?.message).toContain("norms that do the same");
  });

  test("make the same graph again, byte for byte, when they go back into it", async () => {
    for (const title of ["torch-1.13 cnn", "torch-2.13 cnn"]) {
      const { graph, other } = find(title);
      const folder = temporaryFolder();
      const [between, back] = [join(folder, "equivalent.safetensors"), join(folder, "back.onnx")];
      await convert(graph, between, { naming: { reference: other, fused: "equivalent" } });
      await convert(between, back, { template: graph });
      expect(Buffer.compare(readFileSync(back), readFileSync(graph)), title).toBe(0);
    }
  });

  test("need a reference for their names", async () => {
    const out = join(temporaryFolder(), "equivalent.pth");
    const { exit, err } = await command(["convert", cnn.graph, out, "--fused", "equivalent"]);
    expect(exit).toBe(2);
    expect(err).toContain("--reference");
  });
});

describe("a reference may be", () => {
  // Without a reference its names cannot be told.
  const uncalled = find("torch-2.13 uncalled");

  async function namesWith(reference: string): Promise<readonly string[]> {
    const model = await open(uncalled.graph, { naming: { reference } });
    await model.close();
    return [...model.dict.tensors.keys()];
  }

  const forms: [string, (folder: string) => Promise<string>][] = [
    ["a .pth", async () => uncalled.other],
    [
      "a safetensors file",
      async (folder) => {
        await convert(uncalled.other, join(folder, "model.safetensors"));
        return join(folder, "model.safetensors");
      },
    ],
    [
      "a folder of shards",
      async (folder) => {
        await convert(uncalled.other, `${folder}/`, { maxShardBytes: 400 });
        return folder;
      },
    ],
    [
      "the index of shards",
      async (folder) => {
        await convert(uncalled.other, `${folder}/`, { maxShardBytes: 400 });
        return join(folder, "model.safetensors.index.json");
      },
    ],
    [
      "another graph",
      async (folder) => {
        await convert(uncalled.other, join(folder, "weights.onnx"));
        return join(folder, "weights.onnx");
      },
    ],
  ];

  test.each(forms)("%s", async (_, make) => {
    const names = await namesWith(await make(temporaryFolder()));
    expect([...names].sort()).toEqual(uncalled.tensors.map(({ name }) => name).sort());
  });
});

describe("a template whose weights lie", () => {
  const vit = find("torch-2.13 vit");

  /** The graph with the values of its float tensors as lists of numbers, as proto2 writers of old made them. */
  function withTypedFields(graph: string): Uint8Array {
    const model = decodeOnnx(readFileSync(graph)) as unknown as OnnxObject;
    for (const tensor of model.graph.initializer) {
      if (tensor.data_type !== 1) continue;
      tensor.float_data = floats(Uint8Array.from(tensor.raw_data as Uint8Array));
      delete tensor.raw_data;
    }
    return encodeOnnx(model as unknown as Parameters<typeof encodeOnnx>[0]);
  }

  interface OnnxObject {
    readonly graph: {
      readonly initializer: {
        readonly name: string;
        readonly data_type: number;
        raw_data?: Uint8Array;
        float_data?: readonly number[];
      }[];
    };
  }

  test("in lists of numbers takes others, and keeps all else", async () => {
    const folder = temporaryFolder();
    const [template, out] = [join(folder, "typed.onnx"), join(folder, "out.onnx")];
    writeFileSync(template, withTypedFields(vit.graph));
    await convert(vit.other, out, { template, verify: true });
    expect(await dictOf(out)).toEqual(await dictOf(vit.other));
    const [before, after] = [template, out].map(
      (path) => decodeOnnx(readFileSync(path)) as unknown as OnnxObject,
    ) as [OnnxObject, OnnxObject];
    const bare = ({ graph, ...rest }: OnnxObject) => {
      const tensors = graph.initializer.map(({ raw_data, float_data, ...tensor }) => tensor);
      return JSON.stringify({ ...rest, graph: { ...graph, initializer: tensors } });
    };
    expect(bare(after)).toBe(bare(before));
  });

  test("in another file that was moved with it takes others, too", async () => {
    const folder = temporaryFolder();
    const template = join(folder, "template.onnx");
    await convert(vit.graph, template, { externalData: "always" });
    const out = join(temporaryFolder(), "out.onnx");
    await convert(vit.other, out, { template, verify: true });
    expect(await dictOf(out)).toEqual(await dictOf(vit.other));
  });

  test("in another shape names the weight, on the command line", async () => {
    const mlp = find("torch-2.13 mlp");
    const wide = join(temporaryFolder(), "wide.pth");
    await convert(find("torch-2.13 projections").other, wide, {
      map: new Map([["query.weight", "0.weight"]]),
    });
    const { exit, err } = await command(["convert", wide, `${wide}.onnx`, "--template", mlp.graph]);
    expect({ exit, err }).toEqual({
      exit: 5,
      err: expect.stringContaining('"0.weight" is [6, 6], but the graph'),
    });
  });
});
