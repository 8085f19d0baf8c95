import { linkSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { inputFolder } from "../../../src/node.ts";
import {
  externalModel,
  externalModelFile,
  refusalOf,
  secret,
  weightOf,
} from "../../support/external-onnx.ts";
import { temporaryFolder } from "../../support/files.ts";

const weights = new Uint8Array(16).fill(0x77);

const withModel = (location: string) => externalModelFile({ location });

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
    expect(await refusalOf(path)).toMatchObject({ kind: "unsafe", site: { tensor: "w" } });
  });

  test("and not through a link to a file outside", async () => {
    const { folder, path } = withModel("weights");
    symlinkSync(join(folder, "secret"), join(folder, "model", "weights"));
    expect(await refusalOf(path)).toMatchObject({ kind: "unsafe" });
  });

  test("and not through a link on the way", async () => {
    const { folder, path } = withModel("inner/secret");
    symlinkSync(folder, join(folder, "model", "inner"));
    expect(await refusalOf(path)).toMatchObject({ kind: "unsafe" });
  });

  test("and not through a chain of links", async () => {
    const { folder, path } = withModel("first");
    symlinkSync("second", join(folder, "model", "first"));
    symlinkSync("../secret", join(folder, "model", "second"));
    expect(await refusalOf(path)).toMatchObject({ kind: "unsafe" });
  });

  test("nor from what is no file", async () => {
    const { folder, path } = withModel("weights");
    mkdirSync(join(folder, "model", "weights"));
    expect(await refusalOf(path)).toMatchObject({ kind: "io", message: "it is a folder" });
    const circle = withModel("circle");
    symlinkSync("circle", join(circle.folder, "model", "circle"));
    expect(await refusalOf(circle.path)).toMatchObject({ kind: "io" });
    const long = withModel("x".repeat(5000));
    expect(await refusalOf(long.path)).toMatchObject({ kind: "io" });
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
    writeFileSync(join(cache, "blobs/0001"), externalModel({ location: "model.onnx_data" }));
    writeFileSync(join(cache, "blobs/0002"), weights);
    const snapshot = join(cache, "snapshots/abc/onnx");
    symlinkSync("../../../blobs/0001", join(snapshot, "model.onnx"));
    symlinkSync("../../../blobs/0002", join(snapshot, "model.onnx_data"));
    expect(await weightOf(join(snapshot, "model.onnx"))).toEqual(weights);
    // A model that is no link itself has no claim to that folder.
    writeFileSync(join(snapshot, "copy.onnx"), externalModel({ location: "model.onnx_data" }));
    expect(await refusalOf(join(snapshot, "copy.onnx"))).toMatchObject({ kind: "unsafe" });
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
