import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { command, samples } from "../support/command.ts";
import { temporaryFolder } from "../support/files.ts";

const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));

describe("help", () => {
  test("comes for no words at all, and for --help, on standard output", async () => {
    const bare = await command([]);
    const asked = await command(["--help"]);
    expect(bare).toEqual(asked);
    expect(bare).toMatchObject({ exit: 0, err: "" });
    expect(bare.out).toContain("Usage: tensorferry");
    for (const name of ["convert", "inspect", "diff", "verify", "edit", "scan", "formats"])
      expect(bare.out).toContain(name);
  });

  test.each(["convert", "inspect", "diff", "verify", "edit", "scan", "formats"])(
    "of %s tells of --json and --quiet",
    async (name) => {
      const { exit, out, err } = await command([name, "--help"]);
      expect({ exit, err }).toEqual({ exit: 0, err: "" });
      expect(out).toContain(`Usage: tensorferry ${name}`);
      expect(out).toContain("--json");
      expect(out).toContain("--quiet");
    },
  );

  test("of convert has examples", async () => {
    const { out } = await command(["convert", "--help"]);
    expect(out).toContain("tensorferry convert model.pth out/ --max-shard-size 2GB");
  });
});

test("--version prints the version of the package", async () => {
  expect(await command(["--version"])).toEqual({ exit: 0, out: `${manifest.version}\n`, err: "" });
});

describe("words that make no sense end with 2 and are explained on standard error", () => {
  const input = samples.network;
  test.each([
    ["an unknown command", ["convret", input, "out/"], "Did you mean convert?"],
    ["an unknown option", ["convert", input, "out/", "--max-shard-sise", "1GB"], "--max-shard-size"],
    ["an argument too few", ["convert", input], "output"],
    ["an argument too many", ["inspect", input, "again"], "too many arguments"],
    ["an option without its value", ["convert", input, "out/", "--select"], "argument missing"],
    ["a size that is none", ["convert", input, "out/", "--max-shard-size", "5 apples"], "is no size"],
    ["a size of nothing", ["convert", input, "out/", "--max-shard-size", "0"], "is no size"],
    ["a number of jobs that is none", ["convert", input, "out/", "--jobs", "many"], "1 to 64"],
    ["a buffer beyond reason", ["convert", input, "out/", "--buffer", "2TiB"], "4KiB to 1GiB"],
    ["a limit that there is not", ["inspect", input, "--limit", "depth=1"], 'there is no limit "depth"'],
    ["a limit without a value", ["inspect", input, "--limit", "entries"], "NAME=VALUE"],
    ["a tolerance that is no number", ["diff", input, input, "--atol", "-1"], "--atol takes a number"],
    ["metadata without a value", ["convert", input, "out/", "--metadata", "author"], "NAME=VALUE"],
    [
      "a place for weights that there is not",
      ["convert", input, "out.onnx", "--external-data", "sometimes"],
      "auto or always or never",
    ],
    [
      "a place for weights outside of ONNX",
      ["convert", input, "out/", "--external-data", "always"],
      "external",
    ],
    ["a policy that there is not", ["convert", input, "out/", "--tied", "keep"], "drop or copy"],
    ["a format that there is not", ["convert", input, "out/", "--to", "gguf"], 'there is no format "gguf"'],
    ["an extension of no format", ["convert", input, "out.xyz"], "names no format"],
    ["a tensor to keep that there is not", ["convert", input, "out/", "--keep", "head"], '"head" to keep'],
    ["a path of no state dict", ["convert", input, "out/", "--select", "ema"], 'no state dict at "ema"'],
    ["the one metadata key that is taken", ["convert", input, "out/", "--metadata", "format=tf"], '"pt"'],
  ])("%s", async (_, words, explained) => {
    // Nothing may be written, but if it is, then not here.
    const folder = temporaryFolder();
    const { exit, out, err } = await command(
      words.map((word) => (word === "out/" ? join(folder, "out/") : word)),
    );
    expect(err).toContain(explained);
    expect({ exit, out }).toEqual({ exit: 2, out: "" });
  });
});
