import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sameBytes } from "../../src/bytes/difference.ts";
import { diffModels } from "../../src/convert/diff/diff.ts";
import type { Progress } from "../../src/core/context.ts";
import { bitsOf, type DType } from "../../src/core/dtype.ts";
import { elementDecoder } from "../../src/core/element-values.ts";
import { builtinFormats } from "../../src/formats/index.ts";
import { diff } from "../../src/node.ts";
import { command, commandJson, samples } from "../support/command.ts";
import { fixtures, sha256, temporaryFolder } from "../support/files.ts";
import { memoryInput } from "../support/memory.ts";

const folder = join(fixtures, "diff");
const [a, b, wide, narrow] = ["a", "b", "wide", "narrow"].map((name) =>
  join(folder, `${name}.safetensors`),
) as [string, string, string, string];

interface Found {
  readonly count: number;
  readonly maxAbs: number | string;
  readonly at: readonly number[];
}
type Facts = Readonly<Record<string, Found | null>>;

/** What torch and numpy say; see scripts/fixtures/diff.py. */
const expected = JSON.parse(readFileSync(join(folder, "expected.json"), "utf8")) as {
  readonly exact: Facts;
  readonly tolerant: Facts;
  readonly cast: Facts;
  readonly castTolerant: Facts;
  readonly codes: Readonly<Record<string, string>>;
};

/** The facts of a report in the form of the fixture. */
async function factsOf(...[left, right, options]: Parameters<typeof diff>): Promise<Facts> {
  const { differing } = await diff(left, right, options);
  return Object.fromEntries(
    differing.map(({ name, count, maxAbs, at }) => [name, { count, maxAbs: spelled(maxAbs as number), at }]),
  ) as Facts;
}

function spelled(value: number): number | string {
  return Number.isFinite(value) ? value : Number.isNaN(value) ? "nan" : "inf";
}

function present(facts: Facts): Facts {
  return Object.fromEntries(Object.entries(facts).filter(([, found]) => found !== null));
}

describe("diff agrees with numpy", () => {
  test.each([
    ["in one buffer", {}],
    ["in many", { bufferBytes: 64, jobs: 3 }],
  ])("on every type bit for bit, %s", async (_, options) => {
    expect(await factsOf(a, b, options)).toEqual(expected.exact);
  });

  test("on every type within a tolerance", async () => {
    const options = { absoluteTolerance: 1e-6, relativeTolerance: 1e-6 };
    expect(await factsOf(a, b, options)).toEqual(present(expected.tolerant));
  });

  test("between types, integers beyond 2^53 included", async () => {
    expect(await factsOf(wide, narrow, { ignoreDType: true })).toEqual(present(expected.cast));
    const options = { ignoreDType: true, absoluteTolerance: 0, relativeTolerance: 2 ** -9 };
    expect(await factsOf(wide, narrow, options)).toEqual(present(expected.castTolerant));
  });

  test.each(Object.entries(expected.codes))("on the numbers of all codes of %s", (dtype, hash) => {
    const bytes = bitsOf(dtype as DType) / 8;
    const codes = new Uint8Array(2 ** (8 * bytes) * bytes);
    for (let code = 0; code < codes.length / bytes; code++) {
      codes[code * bytes] = code;
      if (bytes === 2) codes[code * 2 + 1] = code >> 8;
    }
    const numbers = new Float64Array(codes.length / bytes);
    elementDecoder(dtype as DType)?.decode(codes, numbers);
    // Setting each again gives NaN its usual form.
    const canonical = numbers.map((value) => (Number.isNaN(value) ? Number.NaN : value));
    expect(sha256(new Uint8Array(canonical.buffer))).toBe(hash);
  });
});

describe("diff", () => {
  test("finds a conversion equal, tied names that were dropped included", async () => {
    const output = join(temporaryFolder(), "out/");
    await command(["convert", samples.tied, output]);
    const { exit, json } = await commandJson(["diff", samples.tied, output]);
    expect(exit).toBe(0);
    expect(json).toMatchObject({
      equal: true,
      onlyInA: [],
      onlyInB: [],
      differing: [],
      a: { tensors: 5 },
      b: { tensors: 5 },
    });
    expect((await command(["diff", output, samples.tied])).out).toBe("equal: 5 tensors\n");
  });

  test("tells what is in one only, and of the rest the first reason, with exit code 10", async () => {
    const one = safetensorsOf({
      gone: ["F32", [1], [0, 0, 0, 0]],
      shape: ["U8", [2], [1, 2]],
      type: ["U8", [1], [1]],
      same: ["U8", [1], [1]],
    });
    const two = safetensorsOf({
      added: ["U8", [1], [0]],
      shape: ["U8", [2, 1], [1, 2]],
      type: ["I8", [1], [1]],
      same: ["U8", [1], [1]],
    });
    const folder = temporaryFolder();
    const paths = [join(folder, "one.safetensors"), join(folder, "two.safetensors")] as const;
    writeFileSync(paths[0], one);
    writeFileSync(paths[1], two);
    const { exit, json } = await commandJson(["diff", ...paths]);
    expect(exit).toBe(10);
    expect(json).toMatchObject({
      equal: false,
      onlyInA: ["gone"],
      onlyInB: ["added"],
      differing: [
        { name: "shape", reason: "shape", shapes: [[2], [2, 1]] },
        { name: "type", reason: "dtype", dtypes: ["U8", "I8"] },
      ],
    });
    const { out } = await command(["diff", ...paths]);
    expect(out).toContain("different: 2 of 3 tensors differ, 1 only in A");
    expect(await command(["diff", ...paths, "--quiet"])).toEqual({ exit: 10, out: "", err: "" });
  });

  test("counts every bit without a tolerance: minus zero, and NaN of other bits", async () => {
    const one = safetensorsOf({ x: ["F32", [3], [0, 0, 0, 0, 0, 0, 0xc0, 0x7f, 0, 0, 0xc0, 0x7f]] });
    const two = safetensorsOf({ x: ["F32", [3], [0, 0, 0, 0x80, 1, 0, 0xc0, 0x7f, 0, 0, 0xc0, 0x7f]] });
    expect((await diffBytes(one, two)).differing).toMatchObject([
      { count: 2, maxAbs: 0, at: [0], values: [0, -0] },
    ]);
    expect(await diffBytes(one, two, { absoluteTolerance: 0 })).toMatchObject({ equal: true });
  });

  test("spells NaN and infinities in JSON", async () => {
    const { json } = await commandJson(["diff", a, b]);
    const { differing } = json as { differing: readonly { name: string; maxAbs: unknown }[] };
    expect(differing.find(({ name }) => name === "F16")?.maxAbs).toBe("NaN");
  });

  test("stops at the first difference when it is to be brief, and has read little by then", async () => {
    const bytes = new Uint8Array(1_000_000);
    const one = safetensorsOf({ a: ["U8", [1_000_000], bytes], b: ["U8", [1_000_000], bytes] });
    const two = one.slice();
    two[one.length - 1_500_000] = 1;
    const steps: Progress[] = [];
    const options = {
      bufferBytes: 65_536,
      jobs: 1,
      brief: true,
      onProgress: (step: Progress) => steps.push(step),
    };
    const { differing, equal } = await diffBytes(one, two, options);
    expect({ equal, names: differing.map(({ name }) => name) }).toEqual({ equal: false, names: ["a"] });
    expect(steps.every(({ done }) => done < 1_500_000)).toBe(true);
  });

  test("refuses a file whose checksum belies it, also where both sides agree", async () => {
    const bytes = readFileSync(samples.network);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
    const damaged = join(temporaryFolder(), "damaged.pth");
    writeFileSync(damaged, bytes);
    const { exit, err } = await command(["diff", damaged, damaged]);
    expect(err).toContain("do not match their checksum");
    expect(exit).toBe(4);
  });

  test("refuses a negative tolerance", async () => {
    await expect(diff(a, b, { relativeTolerance: -1 })).rejects.toThrow("not negative");
  });

  test("finds what was changed, wherever it is and however it is cut", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 300 }),
        fc.array(fc.nat(299), { maxLength: 5 }),
        fc.integer({ min: 16, max: 100 }),
        async (bytes, changed, bufferBytes) => {
          const other = bytes.slice();
          for (const at of changed) if (at < other.length) other[at] = (bytes[at] as number) ^ 0x80;
          const [one, two] = [bytes, other].map((data) =>
            safetensorsOf({ x: ["U8", [data.length], data] }),
          ) as [Uint8Array, Uint8Array];
          const positions = [...bytes.keys()].filter((at) => bytes[at] !== other[at]);
          const { equal, differing } = await diffBytes(one, two, { bufferBytes });
          expect(equal).toBe(positions.length === 0);
          expect(differing[0]?.count ?? 0).toBe(positions.length);
          // All of them differ by 128, so the first is told.
          expect(differing[0]?.at?.[0]).toBe(positions[0]);
        },
      ),
    );
  });
});

test("bytes are equal exactly where Buffer.compare says so, on any border", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 64 }),
      fc.nat(63),
      fc.nat(9),
      fc.boolean(),
      (bytes, at, shift, change) => {
        const moved = new Uint8Array(bytes.length + shift);
        moved.set(bytes, shift);
        if (change && at < bytes.length) moved[shift + at] = (bytes[at] as number) ^ 1;
        const other = moved.subarray(shift);
        expect(sameBytes(bytes, other)).toBe(Buffer.compare(bytes, other) === 0);
      },
    ),
  );
});

type Entry = readonly [dtype: DType, shape: readonly number[], bytes: ArrayLike<number>];

/** A safetensors file of these tensors, in their order. */
function safetensorsOf(entries: Readonly<Record<string, Entry>>): Uint8Array {
  let at = 0;
  const header: Record<string, object> = {};
  for (const [name, [dtype, shape, bytes]] of Object.entries(entries)) {
    header[name] = { dtype, shape, data_offsets: [at, at + bytes.length] };
    at += bytes.length;
  }
  const json = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(json.length));
  const data = Object.values(entries).map(([, , bytes]) => Uint8Array.from(bytes));
  return Uint8Array.from(Buffer.concat([prefix, json, ...data]));
}

function diffBytes(one: Uint8Array, two: Uint8Array, options: Parameters<typeof diffModels>[3] = {}) {
  const inputs = [memoryInput("one.safetensors", one), memoryInput("two.safetensors", two)] as const;
  return diffModels(...inputs, builtinFormats, { bufferBytes: 4096, ...options });
}
