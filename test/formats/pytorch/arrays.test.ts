import { writeFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { join, little } from "../../../scripts/fixtures/failure/bytes.mjs";
import { call, dict, global, op, pickle, text } from "../../../scripts/fixtures/failure/pickle.mjs";
import { bytesSource } from "../../../src/core/source.ts";
import { latin1Text } from "../../../src/formats/pytorch/arrays/latin1-text.ts";
import { convert, inspect, open, scan } from "../../../src/node.ts";
import { fixtures, hashesOf, sha256, temporaryFolder } from "../../support/files.ts";
import { unusual } from "../../support/manifest.ts";

const folder = joinPath(fixtures, "pytorch/more");

function factsOf(file: string) {
  return unusual.find((row) => row.file === `pytorch/more/${file}`)?.tensors ?? [];
}

describe("arrays of NumPy", () => {
  test("in a dict of dicts are taken as one by the path above them", async () => {
    const file = "arrays/torch-2.13/nested.pkl";
    const model = await open(joinPath(folder, file), { select: "params" });
    const seen = [];
    for (const name of model.dict.tensors.keys()) seen.push([name, sha256(await model.read(name))]);
    await model.close();
    expect(seen).toEqual(factsOf(file).map((tensor) => [tensor.name, tensor.sha256]));
    expect(seen).toHaveLength(4);
  });

  test.each(["training/torch-1.13/numpy.pth", "training/torch-2.13/numpy-protocol-5.pth"])(
    "beside tensors stay behind in %s, as they always did",
    async (file) => {
      const report = await inspect(joinPath(folder, file));
      expect(report.tensors.map(({ name }) => name)).toEqual(factsOf(file).map(({ name }) => name));
      expect(report.stateDicts?.map(({ path }) => path)).not.toContain("arrays");
      expect(report.extras).toContainEqual({ name: "arrays", what: expect.stringMatching(/^a dict of/) });
    },
  );

  test("beside tensors are taken when their dict is selected", async () => {
    const file = "arrays/torch-2.13/beside-tensors.pth";
    const model = await open(joinPath(folder, file), { select: "statistics" });
    const seen = [];
    for (const name of model.dict.tensors.keys())
      seen.push([`statistics.${name}`, sha256(await model.read(name))]);
    await model.close();
    const row = unusual.find((one) => one.file === `pytorch/more/${file}`);
    expect(seen).toEqual(row?.arrays?.map(({ path, sha256 }) => [path, sha256]));
    expect(seen).toHaveLength(2);
  });

  test("of objects are refused by name where their dict is selected", async () => {
    const attempt = open(joinPath(folder, "training/torch-2.13/numpy.pth"), { select: "arrays" });
    await expect(attempt).rejects.toMatchObject({ kind: "unsupported", site: { tensor: "object" } });
  });

  test("left in the file give the same bytes as those that are read into memory", async () => {
    const hashes = [0, 1, 2, 3, 4, 5].map(async (protocol) => {
      const output = temporaryFolder();
      await convert(
        joinPath(folder, `arrays/torch-2.13/zoo-${protocol}.pkl`),
        joinPath(output, "zoo.safetensors"),
      );
      return hashesOf(output)["zoo.safetensors"];
    });
    expect(new Set(await Promise.all(hashes)).size).toBe(1);
  });

  test("are not dangerous", async () => {
    const report = await scan(joinPath(folder, "arrays/torch-2.13/zoo-5.pkl"));
    expect(report.verdict).toBe("clean");
  });

  test("hide no pickle: bytes in the place of elements that are unpickled afterwards are dangerous", async () => {
    const type = call(global("numpy", "dtype"), text("u1"), op.NEWFALSE, op.NEWTRUE);
    const inner = pickle(call(global("os", "system"), text(" ".repeat(2000))));
    const elements = join(type, op.NEWFALSE, 0x42, little(inner.length, 4), inner, op.TUPLE1);
    const memo = [0x71, 9, op.POP, op.POP, op.POP];
    const load = [global("torch.storage", "_load_from_bytes"), 0x68, 9, op.REDUCE];
    const file = joinPath(temporaryFolder(), "hidden.pkl");
    writeFileSync(file, pickle(elements, memo, dict(text("weight"), load)));
    expect((await scan(file)).verdict).toBe("dangerous");
    await expect(open(file)).rejects.toMatchObject({ kind: "malformed" });
  });
});

describe("bytes written as characters", () => {
  const texts = fc.uint8Array({ maxLength: 3000 }).chain((bytes) =>
    // Long enough for several steps, with characters of one byte and of two across their ends.
    fc.nat(400).map((repeats) => {
      const long = new Uint8Array(bytes.length * repeats);
      for (let at = 0; at < long.length; at++) long[at] = (bytes[at % bytes.length] as number) ^ (at >> 12);
      return long;
    }),
  );

  test("are read back at any place", async () => {
    await fc.assert(
      fc.asyncProperty(texts, fc.nat(), fc.nat(), async (bytes, from, length) => {
        const text = Buffer.from(Buffer.from(bytes).toString("latin1"), "utf8");
        const source = latin1Text(bytesSource("text", text), bytes.length);
        const start = from % (bytes.length + 1);
        const target = new Uint8Array(length % (bytes.length - start + 1));
        await source.readInto(target, start);
        expect(Buffer.compare(target, bytes.subarray(start, start + target.length))).toBe(0);
      }),
      { numRuns: 50 },
    );
  });

  test("are refused where the text has other characters, or another number of them", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 80 }),
        async (text, size) => {
          const source = latin1Text(bytesSource("text", text), size);
          const target = new Uint8Array(size);
          const expected = Buffer.from(Buffer.from(text).toString("utf8"), "latin1");
          const isSound =
            Buffer.from(Buffer.from(text).toString("utf8"), "utf8").equals(Buffer.from(text)) &&
            [...Buffer.from(text).toString("utf8")].every(
              (character) => (character.codePointAt(0) as number) < 256,
            ) &&
            expected.length === size;
          const attempt = source.readInto(target, 0);
          if (isSound) await attempt.then(() => expect(Buffer.from(target)).toEqual(expected));
          else await expect(attempt).rejects.toMatchObject({ kind: "malformed" });
        },
      ),
    );
  });
});
