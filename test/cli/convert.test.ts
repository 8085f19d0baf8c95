import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { reportNotices } from "../../src/cli/notices.ts";
import type { ConvertResult } from "../../src/convert/conversion.ts";
import type { Notice } from "../../src/core/context.ts";
import { command, commandJson, samples } from "../support/command.ts";
import { recordingConsole } from "../support/console.ts";
import { fixtures, hashesOf, temporaryFolder } from "../support/files.ts";

const names = (folder: string) => readdirSync(folder).sort();

describe("where the output goes", () => {
  test("a path that ends in a slash is a folder, and is made with all above it", async () => {
    const folder = join(temporaryFolder(), "a/b/");
    expect(await command(["convert", samples.network, folder])).toMatchObject({ exit: 0 });
    expect(names(folder)).toEqual(["model.safetensors"]);
  });

  test("an existing folder is a folder without a slash too", async () => {
    const folder = temporaryFolder();
    await command(["convert", samples.network, folder]);
    expect(names(folder)).toEqual(["model.safetensors"]);
  });

  test("a file name with shards gets them and their index beside it", async () => {
    const folder = temporaryFolder();
    const output = join(folder, "small.safetensors");
    await command(["convert", samples.network, output, "--max-shard-size", "25kB"]);
    expect(names(folder)).toEqual([
      "small-00001-of-00002.safetensors",
      "small-00002-of-00002.safetensors",
      "small.safetensors.index.json",
    ]);
  });

  test("--to decides where the extension says nothing", async () => {
    const folder = temporaryFolder();
    const { exit } = await command([
      "convert",
      samples.network,
      join(folder, "weights"),
      "--to",
      "safetensors",
    ]);
    expect(exit).toBe(0);
    expect(names(folder)).toEqual(["weights"]);
  });
});

describe("ONNX", () => {
  test("into a folder is model.onnx, and its data where that is wanted", async () => {
    const folder = temporaryFolder();
    expect(await command(["convert", samples.network, folder, "--to", "onnx"])).toMatchObject({ exit: 0 });
    expect(names(folder)).toEqual(["model.onnx"]);
    const words = [
      "convert",
      samples.network,
      folder,
      "--to",
      "onnx",
      "--force",
      "--external-data",
      "always",
    ];
    expect(await command(words)).toMatchObject({ exit: 0 });
    expect(names(folder)).toEqual(["model.onnx", "model.onnx.data"]);
  });

  test("takes its own old data away, and nobody else's", async () => {
    const folder = temporaryFolder();
    const output = join(folder, "net.onnx");
    writeFileSync(join(folder, "net.data"), "not ours");
    writeFileSync(join(folder, "net.safetensors"), "not ours either");
    await command(["convert", samples.network, output, "--max-shard-size", "25kB"]);
    expect(names(folder)).toEqual([
      "net-00001-of-00002.data",
      "net-00002-of-00002.data",
      "net.data",
      "net.onnx",
      "net.safetensors",
    ]);
    expect(await command(["convert", samples.network, output])).toMatchObject({ exit: 9 });
    expect(await command(["convert", samples.network, output, "--force"])).toMatchObject({ exit: 0 });
    expect(names(folder)).toEqual(["net.data", "net.onnx", "net.safetensors"]);
  });

  test("beside safetensors gets the file that a conversion into safetensors gives", async () => {
    const folder = temporaryFolder();
    const words = ["convert", samples.network, join(folder, "net.onnx"), "--external-data", "safetensors"];
    expect(await command(words)).toMatchObject({ exit: 0 });
    await command(["convert", samples.network, join(folder, "alone.safetensors")]);
    const { "net.safetensors": beside, "alone.safetensors": alone } = hashesOf(folder);
    expect(beside).toBe(alone);
  });

  test("counts its tensors once in the report, and all its bytes", async () => {
    const output = join(temporaryFolder(), "net.onnx");
    const { json } = await commandJson(["convert", samples.network, output, "--external-data", "always"]);
    const { outputs, tensors, bytes } = json as ConvertResult;
    expect(outputs.map(({ tensors }) => tensors)).toEqual([0, tensors]);
    expect(outputs.reduce((sum, output) => sum + output.bytes, 0)).toBe(bytes);
  });
});

describe("what the input may be", () => {
  test("a folder with an index and its shards, the index itself, and back into one file", async () => {
    const folder = temporaryFolder();
    const index = join(samples.shards, "model.safetensors.index.json");
    expect(await command(["convert", samples.shards, join(folder, "a.safetensors")])).toMatchObject({
      exit: 0,
    });
    expect(await command(["convert", index, join(folder, "b.safetensors")])).toMatchObject({ exit: 0 });
    const { "a.safetensors": a, "b.safetensors": b } = hashesOf(folder);
    expect(a).toBe(b);
  });

  test("a folder with a single checkpoint", async () => {
    const folder = temporaryFolder();
    copyFileSync(samples.network, join(folder, "weights.pth"));
    expect(await command(["convert", folder, join(folder, "out/")])).toMatchObject({ exit: 0 });
  });

  test("a file whose extension lies: the content counts, with a note", async () => {
    const folder = temporaryFolder();
    copyFileSync(samples.network, join(folder, "weights.safetensors"));
    const { exit, err } = await command([
      "convert",
      join(folder, "weights.safetensors"),
      join(folder, "out/"),
    ]);
    expect(exit).toBe(0);
    expect(err).toMatch(/^note: .*content is PyTorch/);
  });

  test.each([
    ["a file that is missing", "nothing.pth", 3, "there is no such file"],
    ["a folder without a model", ".", 3, "holds no model"],
    ["a folder with several", "several", 2, "holds 2 models: a.pth, b.pth"],
    ["shards without their index", "loose", 2, "holds 2 models"],
  ])("not %s", async (_, input, exit, explained) => {
    const folder = temporaryFolder();
    for (const name of ["a.pth", "b.pth"]) place(samples.network, join(folder, "several", name));
    for (const name of names(samples.shards).slice(0, 2)) {
      place(join(samples.shards, name), join(folder, "loose", name));
    }
    const result = await command(["convert", join(folder, input), join(folder, "out/")]);
    expect(result.err).toContain(explained);
    expect(result).toMatchObject({ exit, out: "" });
    expect(existsSync(join(folder, "out"))).toBe(false);
  });
});

function place(from: string, to: string): void {
  mkdirSync(join(to, ".."), { recursive: true });
  copyFileSync(from, to);
}

describe("nothing is overwritten", () => {
  test("an output that exists ends with 9 and stays as it is, and --force replaces it", async () => {
    const output = join(temporaryFolder(), "model.safetensors");
    writeFileSync(output, "precious");
    const refused = await command(["convert", samples.network, output]);
    expect(refused.err).toMatch(/^error: .*model\.safetensors: it is there already\nhint: --force/);
    expect(refused).toMatchObject({ exit: 9, out: "" });
    expect(readFileSync(output, "utf8")).toBe("precious");
    expect(await command(["convert", samples.network, output, "--force"])).toMatchObject({ exit: 0 });
    expect(readFileSync(output).length).toBeGreaterThan(1000);
  });

  test("shards of an earlier output count as existing, and --force takes them away", async () => {
    const folder = temporaryFolder();
    await command(["convert", samples.network, folder, "--max-shard-size", "10kB"]);
    const before = hashesOf(folder);
    const refused = await command(["convert", samples.network, folder]);
    expect(refused.err).toContain("left from an earlier output");
    expect(refused.exit).toBe(9);
    expect(hashesOf(folder)).toEqual(before);
    writeFileSync(join(folder, "config.json"), "{}");
    expect(await command(["convert", samples.network, folder, "--force"])).toMatchObject({ exit: 0 });
    expect(names(folder)).toEqual(["config.json", "model.safetensors"]);
  });

  test("hashes of an earlier output go with it, but not those of a folder that a file is put into", async () => {
    const folder = temporaryFolder();
    await command(["convert", samples.network, `${folder}/`, "--checksums"]);
    await command(["convert", samples.tied, join(folder, "other.safetensors"), "--force"]);
    expect(readdirSync(folder)).toContain("SHA256SUMS");
    expect(await command(["convert", samples.tied, `${folder}/`])).toMatchObject({ exit: 9 });
    await command(["convert", samples.tied, `${folder}/`, "--force"]);
    expect(readdirSync(folder).sort()).toEqual(["model.safetensors", "other.safetensors"]);
  });

  test("a variant comes beside a model and its list of hashes", async () => {
    const folder = temporaryFolder();
    await command(["convert", samples.tied, `${folder}/`, "--checksums"]);
    const half = ["--dtype", "f16", "--variant", "fp16"];
    expect(await command(["convert", samples.tied, `${folder}/`, ...half])).toMatchObject({ exit: 0 });
    expect(readdirSync(folder).sort()).toEqual(["SHA256SUMS", "model.fp16.safetensors", "model.safetensors"]);
  });

  test("a name that belongs to a folder is refused even with --force", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "model.safetensors"));
    const { exit, err } = await command(["convert", samples.network, folder, "--force"]);
    expect(err).toContain("it is a folder");
    expect(exit).toBe(9);
  });

  test("a place where no folder can be made ends with 9", async () => {
    const file = join(temporaryFolder(), "file");
    writeFileSync(file, "in the way");
    const { exit, err } = await command(["convert", samples.network, join(file, "out/")]);
    expect(err).toContain("a part of its path is no folder");
    expect(exit).toBe(9);
  });
});

describe("--dry-run", () => {
  test("prints the plan and writes nothing, not even the folder", async () => {
    const folder = temporaryFolder();
    const words = ["convert", samples.network, join(folder, "out/"), "--max-shard-size", "25kB"];
    const { exit, out } = await command([...words, "--dry-run"]);
    expect(exit).toBe(0);
    expect(out).toContain("model-00001-of-00002.safetensors");
    expect(out).toContain("would be written; this was a dry run");
    expect(names(folder)).toEqual([]);
  });

  test("tells the very sizes that are written", async () => {
    const folder = temporaryFolder();
    const words = ["convert", samples.network, join(folder, "out/"), "--max-shard-size", "25kB"];
    const dry = await commandJson([...words, "--dry-run"]);
    const real = await commandJson(words);
    const { seconds, ...rest } = real.json as { seconds: number };
    expect(seconds).toBeGreaterThan(0);
    expect(rest).toEqual(dry.json);
    for (const { path, bytes } of (rest as { outputs: { path: string; bytes: number }[] }).outputs) {
      expect(readFileSync(path)).toHaveLength(bytes);
    }
  });
});

describe("--json", () => {
  test("is one document with these keys", async () => {
    const folder = temporaryFolder();
    const output = join(folder, "model.safetensors");
    const { exit, err, json } = await commandJson(["convert", samples.tied, output]);
    expect(exit).toBe(0);
    expect(err).toBe(
      'note: "lm_head.weight" is the same tensor as "model.embed_tokens.weight", which is kept\n',
    );
    expect(json).toEqual({
      input: { path: samples.tied, format: "pytorch", container: "zip" },
      inputs: [{ path: samples.tied, format: "pytorch", container: "zip" }],
      outputs: [{ path: output, bytes: readFileSync(output).length, tensors: 4 }],
      tensors: 4,
      bytes: readFileSync(output).length,
      casts: [],
      dropped: [{ name: "lm_head.weight", reason: "tied", keptAs: "model.embed_tokens.weight" }],
      notices: [
        {
          code: "tied-dropped",
          tensor: "lm_head.weight",
          message: '"lm_head.weight" is the same tensor as "model.embed_tokens.weight", which is kept',
        },
      ],
      seconds: expect.any(Number),
    });
  });

  test("lists what was left behind", async () => {
    const { json } = await commandJson(["convert", samples.checkpoint, join(temporaryFolder(), "out/")]);
    const { dropped, notices } = json as { dropped: { name: string }[]; notices: { code: string }[] };
    expect(dropped.map(({ name }) => name)).toEqual([
      "epoch",
      "optimizer_state_dict",
      "scheduler_state_dict",
      "loss",
    ]);
    expect(notices.map(({ code }) => code)).toEqual(["selected", "left-behind"]);
  });

  test("is a document after a failure too, with the failure in it", async () => {
    const { exit, err, json } = await commandJson([
      "convert",
      samples.twoModels,
      join(temporaryFolder(), "out/"),
    ]);
    expect(exit).toBe(2);
    expect(err).toMatch(/^error: .*\nhint: .*\n$/);
    expect(json).toEqual({
      error: {
        kind: "usage",
        message: expect.stringContaining('"generator" (2 tensors, 60 B), "discriminator" (2 tensors, 60 B)'),
        file: samples.twoModels,
        hint: "choose one with --select generator, or take all of them with --select .",
      },
    });
  });
});

describe("--quiet", () => {
  test("leaves nothing to read where all went well", async () => {
    const words = ["convert", samples.tied, join(temporaryFolder(), "out/"), "--quiet"];
    expect(await command(words)).toEqual({ exit: 0, out: "", err: "" });
  });

  test("keeps the document of --json, and errors", async () => {
    const quiet = await commandJson(["convert", samples.tied, join(temporaryFolder(), "out/"), "--quiet"]);
    expect(quiet.err).toBe("");
    const { err } = await command(["convert", "nothing.pth", "out/", "--quiet"]);
    expect(err).toMatch(/^error: /);
  });
});

describe("options of tied tensors, metadata and choice", () => {
  test("--tied copy writes every name", async () => {
    const { json } = await commandJson([
      "convert",
      samples.tied,
      join(temporaryFolder(), "out/"),
      "--tied",
      "copy",
    ]);
    expect(json).toMatchObject({ tensors: 5, dropped: [] });
  });

  test("--keep names the one that stays", async () => {
    const words = ["convert", samples.tied, join(temporaryFolder(), "out/"), "--keep", "lm_head.weight"];
    const { json } = await commandJson(words);
    expect(json).toMatchObject({
      dropped: [{ name: "model.embed_tokens.weight", keptAs: "lm_head.weight" }],
    });
  });

  test("--select takes another state dict, and . the top", async () => {
    const folder = temporaryFolder();
    const words = ["convert", samples.twoModels, join(folder, "d.safetensors"), "--select", "discriminator"];
    expect(await commandJson(words)).toMatchObject({ exit: 0, json: { tensors: 2 } });
    const top = ["convert", samples.network, join(folder, "top.safetensors"), "--select", "."];
    expect(await command(top)).toMatchObject({ exit: 0 });
  });

  test("--metadata adds to the header, beside the format", async () => {
    const output = join(temporaryFolder(), "model.safetensors");
    await command(["convert", samples.network, output, "--metadata", "author=me", "--metadata", "note=a=b"]);
    const { json } = await commandJson(["inspect", output]);
    expect(json).toMatchObject({ metadata: { format: "pt", author: "me", note: "a=b" } });
  });

  test("--strict turns a note into an error, before anything is written", async () => {
    const folder = temporaryFolder();
    const { exit, err } = await command(["convert", samples.tied, join(folder, "out/"), "--strict"]);
    expect(err).toContain("without --strict this is a notice");
    expect(exit).toBe(7);
    expect(names(folder)).toEqual([]);
  });

  test("--limit lowers a limit as it raises one", async () => {
    const words = ["convert", samples.network, join(temporaryFolder(), "out/"), "--limit", "entries=3"];
    const { exit, err } = await command(words);
    expect(err).toMatch(/hint: raise it with --limit entries=\d+ if you trust the file/);
    expect(exit).toBe(8);
  });

  test("--verify reads the output back", async () => {
    const folder = temporaryFolder();
    const words = ["convert", samples.network, join(folder, "out/"), "--verify", "--max-shard-size", "10kB"];
    expect(await command(words)).toMatchObject({ exit: 0 });
  });

  test("--jobs and --buffer change the way, not the result", async () => {
    const results = [];
    for (const options of [[], ["--jobs", "1", "--buffer", "4KiB"], ["--jobs", "7", "--buffer", "5001"]]) {
      const folder = temporaryFolder();
      const words = ["convert", samples.network, folder, "--max-shard-size", "10kB", ...options];
      expect(await command(words)).toMatchObject({ exit: 0 });
      results.push(hashesOf(folder));
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });
});

test("a crowd of notes of one kind is cut short", () => {
  const console = recordingConsole();
  const notices = Array.from(
    { length: 12 },
    (_, index): Notice => ({ code: "expanded", message: `note ${index}` }),
  );
  reportNotices([...notices, { code: "selected", message: "another" }], console);
  expect(console.errText.split("\n")).toEqual([
    ...[0, 1, 2, 3, 4].map((index) => `note: note ${index}`),
    "note: another",
    'note: and 7 more of the kind "expanded"; --json lists all',
    "",
  ]);
});

test("control characters of a name cannot drive the terminal", async () => {
  const input = join(fixtures, "pytorch/torch-2.13/hostile-names.pth");
  const { out, err } = await command(["convert", input, join(temporaryFolder(), "out/")]);
  const listed = await command(["inspect", input]);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  expect(out + err + listed.out).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
});
