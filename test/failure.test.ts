import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { failureCases, manifestRow } from "../scripts/fixtures/failure/cases.mjs";
import { run } from "../src/cli/run.ts";
import { recordingConsole } from "./support/console.ts";
import { messagesThrownIn } from "./support/error-messages.ts";
import { failures, refused, survivors } from "./support/failures.ts";
import { temporaryFolder } from "./support/files.ts";

/** What the command line says and leaves behind when it converts a sample. */
async function convertSample(file: string, args: readonly string[] = []) {
  const folder = temporaryFolder();
  const console = recordingConsole();
  const input = join(failures, file);
  const output = join(folder, "out/");
  const exit = await run(["convert", input, output, ...args], console, new AbortController().signal);
  return { exit, out: console.outText, err: console.errText, input, output, left: readdirSync(folder) };
}

describe("a broken or hostile file is refused in words, and leaves nothing", () => {
  test.each(refused.map((row) => [`${row.file} ${row.args?.join(" ") ?? ""}`.trim(), row] as const))(
    "%s",
    async (_, { file, args, exit, message, hint }) => {
      const result = await convertSample(file, args);
      expect(result.err).toContain(message);
      expect(result.exit).toBe(exit);
      expect(result.left).toEqual([]);
      expect(result.out).toBe("");
      const [error, ...rest] = result.err.split("\n").filter((line) => !line.startsWith("note: "));
      expect(error).toMatch(/^error: /);
      expect(error).toContain(result.input.replace(/[^/]*$/, ""));
      expect(rest.filter((line) => line !== "").map((line) => line.slice(0, 6))).toEqual(
        hint ? ["hint: "] : [],
      );
    },
  );
});

describe("nothing in a pickle is run", () => {
  const marker = "tensorferry-was-here";
  beforeAll(() => expect(existsSync(marker)).toBe(false));
  afterAll(() => expect(existsSync(marker)).toBe(false));

  test.each(survivors.map((row) => [row.file, row.leftBehind, row.args] as const))(
    "%s converts, and %s stays behind",
    async (file, leftBehind, args) => {
      const result = await convertSample(file, args);
      expect(result.err.includes("left behind")).toBe(leftBehind !== undefined);
      expect(result.err).toContain(leftBehind ?? "");
      expect(result.exit).toBe(0);
      expect(readdirSync(result.output)).toEqual(["model.safetensors"]);
      expect(existsSync(marker)).toBe(false);
    },
  );

  test.each(survivors.filter(({ args }) => args).map(({ file }) => file))(
    "%s is refused unless it is allowed",
    async (file) => {
      const result = await convertSample(file);
      expect(result.err).toMatch(/^error: .* loading this file in Python would call /);
      expect(result.exit).toBe(6);
      expect(result.left).toEqual([]);
    },
  );

  test("although the samples hold the command that would leave a marker", () => {
    const calling = survivors.filter(({ file }) => file.startsWith("calls-"));
    expect(calling.length).toBeGreaterThan(10);
    for (const { file } of calling)
      expect(readFileSync(join(failures, file), "latin1"), file).toContain(`touch ${marker}`);
  });
});

describe("the failure fixtures", () => {
  test("are those that scripts/fixtures/failure.mjs makes", () => {
    for (const { file, bytes, beside = {} } of failureCases) {
      expect(readFileSync(join(failures, file)).equals(bytes), file).toBe(true);
      for (const [name, content] of Object.entries(beside))
        expect(readFileSync(join(failures, file, "..", name)).equals(content), name).toBe(true);
    }
    const made = JSON.parse(JSON.stringify(failureCases.map(manifestRow)));
    expect([...refused, ...survivors]).toEqual(made);
  });

  test("have names that differ, letter case aside", () => {
    const names = failureCases.map(({ file }) => file.toLowerCase());
    expect(new Set(names).size).toBe(names.length);
  });

  const folders = ["containers", "formats", "convert", "shards", "core"];
  const templates = folders.flatMap((folder) =>
    messagesThrownIn(fileURLToPath(new URL(`../src/${folder}`, import.meta.url))),
  );

  test("include one for every message that reading can throw", () => {
    const uncovered = templates
      .filter(({ place }) => !toBeSampled.test(place))
      .filter(({ pattern }) => !refused.some(({ message }) => pattern.test(message)))
      .map(({ place }) => place)
      .filter((place) => !writes.test(place));
    expect(uncovered.sort()).toEqual([...withoutSample.keys()].sort());
  });

  test("cover every kind of foreign file that is recognised", () => {
    const source = readFileSync(new URL("../src/convert/open/foreign.ts", import.meta.url), "utf8");
    const kinds = [...source.matchAll(/what: "([^"]+)"/g)]
      .map((match) => match[1] as string)
      // Only for callers that leave PyTorch's reader out, which takes these itself.
      .filter((kind) => kind !== "a bare pickle");
    expect(kinds.length).toBeGreaterThan(15);
    const messages = refused.map(({ message }) => message);
    for (const kind of kinds) {
      expect(
        messages.filter((message) => `this is ${kind}`.startsWith(message)).length,
        kind,
      ).toBeGreaterThan(0);
    }
  });
});

/** Files whose messages are about what is written, which no input can bring about alone. */
const writes =
  /(^|\/)(write|rewrite|stays-inline|encode(-[^/]*)?|data-files|storage-plan|restore-object|plan-output|plan-template|swap\/[^/]*|verify-output|verify-pieces|late-[^/]*)\.ts: /;

/** Readers whose samples are still to come: sparse and quantized tensors. */
const toBeSampled =
  /densify|sparse-cells|rebuild\.ts: is given (a broken quantizer|a layout|no indices|no values)/;

/** Other messages that have no sample, each with the reason. */
const withoutSample: ReadonlyMap<string, string> = new Map([
  ['open/choose-state-dict.ts: there is no state dict at "…"; there is …', "about an option"],
  ["plan/compile-program.ts: …, so there is nothing to compile", "about options"],
  ['convert.ts: the extension of "…" names no format', "about the output"],
  ['open/open.ts: there is no file "…"', "about the path"],
  ['open/open.ts: there is no format "…"', "about an option"],
  ["open/open.ts: … is written, but not read", "every built-in format is read"],
  [
    "run/planned-source.ts: the format has checksums that are known only once it is written",
    "about an upload",
  ],
  [
    "pickle/machine.ts: the pickle holds a value that is too large",
    "needs more entries than a small file holds",
  ],
  [
    "pytorch/legacy/deferred-source.ts: the bytes of … are nowhere in the file",
    "the list of storages is checked before",
  ],
  ["diff/diff.ts: a tolerance is a number that is not negative", "about an option"],
  ["verify/verify-scope.ts: the folder holds no model", "about the path of verify"],
  ["run/sha256-sums.ts: line … of the list is no SHA-256 with a name", "a problem of verify"],
  ["context.ts: hashes are asked for, but the context has no SHA-256", "about the caller"],
  ["run/sha256-sums.ts: the list of hashes is not UTF-8", "a problem of verify"],
  ["verify/verify-scope.ts: it is not there any more", "needs a file that goes while it is verified"],
  ["verify/verify-scope.ts: the size of a text", "needs a list of hundreds of megabytes"],
  ['json/edit-object.ts: there is no metadata key "…" to remove', "about an option"],
  ["edit-model.ts: there is nothing to change", "about an option"],
  ['edit-model.ts: the metadata key "format" is always "pt"', "about an option"],
  ["edit-model.ts: … has no metadata that could be changed", "about what is edited"],
  ["safetensors/edit.ts: the header would have … bytes, but safetensors allows …", "about what is edited"],
  ['size.ts: "…" is no size', "about an option"],
  ["protobuf/cursor.ts: bytes of a text", "the sum of all texts is checked before"],
  ["pytorch/scan/nested-pickles.ts: a pickle within the pickle is cut short", "a notice of scan"],
  ["pytorch/scan/nested-pickles.ts: pickles lie within pickles more than … deep", "a notice of scan"],
  ["pytorch/scan/scan.ts: archives lie within archives too deep", "a notice of scan"],
  ["look/scan.ts: the folder holds no model", "about the path of scan"],
  ['onnx/names/assemble.ts: the parts of "…" do not meet at element …', "parts are made so that they meet"],
  [
    "onnx/names/equivalent.ts: norms that went into convolutions need their names to be put back",
    "about an option",
  ],
  ['onnx/names/equivalent.ts: which norm went into "…" cannot be told', "about an option"],
  ['onnx/names/equivalent.ts: the norm "…" has no bias that could stand for it', "about an option"],
  ["onnx/names/equivalent.ts: norms of … are not known", "about an option"],
  ['open/allowances.ts: there is nothing to allow by the name of "…"', "about an option"],
  [
    "plan/decide-tensors.ts: a checkpoint taken as a whole keeps all its tensors, their names and dtypes",
    "about options",
  ],
  [
    "plan/load-inputs.ts: a checkpoint that is merged or prefixed cannot be taken as a whole",
    "about an option",
  ],
  ["plan/load-inputs.ts: there is no input", "about the paths"],
  ["plan/load-inputs.ts: … inputs and … prefixes for them", "about an option"],
  ['plan/merge.ts: both … and … have a tensor "…"', "about the paths"],
  ['look/inspect-tensor.ts: there is no tensor "…"', "about an option"],
  [
    'look/tensor-values.ts: the numbers of "…", which is …, are not known',
    "only inspect --tensor reads numbers",
  ],
]);
