import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { StateDictExtras } from "../../src/formats/pytorch/objects/module-versions.ts";
import { mappingEntries } from "../../src/formats/pytorch/values/python-values.ts";
import { convert, inspect, open } from "../../src/node.ts";
import { command, commandJson, samples } from "../support/command.ts";
import { fixtures, temporaryFolder } from "../support/files.ts";

/** Names in an output, with those that they share their bytes with. */
async function namesIn(path: string): Promise<Readonly<Record<string, string | null>>> {
  const { tensors } = await inspect(path);
  return Object.fromEntries(tensors.map(({ name, tiedTo }) => [name, tiedTo ?? null]));
}

describe("choosing and renaming on the command line", () => {
  test("filters old names, then renames, then ties the new ones", async () => {
    const output = join(temporaryFolder(), "out.safetensors");
    const words = ["--exclude", "*.layers.*", "--strip-prefix", "model.", "--add-prefix", "m."];
    const { json } = await commandJson([
      ...["convert", samples.tied, output, ...words],
      ...["--rename", "/^lm_(head)/=>$1", "--keep", "m.head.weight"],
    ]);
    expect(json).toMatchObject({
      tensors: 2,
      dropped: [
        { name: "model.layers.0.weight", reason: "excluded" },
        { name: "model.layers.0.bias", reason: "excluded" },
        { name: "m.embed_tokens.weight", reason: "tied", keptAs: "m.head.weight" },
      ],
      notices: [{ code: "tied-dropped" }],
    });
    expect(await namesIn(output)).toEqual({ "m.head.weight": null, "m.norm.weight": null });
  });

  test.each([
    ["names.json", '{"lm_head.weight": "head", "/^model\\\\./": "", "0": "zero"}'],
    ["names.yaml", "lm_head.weight: head\n/^model\\./: ''\n0: zero\n"],
  ])("takes a map from %s, and tells what matches nothing", async (name, text) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, name), text);
    const output = join(folder, "out.pth");
    const { err } = await command(["convert", samples.tied, output, "--map", join(folder, name)]);
    expect(err).toBe('note: the name "0" of the map matches no tensor\n');
    expect(await namesIn(output)).toEqual({
      "embed_tokens.weight": null,
      "layers.0.weight": null,
      "layers.0.bias": null,
      "norm.weight": null,
      head: "embed_tokens.weight",
    });
  });

  test.each([
    ["a.json", "[1]", 2, "no map of names: it is no object"],
    ["b.json", '{"a": 1}', 2, 'the entry of "a"'],
    ["c.json", "{", 4, "c.json"],
    ["d.yml", "a: [b]", 2, 'the entry of "a"'],
    ["e.yml", "a: b\na: c", 2, "unique"],
    ["f.yml", "a: *b", 2, "no map of names"],
    ["g.yml", "", 2, "no map of names"],
  ])("refuses the map %s: %s", async (name, text, exit, explained) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, name), text);
    const result = await command(["convert", samples.tied, join(folder, "o/"), "--map", join(folder, name)]);
    expect(result.err).toContain(explained);
    expect(result.exit).toBe(exit);
  });

  test.each([
    [["--map", "nowhere.json"], 3, "there is no such file"],
    [["--rename", "a"], 2, "--rename takes FROM=>TO"],
    [["--rename", "/(/=>b"], 2, "no pattern"],
    [["--include", "x[", "--exclude", "*"], 2, "is not closed"],
    [["--exclude", "*"], 2, "none is left to write"],
    [["--add-prefix", "x.", "--all"], 2, "keeps all its tensors, their names"],
    [["--input-prefix", "a.", "--input-prefix", "b."], 2, "1 inputs and 2 prefixes"],
    [["--duplicates", "both"], 2, "--duplicates takes error or first or last"],
  ])("refuses %j", async (words, exit, explained) => {
    const result = await command(["convert", samples.tied, join(temporaryFolder(), "out/"), ...words]);
    expect(result.err).toContain(explained);
    expect(result.exit).toBe(exit);
  });

  test("a regular expression may hold an arrow", async () => {
    const output = join(temporaryFolder(), "out.safetensors");
    await command(["convert", samples.tied, output, "--rename", "/(?<=>)never|^lm_head/=>h=>h"]);
    expect(Object.keys(await namesIn(output))).toContain("model.norm.weight");
  });
});

describe("tied names on their way through safetensors and back", () => {
  test.each([undefined, 200])("share their bytes again, in one file or in shards", async (maxShardBytes) => {
    const folder = temporaryFolder();
    await convert(samples.tied, join(folder, "st/"), { maxShardBytes, stripPrefix: "model." });
    await convert(join(folder, "st"), join(folder, "pt/"), {
      to: "pytorch",
      maxShardBytes,
      verify: true,
      addPrefix: "again.",
    });
    const names = await namesIn(join(folder, "pt"));
    expect(names).toMatchObject({ "again.lm_head.weight": "again.embed_tokens.weight" });
    expect(Object.keys(names)).toHaveLength(5);
  });

  test("are written where their kept one is left out", async () => {
    const folder = temporaryFolder();
    await convert(samples.tied, join(folder, "a.safetensors"));
    await convert(join(folder, "a.safetensors"), join(folder, "b.pth"), { exclude: ["*embed*"] });
    expect(Object.keys(await namesIn(join(folder, "b.pth")))).toContain("lm_head.weight");
  });

  test("are written in full by --tied copy, and left out by --tied drop", async () => {
    const folder = temporaryFolder();
    await convert(samples.tied, join(folder, "a.safetensors"));
    await convert(join(folder, "a.safetensors"), join(folder, "copied.safetensors"), { tied: "copy" });
    expect(await namesIn(join(folder, "copied.safetensors"))).toMatchObject({ "lm_head.weight": null });
    for (const input of ["a.safetensors", samples.tied]) {
      const output = join(folder, "dropped.pth");
      const from = input === samples.tied ? input : join(folder, input);
      await convert(from, output, { tied: "drop", force: true });
      expect(await namesIn(output)).not.toHaveProperty(["lm_head.weight"]);
    }
  });

  test("change places by --keep", async () => {
    const folder = temporaryFolder();
    await convert(samples.tied, join(folder, "a.safetensors"));
    const { dropped } = await convert(join(folder, "a.safetensors"), join(folder, "b.safetensors"), {
      keep: ["lm_head.weight"],
    });
    expect(dropped).toEqual([
      { name: "model.embed_tokens.weight", reason: "tied", keptAs: "lm_head.weight" },
    ]);
  });

  test("a checkpoint that came along whole is left behind once names change", async () => {
    const folder = temporaryFolder();
    await convert(samples.checkpoint, join(folder, "a.safetensors"), { all: true });
    const { notices } = await convert(join(folder, "a.safetensors"), join(folder, "b.pth"), {
      include: ["model_state_dict.*"],
      stripPrefix: "model_state_dict.",
    });
    expect(notices.map(({ code }) => code)).toEqual(["left-behind"]);
    expect(Object.keys(await namesIn(join(folder, "b.pth"))).length).toBeGreaterThan(1);
  });
});

describe("what follows new names", () => {
  test("casts go by them, whatever the names of the input were", async () => {
    const output = join(temporaryFolder(), "out.safetensors");
    const words = ["--strip-prefix", "model.", "--dtype", "norm.*=bf16", "--dtype", "model.*=f64"];
    const { err } = await command(["convert", samples.tied, output, ...words]);
    const { tensors } = await inspect(output);
    const types = Object.fromEntries(tensors.map(({ name, dtype }) => [name, dtype]));
    expect(types).toMatchObject({ "norm.weight": "BF16", "layers.0.weight": "F32" });
    expect(err).toContain("model.*");
  });

  test("the versions of modules, which load_state_dict asks for", async () => {
    const output = join(temporaryFolder(), "out.pth");
    const bare = join(temporaryFolder(), "bare.pth");
    await convert(samples.network, output, { addPrefix: "module.", exclude: ["attention.*"] });
    await convert(output, bare, { stripPrefix: "module." });
    const before = await versionsOf(samples.network);
    const wrapped = await versionsOf(output);
    expect(wrapped.get("module.stem.1")).toEqual(before.get("stem.1"));
    expect(wrapped.has("module.attention")).toBe(false);
    expect((await versionsOf(bare)).get("stem.1")).toEqual(before.get("stem.1"));
    expect(before.get("stem.1")).toEqual([["version", 2]]);
  });

  test("not the checkpoint around them, with a prefix for the only input too", async () => {
    const folder = temporaryFolder();
    await convert(samples.checkpoint, join(folder, "a.safetensors"), { all: true });
    const { notices } = await convert(join(folder, "a.safetensors"), join(folder, "b.pth"), {
      inputPrefixes: ["x."],
    });
    expect(notices.map(({ code }) => code)).toEqual(["left-behind"]);
  });
});

/** The `_metadata` of a state dict: module to version. */
async function versionsOf(path: string): Promise<ReadonlyMap<unknown, unknown>> {
  const model = await open(path);
  const { versions } = model.dict.extras.get("pytorch") as StateDictExtras;
  await model.close();
  const entries = [...(mappingEntries(versions) ?? [])];
  return new Map(entries.map(([name, version]) => [name, [...(mappingEntries(version) ?? [])]]));
}

describe("several inputs", () => {
  const other = join(fixtures, "safetensors/shapes.safetensors");

  test("become one output, in their order", async () => {
    const folder = temporaryFolder();
    const { json } = await commandJson(["convert", samples.tied, other, join(folder, "all.pth"), "--verify"]);
    const [a, b] = [await inspect(samples.tied), await inspect(other)];
    const all = await inspect(join(folder, "all.pth"));
    expect(all.tensors).toEqual([...a.tensors, ...b.tensors]);
    expect(json).toMatchObject({
      input: { path: samples.tied, format: "pytorch", container: "zip" },
      inputs: [{ path: samples.tied }, { path: other, format: "safetensors", container: "safetensors" }],
      tensors: all.tensors.length,
    });
  });

  test("with a name in common are refused with both paths, unless one is said to count", async () => {
    const output = join(temporaryFolder(), "all.safetensors");
    const words = ["convert", samples.tied, samples.network, output, "--tied", "copy"];
    const refused = await command(words);
    expect(refused.err).toContain(
      `both ${samples.tied} and ${samples.network} have a tensor "lm_head.weight"`,
    );
    expect(refused.exit).toBe(2);
    const shapeOf = async (path: string) =>
      (await inspect(path)).tensors.find(({ name }) => name === "lm_head.weight")?.shape;
    const first = await command([...words, "--duplicates", "first"]);
    expect(first.err).toContain('several inputs have "lm_head.weight"');
    expect(await shapeOf(output)).toEqual(await shapeOf(samples.tied));
    await command([...words, "--duplicates", "last", "--force"]);
    expect(await shapeOf(output)).toEqual(await shapeOf(samples.network));
  });

  test("with prefixes are kept apart, tied storages too", async () => {
    const output = join(temporaryFolder(), "all.pth");
    const prefixes = ["--input-prefix", "a.", "--input-prefix", ""];
    await command(["convert", samples.tied, samples.tied, output, ...prefixes, "--include", "*e*.weight"]);
    expect(await namesIn(output)).toMatchObject({
      "a.lm_head.weight": "a.model.embed_tokens.weight",
      "a.model.embed_tokens.weight": null,
      "lm_head.weight": "model.embed_tokens.weight",
    });
  });

  test("a name that stood for a replaced tensor keeps its own", async () => {
    const folder = temporaryFolder();
    await convert(samples.tied, join(folder, "a.safetensors"));
    await convert(samples.tied, join(folder, "b.safetensors"), { include: ["*embed*"] });
    const inputs = [join(folder, "a.safetensors"), join(folder, "b.safetensors")];
    await convert(inputs, join(folder, "all.pth"), { duplicates: "last" });
    expect(await namesIn(join(folder, "all.pth"))).toMatchObject({ "lm_head.weight": null });
  });

  test("take a state dict of those that have it", async () => {
    const output = join(temporaryFolder(), "all.safetensors");
    const words = ["convert", samples.twoModels, other, output, "--select", "generator"];
    expect(await command(words)).toMatchObject({ exit: 0 });
    expect(await command([...words.slice(0, 4), "--select", "nothing"])).toMatchObject({ exit: 2 });
  });

  test("are at least one", async () => {
    const attempt = convert([], join(temporaryFolder(), "all.safetensors"));
    await expect(attempt).rejects.toMatchObject({ kind: "usage", message: "there is no input" });
  });

  test("cannot be taken whole", async () => {
    const output = join(temporaryFolder(), "all.safetensors");
    const { exit, err } = await command(["convert", samples.checkpoint, other, output, "--all"]);
    expect(err).toContain("a checkpoint that is merged or prefixed cannot be taken as a whole");
    expect(exit).toBe(2);
  });
});
