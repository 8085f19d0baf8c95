import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { builtinFormats } from "../../src/formats/index.ts";
import { command, commandJson, samples } from "../support/command.ts";
import { recordingConsole } from "../support/console.ts";
import { fixtures } from "../support/files.ts";

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
