import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { convert, open } from "../../../src/node.ts";
import { fixtures, sha256, temporaryFolder } from "../../support/files.ts";
import { type ExportRow, exportCases } from "../../support/onnx-names.ts";

interface DynamoRow extends Pick<ExportRow, "case" | "tensors"> {
  /** Layers whose weights kept their names, but not their values. */
  readonly products: readonly string[];
}

const folder = join(fixtures, "onnx-names");
const { rows } = JSON.parse(readFileSync(join(folder, "dynamo-2.13.json"), "utf8")) as {
  rows: readonly DynamoRow[];
};

describe.each(rows.map((row) => [row.case, row] as const))("%s, exported with dynamo=True", (_, row) => {
  const graph = join(folder, "dynamo-2.13", `${row.case}.onnx`);
  const isProduct = (name: string) => row.products.includes(name.slice(0, name.lastIndexOf(".")));

  test("gives back what it holds, and no product under its old name unsaid", async () => {
    const told: string[] = [];
    const model = await open(graph, { onNotice: ({ code, message }) => told.push(`${code}: ${message}`) });
    for (const { name, sha256: hash } of row.tensors) {
      if (!model.dict.tensors.has(name)) continue;
      expect(sha256(await model.read(name)) === hash, name).toBe(!isProduct(name));
    }
    const products = row.products.flatMap((path) => [`${path}.weight`, `${path}.bias`]);
    expect(told.length).toBe(products.length > 0 ? 1 : 0);
    expect(told.every((notice) => notice.startsWith("fused: "))).toBe(true);
    for (const name of products) expect(model.dict.tensors.has(name), name).toBe(true);
    expect([...model.dict.tensors.keys()].filter((name) => /val_|_bias$/.test(name))).toEqual(
      row.tensors.map(({ name }) => name).filter((name) => name.endsWith("_bias")),
    );
    await model.close();
  });

  test("holds everything of it, but what went into products", async () => {
    const model = await open(graph);
    const missing = row.tensors.filter(({ name }) => !model.dict.tensors.has(name));
    expect(missing.length === 0, String(missing.length)).toBe(row.products.length === 0);
    await model.close();
  });
});

test("other weights go into a graph of that exporter, too", async () => {
  const { other } = exportCases.find(({ title }) => title === "torch-2.13 lstm") as { other: string };
  const out = join(temporaryFolder(), "out.onnx");
  await convert(other, out, { template: join(folder, "dynamo-2.13/lstm.onnx") });
  const [written, given] = [await open(out), await open(other)];
  for (const name of given.dict.tensors.keys())
    expect(await written.read(name), name).toEqual(await given.read(name));
  for (const model of [written, given]) await model.close();
});
