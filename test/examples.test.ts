import { execFile } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { isAbsolute, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { diff, inspect, verify } from "../src/node.ts";
import { buildOnce } from "./support/built-cli.ts";
import { command, commandJson, samples } from "./support/command.ts";
import { temporaryFolder } from "./support/files.ts";

const root = fileURLToPath(new URL("../", import.meta.url));

beforeAll(buildOnce, 60_000);

/** An example in a folder of its own, with the package installed and a model. */
function example(name: string): string {
  const folder = join(temporaryFolder(), "examples", name);
  cpSync(join(root, "examples", name), folder, { recursive: true });
  cpSync(samples.network, join(folder, "model.pth"));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(root, join(folder, "node_modules/tensorferry"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  return folder;
}

describe("tensorferry run", () => {
  /** The example, with its input where it looks for it. */
  function pipeline(): string {
    const folder = example("pipeline");
    symlinkSync(join(root, "fixtures"), join(folder, "../../fixtures"));
    return folder;
  }

  test("runs all jobs of a TypeScript configuration, paths counting from its folder", async () => {
    const folder = pipeline();
    const { exit, json } = await commandJson(["run", "--config", folder]);
    expect(exit).toBe(0);
    expect(json).toMatchObject({ jobs: [{ name: "model", tensors: expect.any(Number) }, { name: "half" }] });
    expect((await verify(join(folder, "out/model"))).problems).toEqual([]);
    expect((await diff(join(folder, "out/model"), samples.network)).equal).toBe(true);
    const half = await inspect(join(folder, "out/half.safetensors"));
    expect(half.metadata).toMatchObject({ author: "me" });
    expect(half.tensors.some(({ dtype }) => dtype === "F16")).toBe(true);
  });

  test("runs those that are named, lists them, and writes nothing in a dry run", async () => {
    const folder = pipeline();
    const config = join(folder, "tensorferry.config.ts");
    expect((await command(["run", "--config", config, "--list"])).out).toMatch(
      /^job +input +output\nmodel .*\nhalf .*\n$/,
    );
    const dry = await command(["run", "half", "--config", config, "--dry-run"]);
    expect(dry.out).toContain("this was a dry run");
    expect(dry.out).not.toContain("model/");
    expect(readdirSync(folder)).not.toContain("out");
    await command(["run", "half", "--config", config]);
    expect(readdirSync(join(folder, "out"))).toEqual(["half.safetensors"]);
  });

  test.each([
    ["json", (jobs: object) => JSON.stringify({ jobs })],
    ["js", (jobs: object) => `export default ${JSON.stringify({ jobs })};`],
    ["mjs", (jobs: object) => `export default ${JSON.stringify({ jobs })};`],
  ])("takes a .%s", async (extension, spell) => {
    const folder = temporaryFolder();
    const job = { input: samples.tied, output: "out/", metadata: { a: "b" }, map: {}, maxShardSize: "none" };
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    writeFileSync(join(folder, `tensorferry.config.${extension}`), spell({ tied: job }));
    expect(await command(["run", "--config", folder, "--quiet"])).toMatchObject({
      exit: 0,
      out: "",
      err: "",
    });
    expect((await inspect(join(folder, "out"))).metadata).toMatchObject({ a: "b" });
  });

  const good = { input: "a.pth", output: "out/" };
  test.each([
    ["no configuration", undefined, [], "there is no configuration"],
    ["no JSON", "{", [], "it is no JSON"],
    ["no jobs", "{}", [], "has no jobs"],
    [
      "a job without an output",
      JSON.stringify({ jobs: { a: { input: "a.pth" } } }),
      [],
      "lacks an input or an output",
    ],
    [
      "an option that is not known",
      JSON.stringify({ jobs: { a: { ...good, dtpye: "f16" } } }),
      [],
      '"dtpye"',
    ],
    ["a job that there is not", JSON.stringify({ jobs: { a: good } }), ["b"], 'there is no job "b"'],
  ])("refuses %s", async (_, text, names, explained) => {
    const folder = temporaryFolder();
    if (text !== undefined) writeFileSync(join(folder, "tensorferry.config.json"), text);
    const { exit, err } = await command(["run", ...names, "--config", folder]);
    expect(err).toContain(explained);
    expect(exit).toBe(2);
  });
});

describe("the plugin gives imported models the addresses of safetensors files", { timeout: 120_000 }, () => {
  test.each([
    ["Rollup", "rollup", "node_modules/rollup/dist/bin/rollup", ["--config", "rollup.config.js"]],
    ["Vite", "vite", "node_modules/vite/bin/vite.js", ["build"]],
  ])("in %s", async (_, name, program, words) => {
    const folder = example(name);
    await build(program, words, folder);
    const { addresses } = await import(pathToFileURL(join(folder, "dist/main.js")).href);
    await expectAssets(folder, addresses);
    // What was converted once is taken from the cache.
    const cache = join(folder, "node_modules/.cache/tensorferry");
    const before = readdirSync(cache).sort();
    expect(before).toHaveLength(2);
    await build(program, words, folder);
    expect(readdirSync(cache).sort()).toEqual(before);
  });

  test("in webpack", async () => {
    const folder = example("webpack");
    const script = [
      `import webpack from ${JSON.stringify(pathToFileURL(join(root, "node_modules/webpack/lib/index.js")).href)};`,
      'import config from "./webpack.config.js";',
      "webpack({ ...config, context: import.meta.dirname }, (error, stats) => {",
      "  if (error ?? stats.hasErrors()) throw error ?? new Error(stats.toString());",
      "});",
    ];
    writeFileSync(join(folder, "build.mjs"), script.join("\n"));
    await build(join(folder, "build.mjs"), [], folder);
    const assets = readdirSync(join(folder, "dist/assets"));
    expect(assets).toHaveLength(2);
    const text = readFileSync(join(folder, "dist/main.js"), "utf8");
    for (const asset of assets) expect(text).toContain(asset);
    const [first = "", second = ""] = assets.map((asset) => join(folder, "dist/assets", asset));
    const isWhole = (await diff(first, samples.network)).equal;
    await expectAssets(folder, isWhole ? { whole: first, half: second } : { whole: second, half: first });
  });

  test("while Vite serves", async () => {
    const folder = example("vite");
    const { createServer } = await import("vite");
    const { vite } = await import(pathToFileURL(join(root, "dist/plugin/index.js")).href);
    const server = await createServer({
      configFile: false,
      logLevel: "silent",
      root: folder,
      server: { middlewareMode: true, ws: false },
      plugins: [vite({ root: folder })],
    });
    try {
      const served = await server.transformRequest("/model.pth?dtype=f16");
      const address = /"\/@fs([^"]+)"/.exec(served?.code ?? "")?.[1] ?? "";
      expect((await inspect(address)).tensors.some(({ dtype }) => dtype === "F16")).toBe(true);
    } finally {
      await server.close();
    }
  });

  test("and refuses words that it does not know", async () => {
    const folder = example("rollup");
    writeFileSync(
      join(folder, "src/main.js"),
      'import model from "../model.pth?dtpye=f16";\nexport { model };\n',
    );
    const words = ["--config", "rollup.config.js"];
    await expect(build("node_modules/rollup/dist/bin/rollup", words, folder)).rejects.toThrow('"dtpye"');
  });
});

/** Runs a bundler in a folder. */
function build(program: string, words: readonly string[], cwd: string): Promise<void> {
  return new Promise((done, reject) => {
    const script = isAbsolute(program) ? program : join(root, program);
    execFile(process.execPath, [script, ...words], { cwd }, (error, out, err) => {
      if (error) reject(new Error(`${out}${err}`));
      else done();
    });
  });
}

/** The assets of a build: equal to the model, and to it as f16. */
async function expectAssets(folder: string, addresses: { readonly whole: string; readonly half: string }) {
  const file = (address: string) => {
    if (address.startsWith("file:")) return fileURLToPath(address);
    return existsSync(address) ? address : join(folder, "dist", address);
  };
  expect((await diff(file(addresses.whole), samples.network)).equal).toBe(true);
  const { tensors } = await inspect(file(addresses.half));
  expect(tensors.filter(({ dtype }) => dtype === "F16").length).toBeGreaterThan(0);
  expect(tensors.some(({ dtype }) => dtype === "F32")).toBe(false);
}
