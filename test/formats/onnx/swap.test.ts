import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type ConvertPathOptions, convert, open } from "../../../src/node.ts";
import { sha256, temporaryFolder } from "../../support/files.ts";
import { exportCases } from "../../support/onnx-names.ts";

/** Parametrized weights, which the graph holds as products; its bias-free layers could be anything. */
const cannot = new Set(["normed"]);
const swappable = exportCases.filter((row) => !cannot.has(row.case));

function epsilonOf(name: string): number {
  return name === "mobile" ? 1e-3 : 1e-5;
}

describe("other weights in a graph", () => {
  test.each(swappable.map((row) => [row.title, row] as const))(
    "%s: byte for byte the graph that torch exports with them",
    async (_, row) => {
      const out = join(temporaryFolder(), "out.onnx");
      await convert(row.other, out, {
        template: row.graph,
        naming: { normEpsilon: epsilonOf(row.case) },
        verify: true,
        bufferBytes: 4096,
      });
      expect(sha256(readFileSync(out))).toBe(row.otherSha256);
    },
  );
});

function find(title: string) {
  const found = exportCases.find((row) => row.title === title);
  if (found === undefined) throw new Error(`no fixture ${title}`);
  return found;
}

/** What comes of putting changed weights into a graph. */
function swap(row: { readonly graph: string; readonly other: string }, options: ConvertPathOptions) {
  return convert(row.other, join(temporaryFolder(), "out.onnx"), { template: row.graph, ...options });
}

describe("weights that do not fit a graph are refused by name", () => {
  const cnn = find("torch-2.13 cnn");
  const mlp = find("torch-2.13 mlp");

  test("one that is missing", async () => {
    const attempt = swap(cnn, { exclude: ["fc.weight"] });
    await expect(attempt).rejects.toMatchObject({
      kind: "lossy",
      message: 'the graph needs "fc.weight", which is not among the weights',
    });
  });

  test("a norm whose statistics are missing", async () => {
    const attempt = swap(cnn, { exclude: ["layer1.0.bn2.running_var"] });
    await expect(attempt).rejects.toMatchObject({ kind: "lossy" });
  });

  test("one that the graph has no place for", async () => {
    const both = [mlp.other, find("torch-2.13 projections").other];
    const attempt = convert(both, join(temporaryFolder(), "out.onnx"), { template: mlp.graph });
    await expect(attempt).rejects.toMatchObject({
      kind: "lossy",
      message: expect.stringMatching(/^the graph has no place for "query\.weight", which is among/),
    });
  });

  test("one of another shape", async () => {
    const weights = { ...mlp, other: find("torch-2.13 projections").other };
    const attempt = swap(weights, { map: new Map([["query.weight", "0.weight"]]) });
    await expect(attempt).rejects.toMatchObject({
      kind: "unsupported",
      message: '"0.weight" is [6, 6], but the graph has [7, 5]',
    });
  });

  test("one of another dtype", async () => {
    const attempt = swap(mlp, { dtype: ["f16"] });
    await expect(attempt).rejects.toMatchObject({
      kind: "unsupported",
      message: '"0.weight" is F16, but the graph has F32',
    });
  });

  test("products that nobody can repeat", async () => {
    const attempt = swap(find("torch-1.13 normed"), {});
    await expect(attempt).rejects.toMatchObject({ kind: "lossy" });
  });
});

test("a swap of some weights says which others stay", async () => {
  const cnn = find("torch-2.13 cnn");
  const out = join(temporaryFolder(), "out.onnx");
  const { notices } = await convert(cnn.other, out, {
    template: cnn.graph,
    exclude: ["fc.weight"],
    allow: ["partial-swap"],
  });
  expect(notices.map(({ code, tensor }) => [code, tensor])).toEqual([["kept-from-template", "fc.weight"]]);
  const [written, template] = [await open(out), await open(cnn.graph)];
  expect(await written.read("fc.weight")).toEqual(await template.read("fc.weight"));
  expect(await written.read("fc.bias")).not.toEqual(await template.read("fc.bias"));
  for (const model of [written, template]) await model.close();
});

test("tensors that were equal become two where they differ now", async () => {
  const shared = find("torch-2.13 shared");
  const out = join(temporaryFolder(), "out.onnx");
  const exchanged = new Map([
    ["again.bias", "second.weight"],
    ["second.weight", "again.bias"],
  ]);
  await convert(shared.other, out, { template: shared.graph, map: exchanged, verify: true });
  const [written, given] = [await open(out), await open(shared.other)];
  expect(await written.read("second.weight")).toEqual(await given.read("again.bias"));
  expect(await written.read("first.weight")).toEqual(await given.read("first.weight"));
  expect(await written.read("again.bias")).toEqual(await given.read("second.weight"));
  expect(await written.read("again.weight")).toEqual(await given.read("again.weight"));
  for (const model of [written, given]) await model.close();
});

test("weights in another file go to a new one, and the template's stays", async () => {
  const vit = find("torch-2.13 vit");
  const folder = temporaryFolder();
  const [first, template, out] = ["a.pth", "a.onnx", "out.onnx"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await convert(vit.graph, first);
  await convert(first, template, { externalData: "always" });
  const before = sha256(readFileSync(`${template}.data`));
  await convert(vit.other, out, { template, verify: true });
  expect(sha256(readFileSync(`${template}.data`))).toBe(before);
  expect(readFileSync(`${out}.data`).length).toBeGreaterThan(1000);
  const [written, given] = [await open(out), await open(vit.other)];
  for (const name of given.dict.tensors.keys())
    expect(await written.read(name), name).toEqual(await given.read(name));
  for (const model of [written, given]) await model.close();
});
