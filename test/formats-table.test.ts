import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { convert, inspect, open } from "../src/node.ts";
import { fixtures, temporaryFolder } from "./support/files.ts";
import { manifest, unusual } from "./support/manifest.ts";

const page = readFileSync(join(fixtures, "..", "docs", "formats.md"), "utf8");

/** The cells of the rows of the table below a heading. */
function tableOf(heading: string): readonly (readonly string[])[] {
  const section = page.split(`\n## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  const rows = section.split("\n").filter((line) => line.startsWith("| "));
  return rows.slice(1).map((line) => line.slice(2, -2).split(" | "));
}

/** Files, by the start of their row, that stand for it: each made by the tool whose format it is, unless a reason is given. */
const files: Readonly<Record<string, readonly string[]>> = {
  "safetensors 0.8": ["safetensors/dtypes.safetensors"],
  "shards with an index": [
    "safetensors/sharded/model.safetensors.index.json",
    "pytorch/more/folders/torch-2.13/bin-shards/pytorch_model.bin.index.json",
  ],
  "PyTorch zip": [
    "pytorch/torch-1.13/plain-dict.pth",
    "pytorch/torch-2.13/plain-dict.pth",
    "pytorch/torch-2.13/deflated.pth",
  ],
  "PyTorch legacy stream": [
    "pytorch/more/legacy/torch-1.13/checkpoint.pth",
    "pytorch/more/legacy/torch-2.13/checkpoint.pth",
  ],
  // No release that wrote this runs any more; torch 1.13 and 2.13 read the file.
  "PyTorch tar": ["pytorch/more/tar/by-hand/dict.pth.tar"],
  "TorchScript archive": [
    "pytorch/more/torchscript/torch-1.13/attention.pt",
    "pytorch/more/torchscript/torch-2.13/attention.pt",
  ],
  "TorchScript for mobile": ["pytorch/more/packages/torch-2.13/flatbuffer-attributes.ptl"],
  "`torch.export` archive": ["pytorch/more/packages/torch-2.13/export-small.pt2"],
  "`torch.package` archive": ["pytorch/more/packages/torch-2.13/package-state-dict.pt"],
  "folder of `torch.distributed.checkpoint`": ["pytorch/more/folders/torch-2.13/distributed/.metadata"],
  // Laid out by hand from weights that are known, as DeepSpeed's sources do it.
  "folder of a DeepSpeed step": [
    "pytorch/more/zero/by-hand/zero-2/mp_rank_00_model_states.pt",
    "pytorch/more/zero/by-hand/zero-3/zero_pp_rank_0_mp_rank_00_model_states.pt",
  ],
  ONNX: ["onnx/models/homes.onnx"],
  "bare pickle": [
    "pytorch/more/pickles/torch-2.13/checkpoint.pkl",
    "pytorch/more/arrays/torch-2.13/zoo-4.pkl",
    "pytorch/more/arrays/by-hand/python-2-2.pkl",
  ],
};

const objects: Readonly<Record<string, readonly string[]>> = {
  "a state dict": ["pytorch/torch-2.13/ordered-dict.pth", "pytorch/torch-2.13/plain-dict.pth"],
  "a checkpoint around": [
    "pytorch/more/training/torch-2.13/full.pth",
    "pytorch/more/training/torch-2.13/lightning.pth",
  ],
  "a whole pickled module": [
    "pytorch/more/modules/torch-2.13/attention.pth",
    "pytorch/more/modules/torch-1.13/data-parallel.pth",
  ],
  "a dict of NumPy arrays": [
    "pytorch/more/arrays/torch-1.13/zoo-2.pkl",
    "pytorch/more/arrays/torch-2.13/saved.pth",
    "pytorch/more/training/torch-2.13/numpy-only.pth",
  ],
  "a list, tuple or deque": [
    "pytorch/more/training/torch-2.13/deque.pth",
    "pytorch/more/training/torch-1.13/deque.pth",
    "pytorch/torch-2.13/state-dict-with-other-values.pth",
  ],
  "anything without tensors": ["pytorch/more/special/torch-2.13/number.pth"],
};

const special = "pytorch/more/special/torch-2.13";
const kinds: Readonly<Record<string, readonly string[]>> = {
  "plain tensors": [
    "pytorch/torch-2.13/parameters.pth",
    "pytorch/torch-2.13/buffers.pth",
    "pytorch/torch-2.13/parameter-with-state.pth",
  ],
  "any strides": ["pytorch/torch-2.13/strided.pth", "pytorch/torch-2.13/transposed.pth"],
  "lazily conjugated": ["pytorch/torch-2.13/conjugate.pth"],
  "empty tensors": ["pytorch/torch-2.13/shapes.pth", "pytorch/torch-2.13/empty-views.pth"],
  "on any device": ["pytorch/torch-2.13/many-kinds.pth"],
  "big-endian": ["pytorch/more/big-endian/torch-2.13/dtypes.pth"],
  "quantized, per tensor": [`${special}/quantized.pth`],
  "sparse:": [`${special}/sparse.pth`, `${special}/sparse-compressed.pth`, `${special}/sparse-batches.pth`],
  "quantized modules": ["pytorch/more/modules/torch-2.13/quantized-static.pth"],
  "`ShardedTensor`": [`${special}/sharded-tensor.pth`],
  "`DTensor`": [`${special}/distributed-tensor.pth`],
  "of a tensor subclass": [`${special}/subclass.pth`, `${special}/buffers.pth`],
  nested: [`${special}/nested-tensor.pth`, `${special}/nested-tensor-jagged.pth`],
  "NumPy arrays and": [
    "pytorch/more/arrays/torch-2.13/dtypes.pkl",
    "pytorch/more/arrays/torch-2.13/layouts-5.pkl",
    "pytorch/more/arrays/torch-2.13/extensions.pkl",
  ],
  "NumPy arrays of": ["objects", "records", "wide", "subclass"].map(
    (name) => `pytorch/more/arrays/torch-2.13/${name}.pkl`,
  ),
  "meta tensors": [`${special}/meta.pth`],
  "`quint4x2`": [`${special}/quantized-narrow.pth`, `${special}/bits.pth`],
};

const known = new Set([...manifest, ...unusual].map(({ file }) => file));

/** The files of the one entry that a row starts with. */
function filesOf(row: readonly string[], table: Readonly<Record<string, readonly string[]>>) {
  const found = Object.keys(table).filter((start) => row[0]?.startsWith(start));
  expect(found, `"${row[0]}" has a fixture`).toHaveLength(1);
  return (table[found[0] as string] as readonly string[]).map((file) => join(fixtures, file));
}

describe.each([
  ["Files", files],
  ["Objects in a PyTorch file", objects],
  ["Kinds of tensors", kinds],
])("the table of %s", (heading, table) => {
  const rows = tableOf(heading);

  test("has a row for each kind that has fixtures, and these are of the manifests", () => {
    expect(rows.length).toBe(Object.keys(table).length);
    for (const file of Object.values(table).flat()) {
      expect(existsSync(join(fixtures, file)), file).toBe(true);
      if (!file.startsWith("onnx/")) expect(known, file).toContain(file);
    }
  });

  test.each(rows.map((row) => [row[0] as string, row] as const))("is right about: %s", async (_, row) => {
    const says = heading === "Files" ? row[2] : row[1];
    for (const file of filesOf(row, table)) {
      if (says?.startsWith("refused")) {
        await expect(read(file), file).rejects.toMatchObject({ kind: "unsupported" });
        continue;
      }
      expect(await read(file), file).toBeGreaterThan(0);
      if (heading === "Files") expect(`\`${(await inspect(file)).container}\``).toBe(row[1]);
    }
  });
});

/** How many tensors are there, all of which can be opened; a checkpoint of several models is asked for the first. */
async function read(file: string): Promise<number> {
  const row = [...manifest, ...unusual].find((one) => join(fixtures, one.file) === file);
  const [select = row?.select] = Object.keys(row?.selections ?? {});
  const model = await open(file, select === undefined ? {} : { select });
  const count = model.dict.tensors.size;
  await model.close();
  return count;
}

test("what the table says is written is written, in the container that it names", async () => {
  const written = tableOf("Files").filter(([, , , says]) => says?.startsWith("yes"));
  const names: Readonly<Record<string, string>> = {
    "`safetensors`": "model.safetensors",
    "`shards`": "shards/",
    "`zip`": "model.pth",
    "`onnx`": "model.onnx",
  };
  expect(written.map(([, container]) => container)).toEqual(Object.keys(names));
  const folder = temporaryFolder();
  for (const [container, name] of Object.entries(names)) {
    const to = join(folder, name);
    const cut = name.endsWith("/") ? { maxShardBytes: 20 } : {};
    await convert(
      join(fixtures, "pytorch/torch-2.13/plain-dict.pth"),
      name.endsWith("/") ? `${to}/` : to,
      cut,
    );
    expect(`\`${(await inspect(to)).container}\``).toBe(container);
  }
});
