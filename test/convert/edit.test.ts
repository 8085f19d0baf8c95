import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { editObject } from "../../src/containers/json/edit-object.ts";
import { memberSpans, startOfValue } from "../../src/containers/json/members.ts";
import { isJsonObject, parseJson } from "../../src/containers/json/parse.ts";
import { planEdit } from "../../src/convert/edit-model.ts";
import { createContext } from "../../src/core/context.ts";
import { builtinFormats, diff, edit, inspect, verify } from "../../src/node.ts";
import { command, commandJson, samples } from "../support/command.ts";
import { fixtures, hashesOf, sha256, temporaryFolder } from "../support/files.ts";
import { memoryInput } from "../support/memory.ts";

const original = join(fixtures, "safetensors/metadata.safetensors");

function copy(path = original): string {
  const file = join(temporaryFolder(), "model.safetensors");
  cpSync(path, file);
  return file;
}

const pairs = (object: Record<string, string>) => new Map(Object.entries(object));

describe("editing metadata", () => {
  test("grows the header where there is no room, and no byte of a tensor changes", async () => {
    const file = copy();
    const before = (await inspect(file)).metadata;
    const report = await edit(file, { metadata: pairs({ author: "somebody", license: "none" }) });
    expect(report.files).toMatchObject([{ how: "rewrite", bytes: statSync(file).size }]);
    const after = await inspect(file);
    expect(after.metadata).toEqual({ ...before, author: "somebody", license: "none" });
    expect(Object.keys(after.metadata)).toEqual([...Object.keys(before), "author"]);
    expect((await diff(original, file)).equal).toBe(true);
    expect((await verify(file)).problems).toEqual([]);
    expect(readdirSync(join(file, ".."))).toEqual(["model.safetensors"]);
  });

  test("changes it in place where there is, and takes room up again that it has left", async () => {
    const file = copy();
    const { ino, size } = statSync(file);
    const keys = Object.keys((await inspect(file)).metadata).filter((key) => key !== "format");
    const [first = ""] = keys;
    const removed = await edit(file, { removeMetadata: keys });
    expect(removed).toMatchObject({ files: [{ how: "in-place" }], metadata: { format: "pt" } });
    const set = await edit(file, { metadata: pairs({ [first]: "new" }) });
    expect(set).toMatchObject({ files: [{ how: "in-place" }], metadata: { format: "pt", [first]: "new" } });
    expect(statSync(file)).toMatchObject({ ino, size });
    expect((await diff(original, file)).equal).toBe(true);
    expect(await edit(file, { metadata: pairs({ [first]: "new" }) })).toMatchObject({
      files: [{ how: "unchanged" }],
    });
  });

  test("begins metadata where there is none, or null", async () => {
    for (const name of ["metadata-null", "smallest"]) {
      const file = copy(join(fixtures, `safetensors/${name}.safetensors`));
      const { metadata } = await edit(file, { metadata: pairs({ note: "é" }) });
      expect(metadata["note"]).toBe("é");
      expect((await inspect(file)).metadata).toMatchObject({ note: "é" });
    }
  });

  test("of shards changes each of them and their index, and takes it back", async () => {
    const folder = temporaryFolder();
    cpSync(samples.shards, folder, { recursive: true });
    const { out } = await command(["edit", folder, "--metadata", "author=me"]);
    expect(out.match(/file rewritten/g)).toHaveLength(5);
    expect((await inspect(folder)).metadata).toMatchObject({ author: "me" });
    for (const name of readdirSync(folder))
      expect(readFileSync(join(folder, name), "latin1")).toContain('"author"');
    expect((await verify(folder)).problems).toEqual([]);
    await command(["edit", folder, "--remove-metadata", "author"]);
    const index = "model.safetensors.index.json";
    expect(readFileSync(join(folder, index), "utf8")).toBe(readFileSync(join(samples.shards, index), "utf8"));
    expect((await diff(folder, samples.shards)).equal).toBe(true);
  });

  test("keeps a link a link, and the permissions", async () => {
    const folder = temporaryFolder();
    const [blob, link] = [join(folder, "blob"), join(folder, "model.safetensors")];
    cpSync(original, blob);
    chmodSync(blob, 0o640);
    symlinkSync("blob", link);
    await edit(link, { metadata: pairs({ author: "somebody" }) });
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(statSync(blob).mode & 0o777).toBe(0o640);
    expect((await inspect(blob)).metadata).toMatchObject({ author: "somebody" });
  });

  test("writes nothing in a dry run, and tells the same", async () => {
    const file = copy();
    const before = hashesOf(join(file, ".."));
    const words = ["edit", file, "--metadata", "author=me"];
    const dry = await commandJson([...words, "--dry-run"]);
    expect(hashesOf(join(file, ".."))).toEqual(before);
    expect((await commandJson(words)).json).toEqual(dry.json);
    expect(dry.exit).toBe(0);
  });

  test.each([
    ["a PyTorch file", [samples.network, "--metadata", "a=b"], 5, "convert it to safetensors"],
    ["a key that is not there", [original, "--remove-metadata", "nobody"], 2, 'no metadata key "nobody"'],
    ["the one key that is taken", [original, "--metadata", "format=tf"], 2, '"pt"'],
    ["taking it out", [original, "--remove-metadata", "format"], 2, '"pt"'],
    ["nothing to do", [original], 2, "nothing to change"],
    ["no file", ["nothing.safetensors", "--metadata", "a=b"], 3, "no such file"],
    ["a model far away", ["https://example.org/model.safetensors", "--metadata", "a=b"], 2, "far away"],
  ])("refuses %s", async (_, words, code, explained) => {
    const { exit, err } = await command(["edit", ...words]);
    expect(err).toContain(explained);
    expect(exit).toBe(code);
  });

  test("leaves the file as it was when it is interrupted", async () => {
    const file = copy();
    const before = hashesOf(join(file, ".."));
    const options = { metadata: pairs({ author: "somebody" }), signal: AbortSignal.abort() };
    await expect(edit(file, options)).rejects.toMatchObject({ kind: "cancelled" });
    expect(hashesOf(join(file, ".."))).toEqual(before);
    expect(existsSync(file)).toBe(true);
  });
});

const keyOf = fc.constantFrom("format", "author", "a", "license", "notes", "__proto__", "é");
const textOf = fc.string({ maxLength: 2000 });
const metadataOf = fc.uniqueArray(fc.tuple(keyOf, textOf), { selector: ([key]) => key });

/** A file with this metadata, spread over many blocks where `tensors` are many. */
function fileOf(metadata: readonly (readonly [string, string])[], tensors: number): Uint8Array {
  const members = Array.from(
    { length: tensors },
    (_, at) => `"t${at}":{"dtype":"U8","shape":[1],"data_offsets":[${at},${at + 1}]}`,
  );
  const own = `"__metadata__": {${metadata.map((pair) => pair.map((text) => JSON.stringify(text)).join(": ")).join(", ")}}`;
  const json = Buffer.from(
    `{${[...members.slice(0, tensors >> 1), own, ...members.slice(tensors >> 1)].join(",")}}   `,
  );
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(json.length));
  return Uint8Array.from(Buffer.concat([prefix, json, Buffer.alloc(tensors, 7)]));
}

test("whatever is changed, the file is the old one or the new one at any moment", async () => {
  let inPlace = 0;
  await fc.assert(
    fc.asyncProperty(metadataOf, metadataOf, fc.nat(200), async (before, set, tensors) => {
      const bytes = fileOf(before, tensors);
      const changes = { set: new Map(set.filter(([key]) => key !== "format")), remove: [] };
      if (changes.set.size === 0) return;
      const context = createContext();
      const [planned] = await planEdit(memoryInput("m.safetensors", bytes), changes, builtinFormats, context);
      const { edit: head, how } = planned as NonNullable<typeof planned>;
      const after = Buffer.concat([head.head, bytes.subarray(head.before.length)]);
      expect(Object.fromEntries(await metadataIn(after))).toEqual(
        Object.fromEntries([...before, ...changes.set]),
      );
      expect(sha256(after.subarray(head.head.length))).toBe(sha256(bytes.subarray(head.before.length)));
      if (how.kind !== "in-place") return;
      inPlace++;
      // A write is stopped between blocks; before the first of the file, before the second, and so on.
      for (let at = how.start; at < how.end; at = (Math.floor(at / 4096) + 1) * 4096) {
        const torn = bytes.slice();
        torn.set(head.head.subarray(how.start, at), how.start);
        expect(sha256(torn)).toBe(sha256(bytes));
      }
      const whole = bytes.slice();
      whole.set(head.head.subarray(how.start, how.end), how.start);
      expect(sha256(whole)).toBe(sha256(after));
    }),
    { numRuns: 300 },
  );
  expect(inPlace).toBeGreaterThan(20);
});

/** The metadata as another reader has it. */
async function metadataIn(bytes: Uint8Array): Promise<readonly (readonly [string, string])[]> {
  const file = join(temporaryFolder(), "m.safetensors");
  writeFileSync(file, bytes);
  const size = Number(Buffer.from(bytes).readBigUInt64LE(0));
  const root = JSON.parse(Buffer.from(bytes.subarray(8, 8 + size)).toString());
  return Object.entries(root.__metadata__ ?? {}) as [string, string][];
}

test("a header whose length looks like the beginning of JSON is not taken for an index", async () => {
  // 0x7b20 bytes: a space and a brace, if they were text.
  const json = Buffer.from('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'.padEnd(0x7b20));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(json.length));
  const file = join(temporaryFolder(), "model.safetensors");
  writeFileSync(file, Buffer.concat([prefix, json, Buffer.from([1])]));
  expect((await inspect(file)).tensors.map(({ name }) => name)).toEqual(["a"]);
});

test("members are found where they stand, whatever is in them", () => {
  const space = fc.constantFrom("", " ", "\n\t ");
  const object = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }));
  fc.assert(
    fc.property(object, space, (value, gap) => {
      const text = `${gap}{${Object.entries(value)
        .map(
          ([key, item]) =>
            `${gap}${JSON.stringify(key)}${gap}:${gap}${JSON.stringify(item, null, gap)}${gap}`,
        )
        .join(",")}}${gap}`;
      const bytes = Buffer.from(text);
      const spans = memberSpans(bytes, startOfValue(bytes));
      const found = spans.map(({ key, valueStart, end }) => [
        key,
        JSON.parse(bytes.subarray(valueStart, end).toString()),
      ]);
      expect(found).toEqual(Object.entries(JSON.parse(text)));
    }),
  );
});

test("an object is changed as a map would be", () => {
  const layout = { before: " ", between: " , ", after: " ", colon: " : " };
  fc.assert(
    fc.property(metadataOf, metadataOf, fc.array(keyOf), (before, set, wanted) => {
      const bytes = Buffer.from(
        `{${before.map((pair) => pair.map((text) => JSON.stringify(text)).join(":")).join(",")}}`,
      );
      const remove = [...new Set(wanted)].filter(
        (key) => before.some(([known]) => known === key) && !set.some(([other]) => other === key),
      );
      const text = editObject(bytes, 0, { set: new Map(set), remove }, layout, "x");
      const expected = new Map([...before, ...set]);
      for (const key of remove) expected.delete(key);
      const parsed = parseJson(Buffer.from(text), "x", 0);
      expect(isJsonObject(parsed) && [...parsed]).toEqual([...expected]);
    }),
  );
});
