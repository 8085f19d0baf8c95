import { describe, expect, test } from "vitest";
import { inspect, type Notice, type OpenPathOptions, open } from "../../../src/node.ts";
import { sha256 } from "../../support/files.ts";
import { type ExportCase, exportCases } from "../../support/onnx-names.ts";

/** What a graph alone does not tell, and a reference does. */
const needsReference: Readonly<Record<string, readonly string[]>> = {
  "two-embeddings": ["target.weight"],
  uncalled: ["named.left.weight", "named.right.weight", "a.project.weight", "b.project.weight"],
};

/** What is gone: the product of its parts is all that there is. */
const gone: Readonly<Record<string, readonly string[]>> = {
  normed: ["a.weight_g", "a.weight_v", "b.weight_g", "b.weight_v"],
};

async function restored({ graph }: ExportCase, naming: OpenPathOptions["naming"]) {
  const notices: Notice[] = [];
  const model = await open(graph, { naming, onNotice: (notice) => notices.push(notice) });
  const hashes = new Map<string, string>();
  for (const [name, { dtype, shape }] of model.dict.tensors)
    hashes.set(name, `${dtype} ${shape.join("x")} ${sha256(await model.read(name))}`);
  await model.close();
  const fused = notices.find(({ code }) => code === "fused")?.tensors ?? [];
  return { hashes, fused, codes: notices.map(({ code }) => code), names: [...hashes.keys()] };
}

/** The state dict as it was, without what the exporter never writes and what went into products. */
function wanted({ tensors, fused }: ExportCase, without: readonly string[] = []): Map<string, string> {
  const lost = new Set(Object.entries(fused).flatMap(([convolution, norms]) => [convolution, ...norms]));
  const kept = tensors.filter(({ name }) => {
    const module = name.slice(0, name.lastIndexOf("."));
    return !name.endsWith("num_batches_tracked") && !lost.has(module) && !without.includes(name);
  });
  return new Map(
    kept.map(({ name, dtype, shape, sha256 }) => [name, `${dtype} ${shape.join("x")} ${sha256}`]),
  );
}

function products({ fused }: ExportCase): readonly string[] {
  return Object.keys(fused).flatMap((convolution) => [`${convolution}.weight`, `${convolution}.bias`]);
}

describe.each(exportCases.map((row) => [row.title, row] as const))("%s", (_, row) => {
  test("gives back the state dict, bit for bit, by the graph alone", async () => {
    const { hashes, fused, codes } = await restored(row, {});
    const unknown = [...(needsReference[row.case] ?? []), ...(gone[row.case] ?? [])];
    const expected = wanted(row, unknown);
    expect(Object.fromEntries([...hashes].filter(([name]) => expected.has(name)))).toEqual(
      Object.fromEntries(expected),
    );
    for (const name of products(row)) expect(hashes.has(name), name).toBe(true);
    expect([...fused].sort()).toEqual([...products(row)].sort());
    expect(codes.includes("fused")).toBe(products(row).length > 0);
    if (unknown.length === 0)
      expect([...hashes.keys()].sort()).toEqual([...expected.keys(), ...products(row)].sort());
  });

  test("gives it back in its order with the names and shapes of other weights", async () => {
    const { hashes, names, codes } = await restored(row, { reference: row.other });
    const expected = wanted(row, gone[row.case]);
    expect(Object.fromEntries([...hashes].filter(([name]) => expected.has(name)))).toEqual(
      Object.fromEntries(expected),
    );
    const order = row.tensors.map(({ name }) => name).filter((name) => hashes.has(name));
    expect(names.slice(0, order.length)).toEqual(order);
    const mayGuess = row.case === "uncalled";
    if (!mayGuess) expect(codes).not.toContain("guessed-name");
  });

  test("lists what the file itself calls them, when asked", async () => {
    const report = await inspect(row.graph, { naming: { names: "onnx" } });
    expect(report.notices.filter(({ code }) => code === "fused")).toEqual([]);
    const own = await inspect(row.graph);
    expect(own.tensors.length).toBeGreaterThan(0);
  });
});
