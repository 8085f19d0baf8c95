import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { convert, inspect, open } from "../src/node.ts";
import { startFileServer } from "./support/file-server.ts";
import { fixtures, sha256, temporaryFolder } from "./support/files.ts";
import { type OnnxManifestTensor, onnxManifest } from "./support/onnx-manifest.ts";

const rows = onnxManifest.map((row) => [row.file, row] as const);
const withTensors = rows.filter(([, { tensors }]) => tensors.length > 0);

function path(file: string): string {
  return join(fixtures, file);
}

/** Names, dtypes, shapes and hashes of what is read. */
async function read(file: string, select?: string): Promise<readonly OnnxManifestTensor[]> {
  const model = await open(path(file), { select, naming: { names: "onnx" } });
  const seen = [];
  for (const [name, { dtype, shape, payload, permission }] of model.dict.tensors) {
    const digest = sha256(await model.read(name));
    const sparse = permission ? { sparse: true } : {};
    seen.push({ name, dtype, shape, bytes: payload.size, sha256: digest, ...sparse });
  }
  await model.close();
  return seen;
}

describe("an ONNX model", () => {
  test.each(rows)("%s has the bytes that the manifest describes", (file, row) => {
    expect(sha256(readFileSync(path(file)))).toBe(row.sha256);
  });

  test.each(withTensors)("%s is read as onnx itself reads it", async (file, row) => {
    expect(await read(file)).toEqual(row.tensors);
  });

  test.each(
    rows.flatMap(([file, { training }]) =>
      Object.entries(training ?? {}).map(([graph, dict]) => [file, graph, dict] as const),
    ),
  )("%s has the tensors of %s too", async (file, graph, { tensors }) =>
    expect(await read(file, graph)).toEqual(tensors),
  );

  test.each(rows)("%s is inspected with its graph", async (file, row) => {
    const { graph, metadata, extras, notices } = await inspect(path(file), { naming: { names: "onnx" } });
    const { irVersion, producer, opsets, inputs, outputs } = graph ?? {};
    expect({ irVersion, producer, opsets, inputs, outputs }).toEqual(row.graph);
    expect(metadata).toEqual(withTensors.some(([name]) => name === file) ? row.metadata : {});
    expect(extras.map(({ name }) => name)).toEqual(row.others);
    expect(notices).toEqual([]);
  });

  test("whose parameters were not exported is inspected, and refused in words", async () => {
    const file = path("onnx/exports/torch-2.13/no-params.onnx");
    const report = await inspect(file);
    expect(report.tensors).toEqual([]);
    expect(report.graph?.inputs.length).toBe(5);
    const output = join(temporaryFolder(), "out.safetensors");
    await expect(convert(file, output)).rejects.toMatchObject({
      kind: "unsupported",
      message: "the graph holds no weights: 5 inputs of fixed shape bring them",
    });
  });

  test("with sparse tensors is converted when that is allowed", async () => {
    const file = path("onnx/models/sparse.onnx");
    const output = join(temporaryFolder(), "out.safetensors");
    await expect(convert(file, output)).rejects.toMatchObject({ kind: "lossy" });
    await convert(file, output, { allow: ["densify"] });
    const wanted = onnxManifest.find((row) => row.file === "onnx/models/sparse.onnx")?.tensors ?? [];
    const model = await open(output);
    for (const { name, sha256: digest } of wanted) expect(sha256(await model.read(name))).toBe(digest);
    await model.close();
  });

  test("with integers of four bits says that safetensors has none", async () => {
    const output = join(temporaryFolder(), "out.safetensors");
    await expect(convert(path("onnx/models/odd.onnx"), output)).rejects.toMatchObject({
      kind: "unsupported",
      message: 'safetensors has no dtype for "INT4.raw", which is I4',
    });
  });

  test("on a server is read with the files below it", async () => {
    const folder = "onnx/external/in-a-folder";
    const names = ["model.onnx", "data/deeper/weights.bin"];
    const server = await startFileServer(
      Object.fromEntries(names.map((name) => [`/some/${name}`, readFileSync(path(`${folder}/${name}`))])),
    );
    try {
      const model = await open(`${server.origin}/some/model.onnx`);
      const wanted = onnxManifest.find((row) => row.file === `${folder}/model.onnx`)?.tensors ?? [];
      expect(wanted.length).toBeGreaterThan(3);
      for (const { name, sha256: digest } of wanted) expect(sha256(await model.read(name))).toBe(digest);
      await model.close();
    } finally {
      await server.close();
    }
  });

  test("with texts leaves them behind, and says so", async () => {
    const output = join(temporaryFolder(), "out.safetensors");
    const { dropped, notices } = await convert(path("onnx/models/texts.onnx"), output);
    expect(dropped).toEqual([{ name: "words", reason: "not a tensor of the state dict: texts" }]);
    expect(notices.map(({ code }) => code)).toEqual(["left-behind"]);
  });

  test("whose tensors share bytes of an external file keeps one name of them, as for any tied weights", async () => {
    const file = path("onnx/external/shared/model.onnx");
    const { tensors } = await inspect(file);
    expect(tensors.map(({ name, tiedTo }) => [name, tiedTo])).toEqual([
      ["embed", undefined],
      ["head", "embed"],
      ["part", undefined],
    ]);
    const { dropped } = await convert(file, join(temporaryFolder(), "out.safetensors"));
    expect(dropped).toEqual([{ name: "head", reason: "tied", keptAs: "embed" }]);
  });
});
