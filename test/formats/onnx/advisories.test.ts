import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { convert, inspect } from "../../../src/node.ts";
import { externalModelFile, refusalOf, secret, weightOf } from "../../support/external-onnx.ts";
import { temporaryFolder } from "../../support/files.ts";
import { encodeOnnx } from "../../support/onnx-schema.ts";

// What was found in the onnx package or ONNX Runtime, and what comes of it here.

describe("reading weights from other places", () => {
  test("CVE-2022-25882: a path that leads up reads no file", async () => {
    expect(await refusalOf(externalModelFile({ location: "../secret" }).path)).toMatchObject({
      kind: "unsafe",
    });
  });

  test("CVE-2024-27318: nor one that leads up after a folder", async () => {
    for (const location of ["a/../../secret", "./../secret", "a/b/../../../secret"])
      expect(await refusalOf(externalModelFile({ location }).path)).toMatchObject({ kind: "unsafe" });
  });

  test("CVE-2026-27489, CVE-2026-34447: nor a link, be it the file or a folder on the way", async () => {
    const file = externalModelFile({ location: "weights" });
    symlinkSync("../secret", join(file.folder, "model/weights"));
    expect(await refusalOf(file.path)).toMatchObject({ kind: "unsafe" });
    const parent = externalModelFile({ location: "inner/secret" });
    symlinkSync("..", join(parent.folder, "model/inner"));
    expect(await refusalOf(parent.path)).toMatchObject({ kind: "unsafe" });
  });

  test("CVE-2026-34446: a hard link is a file of its folder, and never written through", async () => {
    const { folder, path } = externalModelFile({ location: "weights" });
    linkSync(join(folder, "secret"), join(folder, "model/weights"));
    // Whoever can make one can read the file already; neither an archive nor a model makes any here.
    expect(await weightOf(path)).toEqual(secret);
    await convert(path, path, { force: true, externalData: "never" });
    await convert(path, join(folder, "model/other.onnx"), { externalData: "always" });
    expect(new Uint8Array(readFileSync(join(folder, "secret")))).toEqual(secret);
  });

  test.each([
    ["a negative offset", { offset: "-16" }],
    ["a negative length", { length: "-1" }],
    ["an offset beyond the file", { offset: "16" }],
    ["a length beyond the file", { length: "4611686018427387904" }],
    ["a length of more digits than a number has", { length: "9".repeat(400) }],
    ["an offset that wraps around", { offset: "18446744073709551600", length: "16" }],
    ["a length of another size than the tensor's", { length: "8" }],
    ["an offset that is no number", { offset: "0x0" }],
  ])("CVE-2026-34445: %s is refused before anything is made for it", async (_, fields) => {
    const { folder, path } = externalModelFile({ location: "weights", ...fields });
    writeFileSync(join(folder, "model/weights"), secret);
    expect(["malformed", "unsupported", "io"]).toContain((await refusalOf(path)).kind);
  });

  test("CVE-2026-34445: keys that are names of something in a program set nothing", async () => {
    const injected = { __class__: "x", __proto__x: "y", constructor: "z", raw_data: "s", basepath: "/etc" };
    const { folder, path } = externalModelFile({ location: "weights", ...injected });
    writeFileSync(join(folder, "model/weights"), secret);
    expect(await weightOf(path)).toEqual(secret);
  });
});

describe("writing weights to other places", () => {
  test("CVE-2025-51480: goes by the output's name, whatever a model or a tensor is called", async () => {
    const tensors = ["../../evil", "/tmp/evil", "..", "a/b"].map((name) => ({
      name,
      dims: [64],
      data_type: 1,
      raw_data: new Uint8Array(256),
    }));
    const folder = temporaryFolder();
    mkdirSync(join(folder, "deep/out"), { recursive: true });
    const path = join(folder, "model.onnx");
    writeFileSync(path, encodeOnnx({ ir_version: 8, graph: { name: "../g", initializer: tensors } }));
    await convert(path, join(folder, "deep/out/model.onnx"), { externalData: "always" });
    await convert(path, join(folder, "deep/out/small.safetensors"), { maxShardBytes: 300 });
    expect(readdirSync(folder).sort()).toEqual(["deep", "model.onnx"]);
    expect(readdirSync(join(folder, "deep"))).toEqual(["out"]);
    expect(readdirSync(join(folder, "deep/out")).every((name) => /^(model|small)/.test(name))).toBe(true);
    expect(existsSync("/tmp/evil")).toBe(false);
  });

  test("GHSA-q56x-g2fj-4rj6: a link that stands in the place of an output is not followed", async () => {
    const folder = temporaryFolder();
    const victim = join(folder, "victim");
    writeFileSync(victim, secret);
    mkdirSync(join(folder, "out"));
    const tensor = { name: "w", dims: [512], data_type: 1, raw_data: new Uint8Array(2048) };
    const path = join(folder, "model.onnx");
    writeFileSync(path, encodeOnnx({ ir_version: 8, graph: { name: "g", initializer: [tensor] } }));
    const names = ["model.onnx", "model.onnx.data"];
    for (const name of names) symlinkSync("../victim", join(folder, "out", name));
    const out = join(folder, "out/model.onnx");
    await expect(convert(path, out, { externalData: "always" })).rejects.toMatchObject({ kind: "output" });
    await convert(path, out, { externalData: "always", force: true });
    expect(new Uint8Array(readFileSync(victim))).toEqual(secret);
    expect(readFileSync(join(folder, "out/model.onnx.data")).length).toBeGreaterThanOrEqual(2048);
  });

  test("CVE-2024-5187: nothing is unpacked, so no entry of a tar is written anywhere", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "inner"));
    const path = join(folder, "inner", "data.tar");
    writeFileSync(path, tarOf("../evil", secret));
    await expect(inspect(path)).rejects.toMatchObject({ kind: "unsupported" });
    await expect(convert(path, join(folder, "inner", "out.onnx"))).rejects.toThrow();
    expect(readdirSync(folder)).toEqual(["inner"]);
    expect(readdirSync(join(folder, "inner"))).toEqual(["data.tar"]);
  });
});

test("GHSA-7w46-vvrh-m8q5: functions that call each other in a circle end nothing", async () => {
  const call = (name: string) => ({ op_type: name, domain: "own", input: ["x"], output: ["y"] });
  const functions = ["A", "B"].map((name, index) => ({
    name,
    domain: "own",
    input: ["x"],
    output: ["y"],
    node: [call(index === 0 ? "B" : "A")],
  }));
  const w = { name: "w", dims: [1], data_type: 1, raw_data: new Uint8Array(4) };
  const folder = temporaryFolder();
  const path = join(folder, "model.onnx");
  const graph = { name: "g", node: [call("A")], initializer: [w] };
  writeFileSync(path, encodeOnnx({ ir_version: 8, graph, functions }));
  expect((await inspect(path)).tensors.map(({ name }) => name)).toEqual(["w"]);
  await convert(path, join(folder, "out.safetensors"));
  await convert(path, join(folder, "out.onnx"), { externalData: "always" });
  expect(await weightOf(join(folder, "out.safetensors"))).toEqual(new Uint8Array(4));
});

/** A tar with one file. */
function tarOf(name: string, bytes: Uint8Array): Uint8Array {
  const tar = new Uint8Array(2560);
  const text = (value: string, at: number) => tar.set(new TextEncoder().encode(value), at);
  text(name, 0);
  text("0000644\0", 100);
  text(`${bytes.length.toString(8).padStart(11, "0")}\0`, 124);
  text("00000000000\0", 136);
  text("        ", 148);
  text("0", 156);
  text("ustar\x0000", 257);
  const sum = tar.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  text(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  tar.set(bytes, 512);
  return tar;
}
