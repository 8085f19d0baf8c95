import { linkSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { ConvertError } from "../../../src/core/errors.ts";
import { inputFolder, open } from "../../../src/node.ts";
import { temporaryFolder } from "../../support/files.ts";
import { encodeOnnx } from "../../support/onnx-schema.ts";

const secret = new Uint8Array(16).fill(0x5e);
const weights = new Uint8Array(16).fill(0x77);

/** A model with a tensor of four floats in another file. */
function modelPointingTo(location: string): Uint8Array {
  const tensor = { name: "w", dims: [4], data_type: 1, data_location: 1 };
  return encodeOnnx({
    ir_version: 8,
    graph: { name: "g", initializer: [{ ...tensor, external_data: [{ key: "location", value: location }] }] },
  });
}

/** A folder `model/` with the model, beside it a file `secret`. */
function withModel(location: string): { readonly folder: string; readonly path: string } {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "model"));
  writeFileSync(join(folder, "secret"), secret);
  const path = join(folder, "model", "model.onnx");
  writeFileSync(path, modelPointingTo(location));
  return { folder, path };
}

async function weightOf(path: string): Promise<Uint8Array> {
  const model = await open(path);
  try {
    return await model.read("w");
  } finally {
    await model.close();
  }
}

function refusal(path: string): Promise<ConvertError> {
  return weightOf(path).then(
    () => expect.fail("it was read"),
    (error: ConvertError) => error,
  );
}

describe("weights in other files are read only from the model's folder", () => {
  test.each([
    ["a path that leads up", "../secret"],
    ["one that leads up on a detour", "inner/../../secret"],
    ["one that leads up and back", "../model/weights"],
    ["an absolute path", "/etc/hostname"],
    ["a drive", "C:/secret"],
    ["a share", "\\\\server\\secret"],
    ["slashes turned around", "..\\secret"],
    ["a zero character", "weights\0"],
    ["an address in memory", "*/_ORT_MEM_ADDR_/*"],
  ])("and not from %s", async (_, location) => {
    const { path } = withModel(location);
    expect(await refusal(path)).toMatchObject({ kind: "unsafe", site: { tensor: "w" } });
  });

  test("and not through a link to a file outside", async () => {
    const { folder, path } = withModel("weights");
    symlinkSync(join(folder, "secret"), join(folder, "model", "weights"));
    expect(await refusal(path)).toMatchObject({ kind: "unsafe" });
  });

  test("and not through a link on the way", async () => {
    const { folder, path } = withModel("inner/secret");
    symlinkSync(folder, join(folder, "model", "inner"));
    expect(await refusal(path)).toMatchObject({ kind: "unsafe" });
  });

  test("and not through a chain of links", async () => {
    const { folder, path } = withModel("first");
    symlinkSync("second", join(folder, "model", "first"));
    symlinkSync("../secret", join(folder, "model", "second"));
    expect(await refusal(path)).toMatchObject({ kind: "unsafe" });
  });

  test("nor from what is no file", async () => {
    const { folder, path } = withModel("weights");
    mkdirSync(join(folder, "model", "weights"));
    expect(await refusal(path)).toMatchObject({ kind: "io", message: "it is a folder" });
    const circle = withModel("circle");
    symlinkSync("circle", join(circle.folder, "model", "circle"));
    expect(await refusal(circle.path)).toMatchObject({ kind: "io" });
    const long = withModel("x".repeat(5000));
    expect(await refusal(long.path)).toMatchObject({ kind: "io" });
  });

  test("in folders below it, through links that stay in it, and through hard links", async () => {
    const below = withModel("a/b/weights");
    mkdirSync(join(below.folder, "model/a/b"), { recursive: true });
    writeFileSync(join(below.folder, "model/a/b/weights"), weights);
    expect(await weightOf(below.path)).toEqual(weights);

    const linked = withModel("alias/weights");
    mkdirSync(join(linked.folder, "model/real"));
    symlinkSync("real", join(linked.folder, "model/alias"));
    writeFileSync(join(linked.folder, "model/real/weights"), weights);
    expect(await weightOf(linked.path)).toEqual(weights);

    const hard = withModel("weights");
    writeFileSync(join(hard.folder, "elsewhere"), weights);
    linkSync(join(hard.folder, "elsewhere"), join(hard.folder, "model/weights"));
    expect(await weightOf(hard.path)).toEqual(weights);
  });

  test("in the Hub's cache, where model and weights are links to the same folder", async () => {
    const cache = temporaryFolder();
    for (const part of ["blobs", "snapshots/abc/onnx"]) mkdirSync(join(cache, part), { recursive: true });
    writeFileSync(join(cache, "blobs/0001"), modelPointingTo("model.onnx_data"));
    writeFileSync(join(cache, "blobs/0002"), weights);
    const snapshot = join(cache, "snapshots/abc/onnx");
    symlinkSync("../../../blobs/0001", join(snapshot, "model.onnx"));
    symlinkSync("../../../blobs/0002", join(snapshot, "model.onnx_data"));
    expect(await weightOf(join(snapshot, "model.onnx"))).toEqual(weights);
    // A model that is no link itself has no claim to that folder.
    writeFileSync(join(snapshot, "copy.onnx"), modelPointingTo("model.onnx_data"));
    expect(await refusal(join(snapshot, "copy.onnx"))).toMatchObject({ kind: "unsafe" });
  });

  test("in a folder that is itself reached through a link", async () => {
    const { folder, path } = withModel("weights");
    writeFileSync(join(folder, "model/weights"), weights);
    symlinkSync("model", join(folder, "link"));
    expect(await weightOf(path)).toEqual(weights);
    expect(await weightOf(join(folder, "link/model.onnx"))).toEqual(weights);
  });
});

describe("a folder of files below it", () => {
  test("keeps only some open, however many there are", async () => {
    const path = temporaryFolder();
    const folder = inputFolder(path);
    const sources = [];
    for (let index = 0; index < 200; index++) {
      writeFileSync(join(path, String(index)), Uint8Array.of(index));
      sources.push(await folder.openBelow?.(String(index), "0"));
    }
    const bytes = new Uint8Array(200);
    for (let round = 0; round < 2; round++) {
      await Promise.all(
        sources.map((source, index) => source?.readInto(bytes.subarray(index, index + 1), 0)),
      );
      expect([...bytes]).toEqual(sources.map((_, index) => index));
    }
    await folder.close();
  });

  test("notices when a file is put in the place of another", async () => {
    const path = temporaryFolder();
    const folder = inputFolder(path);
    writeFileSync(join(path, "weights"), weights);
    writeFileSync(join(path, "other"), secret);
    const source = await folder.openBelow?.("weights", "other");
    renameSync(join(path, "other"), join(path, "weights"));
    await expect(source?.readInto(new Uint8Array(16), 0)).rejects.toMatchObject({ kind: "io" });
    await folder.close();
  });

  test("takes no path that leads out, whoever asks", async () => {
    const folder = inputFolder(temporaryFolder());
    for (const name of ["", "..", "a/../b", "/etc/hostname", "a\\b"])
      await expect(folder.openBelow?.(name, "x")).rejects.toMatchObject({ kind: "unsafe" });
    await folder.close();
  });
});
