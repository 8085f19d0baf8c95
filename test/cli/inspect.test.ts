import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { inspectCommand } from "../../src/cli/inspect.ts";
import { builtinFormats } from "../../src/formats/index.ts";
import { command, commandJson, samples } from "../support/command.ts";
import { recordingConsole } from "../support/console.ts";
import { fixtures, temporaryFolder } from "../support/files.ts";

describe("inspect", () => {
  test("lists a tied pair as one tensor with two names", async () => {
    const { exit, err, json } = await commandJson(["inspect", samples.tied]);
    expect({ exit, err }).toEqual({ exit: 0, err: "" });
    expect(json).toEqual({
      path: samples.tied,
      format: "pytorch",
      container: "zip",
      selected: "",
      stateDicts: [{ path: "", tensors: 5, bytes: 480 }],
      tensors: [
        { name: "model.embed_tokens.weight", dtype: "F32", shape: [12, 4], bytes: 192 },
        { name: "model.layers.0.weight", dtype: "F32", shape: [4, 4], bytes: 64 },
        { name: "model.layers.0.bias", dtype: "F32", shape: [4], bytes: 16 },
        { name: "model.norm.weight", dtype: "F32", shape: [4], bytes: 16 },
        {
          name: "lm_head.weight",
          dtype: "F32",
          shape: [12, 4],
          bytes: 192,
          tiedTo: "model.embed_tokens.weight",
        },
      ],
      parameters: 72,
      bytes: 288,
      dtypes: [{ dtype: "F32", tensors: 4, parameters: 72, bytes: 288 }],
      metadata: {},
      extras: [],
      notices: [],
    });
  });

  test("tells which state dict it took, and what lies beside it", async () => {
    const { err, out } = await command(["inspect", samples.checkpoint]);
    expect(err).toBe('note: took the state dict "model_state_dict" (9 tensors, 148 B)\n');
    expect(out).toContain("9 tensors, 36 parameters, 148 B\n");
    expect(out).toContain("also inside: epoch (an int), optimizer_state_dict (a dict of 2)");
    const { json } = await commandJson(["inspect", samples.checkpoint]);
    expect(json).toMatchObject({
      selected: "model_state_dict",
      extras: [{ name: "epoch", what: "an int" }, {}, {}, {}],
      notices: [{ code: "selected" }],
    });
  });

  test("lists several state dicts instead of failing, and one of them when it is selected", async () => {
    const { exit, out } = await command(["inspect", samples.twoModels]);
    expect(exit).toBe(0);
    expect(out).toMatch(
      /generator +2 +60 B\ndiscriminator +2 +60 B\nseveral state dicts; choose one with --select/,
    );
    const { json } = await commandJson(["inspect", samples.twoModels]);
    expect(json).not.toHaveProperty("selected");
    expect(json).toMatchObject({
      stateDicts: [{ path: "generator" }, { path: "discriminator" }],
      tensors: [],
    });
    const chosen = await commandJson(["inspect", samples.twoModels, "--select", "generator"]);
    expect(chosen.json).toMatchObject({ selected: "generator", tensors: [{}, {}] });
  });

  test("shows shards as one model, and metadata", async () => {
    const { json } = await commandJson(["inspect", samples.shards]);
    expect(json).toMatchObject({ format: "safetensors", container: "shards" });
    const { out } = await command(["inspect", join(fixtures, "safetensors/metadata.safetensors")]);
    expect(out).toMatch(/\nmetadata: .+=.+\n$/);
  });

  test("fits its table to the terminal by shortening names in the middle", async () => {
    const console = recordingConsole();
    const { out } = await command(
      ["inspect", samples.tied],
      Object.defineProperty(console, "width", { value: 60 }),
    );
    const rows = out.split("\n").slice(1, 7);
    expect(rows.filter((row) => row.length > 60)).toEqual([]);
    expect(rows.at(-1)).toMatch(/^lm_head\.weight = .*….*tokens\.weight +F32/);
  });

  test("leaves notes out with --quiet", async () => {
    expect((await command(["inspect", samples.checkpoint, "--quiet"])).err).toBe("");
  });

  test("ends with 3 where nothing is", async () => {
    const { exit, out, err } = await command(["inspect", "nothing.pth"]);
    expect({ exit, out }).toEqual({ exit: 3, out: "" });
    expect(err).toBe("error: nothing.pth: there is no such file or folder\n");
  });
});

describe("formats", () => {
  test("lists what is built in", async () => {
    const { json } = await commandJson(["formats"]);
    expect((json as { formats: { id: string }[] }).formats.map(({ id }) => id)).toEqual(
      builtinFormats.map(({ id }) => id),
    );
    const { exit, out } = await command(["formats"]);
    expect(exit).toBe(0);
    for (const { id, extensions } of builtinFormats)
      expect(out).toMatch(new RegExp(`^${id} .*\\${extensions[0]}`, "m"));
  });

  test("agrees with the table of the README", async () => {
    const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
    const { json } = await commandJson(["formats"]);
    for (const { extensions } of (json as { formats: { extensions: string[] }[] }).formats) {
      for (const extension of extensions) expect(readme).toContain(`\`${extension}\``);
    }
  });
});

describe("inspect --tree", () => {
  test("folds repeated modules, and --flat does not", async () => {
    const { out } = await command(["inspect", samples.network, "--tree"]);
    expect(out).toContain("└─ 0, 1 ×2 ");
    expect(out).toMatch(/lm_head\.weight = embed_tokens\.weight +F32 +\[40, 16\] +0 +0 B/);
    expect(out).toContain("by dtype: BOOL 36 B in 1, F32 31.7 kB in 51, I64 40 B in 5");
    const flat = await command(["inspect", samples.network, "--flat"]);
    expect(flat.out).toContain("layers.1.bn2.weight");
  });

  test("is what a terminal gets of a long list, and fits it; a pipe gets every tensor", async () => {
    const terminal = { ...recordingConsole(), width: 60 };
    const shown: string[] = [];
    const signal = new AbortController().signal;
    await inspectCommand(samples.network, {}, { ...terminal, out: (text) => shown.push(text) }, signal);
    expect(shown.join("")).toContain("├─ ");
    expect(
      Math.max(
        ...shown
          .join("")
          .split("\n")
          .slice(1, -3)
          .map((line) => line.length),
      ),
    ).toBeLessThan(61);
    expect((await command(["inspect", samples.network])).out).not.toContain("├─ ");
  });

  test("stands in the document of --json if it is asked for", async () => {
    const { json } = await commandJson(["inspect", samples.tied, "--tree"]);
    expect(json).toMatchObject({
      tree: [
        { label: "model", count: 1, tensors: 4, parameters: 72, bytes: 288, children: expect.any(Array) },
        { label: "lm_head.weight", tensors: 1, parameters: 0, bytes: 0, children: [] },
      ],
    });
    expect((await commandJson(["inspect", samples.tied])).json).not.toHaveProperty("tree");
  });
});

describe("inspect --tensor", () => {
  const values = join(fixtures, "statistics/values.safetensors");

  test("prints what is in it, with a histogram", async () => {
    const { out, exit } = await command(["inspect", values, "--tensor", "few"]);
    expect(exit).toBe(0);
    expect(out.split("\n").slice(1, 4)).toEqual([
      "I8 [400], 400 elements, 400 B",
      expect.stringMatching(/^min -3, max 4, mean 0\.\d+, std 2\.\d+$/),
      expect.stringMatching(/^\d+ zero \(\d+\.?\d* %\)$/),
    ]);
    expect(out.split("\n").filter((line) => /^ *-?\d {2}█/.test(line))).toHaveLength(8);
  });

  test.each([
    ["spoiled", "2 NaN (0.0222 %), 2 +inf (0.0222 %), 1 -inf (0.0111 %), 40 zero (0.444 %)"],
    ["flags", "first: true"],
    ["complex", "absolute values: min "],
    ["large", "min -9223372036854775808, max 9223372036854775807"],
    ["empty", "F32 [0, 4], 0 elements, 0 B"],
    ["scalar", "min -2.5, max -2.5, mean -2.5\nfirst: -2.5\n"],
  ])("prints of %s: %s", async (name, text) => {
    const { out, exit } = await command(["inspect", values, "--tensor", name]);
    expect(exit).toBe(0);
    if (!text.startsWith("first: true")) expect(out).toContain(text);
    else expect(out).toMatch(/first: (true|false), /);
  });

  test("is one document with --json", async () => {
    const { json } = await commandJson(["inspect", samples.tied, "--tensor", "lm_head.weight"]);
    expect(json).toMatchObject({
      path: samples.tied,
      format: "pytorch",
      tensor: { name: "lm_head.weight", dtype: "F32", shape: [12, 4], bytes: 192, elements: 48 },
      notices: [],
    });
  });

  test("takes a name that stands for another tensor", async () => {
    const output = join(temporaryFolder(), "a.safetensors");
    await command(["convert", samples.tied, output]);
    expect(await command(["inspect", output, "--tensor", "lm_head.weight"])).toMatchObject({ exit: 0 });
  });

  test("names what is there instead", async () => {
    const { err, exit } = await command(["inspect", samples.tied, "--tensor", "NORM"]);
    expect(err).toContain('there is no tensor "NORM"\nhint: there is "model.norm.weight"');
    expect(exit).toBe(2);
    const other = await command(["inspect", samples.tied, "--tensor", "xyz"]);
    expect(other.err).toContain("hint: tensorferry inspect lists the names");
  });
});
