import { readdirSync, readFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { chooseStateDict } from "../../../src/convert/open/choose-state-dict.ts";
import { openModel } from "../../../src/convert/open/open-model.ts";
import { createContext } from "../../../src/core/context.ts";
import { defaultLimits } from "../../../src/core/limits.ts";
import { createScratchPool } from "../../../src/core/scratch.ts";
import { bytesSource, readBytes } from "../../../src/core/source.ts";
import { builtinFormats } from "../../../src/formats/index.ts";
import { assembled } from "../../../src/formats/pytorch/distributed/assembled.ts";
import { type Box, createChunkGrid } from "../../../src/formats/pytorch/distributed/chunk-grid.ts";
import { convert, inspect } from "../../../src/node.ts";
import { fixtures, temporaryFolder } from "../../support/files.ts";
import { memoryFolder } from "../../support/memory-folder.ts";
import { outcomeOf } from "../../support/outcome.ts";

const folder = joinPath(fixtures, "pytorch/more/folders/torch-2.13");

/** A checkpoint's files in memory. */
function filesOf(name: string): Record<string, Uint8Array> {
  const path = joinPath(folder, name);
  return Object.fromEntries(
    readdirSync(path).map((file) => [file, Uint8Array.from(readFileSync(joinPath(path, file)))]),
  );
}

/** Reads every tensor; returns how many there are. */
async function readAll(files: Record<string, Uint8Array>): Promise<number> {
  const context = createContext({
    limits: { headerBytes: 1_000_000, entries: 10_000, expandedBytes: 1_000_000 },
  });
  const input = { folder: memoryFolder(files), name: ".metadata" };
  const { checkpoint, name } = await openModel(input, { formats: builtinFormats }, context);
  const { tensors } = chooseStateDict(checkpoint, undefined, name, context).load();
  for (const { payload } of tensors.values()) await readBytes(payload, 0, payload.size, context);
  return tensors.size;
}

/** The same bytes with one text in place of another of the same length. */
function replaced(bytes: Uint8Array, from: string, to: string): Uint8Array {
  const at = Buffer.from(bytes).indexOf(from, 0, "latin1");
  expect(at, `${from} is there`).toBeGreaterThan(0);
  const copy = bytes.slice();
  copy.set(Buffer.from(to, "latin1"), at);
  return copy;
}

describe("a folder of a distributed checkpoint", () => {
  test("is known by its .metadata and converts as a folder", async () => {
    const output = joinPath(temporaryFolder(), "model.safetensors");
    const result = await convert(joinPath(folder, "distributed-two-ranks"), output);
    expect(result.input.container).toBe("distributed");
    expect(result.tensors).toBe(7);
    expect(result.dropped.map(({ name }) => name)).toEqual(["note"]);
  });

  test("takes the model and not the optimizer", async () => {
    const report = await inspect(joinPath(folder, "distributed-training"));
    expect(report.selected).toBe("model");
    expect(report.extras.map(({ name }) => name)).toEqual(expect.arrayContaining(["optimizer", "epoch"]));
  });

  test("is not read by one of its parts", async () => {
    await expect(inspect(joinPath(folder, "distributed/__0_0.distcp"))).rejects.toMatchObject({
      kind: "unsupported",
      message: "this is one part of a distributed checkpoint",
    });
  });
});

describe("a distributed checkpoint is refused", () => {
  const sound = filesOf("distributed-two-ranks");
  const metadata = sound[".metadata"] as Uint8Array;

  test("without one of its files", async () => {
    const { "__1_0.distcp": _, ...rest } = sound;
    await expect(readAll(rest)).rejects.toMatchObject({
      kind: "io",
      message: expect.stringContaining("__1_0.distcp"),
    });
  });

  test("with a file that is cut short", async () => {
    const file = sound["__1_0.distcp"] as Uint8Array;
    for (let size = 0; size < file.length; size += 64) {
      await expect(
        readAll({ ...sound, "__1_0.distcp": file.slice(0, size) }),
        `cut at ${size}`,
      ).rejects.toMatchObject({
        name: "ConvertError",
      });
    }
  });

  test("with a shape that its chunks do not fill", async () => {
    // The shape of "rows", [5, 4], becomes [6, 4]: BININT1 5, BININT1 4, TUPLE2.
    const damaged = replaced(metadata, "K\x05K\x04\x86", "K\x06K\x04\x86");
    await expect(readAll({ ...sound, ".metadata": damaged })).rejects.toMatchObject({
      kind: "malformed",
      message: "the chunks do not cover the whole tensor",
    });
  });

  test("with chunks of another type than it says", async () => {
    const damaged = replaced(metadata, "int64", "int16");
    await expect(readAll({ ...sound, ".metadata": damaged })).rejects.toMatchObject({
      kind: "malformed",
      message: expect.stringContaining("should be int16"),
    });
  });

  test("with a file outside of its folder", async () => {
    const files = replaced(metadata, "__1_0.distcp", "../../a.pick");
    await expect(readAll({ ...sound, ".metadata": files })).rejects.toMatchObject({ kind: "io" });
  });

  test("with any byte wrong, or it is read", async () => {
    for (let at = 0; at < metadata.length; at += 3) {
      const damaged = metadata.slice();
      damaged[at] = (damaged[at] as number) ^ (1 << (at % 8));
      await outcomeOf(() => readAll({ ...sound, ".metadata": damaged }));
    }
  });
});

/** A shape cut along each dimension, and the boxes of its cells in any order. */
const tiling = fc
  .array(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }), { maxLength: 3 })
  .chain((parts) => {
    const boxes = parts.reduce<readonly Box[]>(
      (outer, sizes) => {
        const starts = sizes.map((_, index) => sizes.slice(0, index).reduce((sum, size) => sum + size, 0));
        return outer.flatMap((box) =>
          sizes.map((size, index) => ({
            offsets: [...box.offsets, starts[index] as number],
            sizes: [...box.sizes, size],
          })),
        );
      },
      [{ offsets: [], sizes: [] }],
    );
    const shape = parts.map((sizes) => sizes.reduce((sum, size) => sum + size, 0));
    return fc.record({
      shape: fc.constant(shape),
      boxes: fc.shuffledSubarray([...boxes], { minLength: boxes.length }),
      itemBytes: fc.constantFrom(1, 2, 8),
    });
  });

/** The element at a place of a tensor whose elements are their own numbers, in `itemBytes` equal bytes each. */
function numbered(shape: readonly number[], { offsets, sizes }: Box, itemBytes: number): Uint8Array {
  const bytes: number[] = [];
  const count = sizes.reduce((product, size) => product * size, 1);
  for (let element = 0; element < count; element++) {
    let rest = element;
    let position = 0;
    let below = 1;
    for (let dim = sizes.length - 1; dim >= 0; dim--) {
      const size = sizes[dim] as number;
      position += ((rest % size) + (offsets[dim] as number)) * below;
      rest = Math.floor(rest / size);
      below *= shape[dim] as number;
    }
    for (let byte = 0; byte < itemBytes; byte++) bytes.push(position % 251);
  }
  return Uint8Array.from(bytes);
}

describe("a tensor in chunks", () => {
  test("reads as the whole, for any cuts and any range", async () => {
    await fc.assert(
      fc.asyncProperty(tiling, fc.nat(), fc.nat(), async ({ shape, boxes, itemBytes }, one, other) => {
        const grid = createChunkGrid(shape, boxes, defaultLimits, {});
        const source = assembled({
          name: "sample",
          grid,
          itemBytes,
          open: async (index) => bytesSource("chunk", numbered(shape, grid.boxes[index] as Box, itemBytes)),
          release: () => undefined,
        });
        const whole = numbered(shape, { offsets: shape.map(() => 0), sizes: shape }, itemBytes);
        const elements = whole.length / itemBytes;
        const [start, end] = [one % (elements + 1), other % (elements + 1)].sort((a, b) => a - b);
        const target = new Uint8Array(((end as number) - (start as number)) * itemBytes);
        await source.readInto(target, (start as number) * itemBytes, { scratch: createScratchPool() });
        expect(target).toEqual(whole.subarray((start as number) * itemBytes, (end as number) * itemBytes));
      }),
    );
  });

  test("is refused where one of them is missing or comes twice", () => {
    fc.assert(
      fc.property(tiling, fc.nat(), ({ shape, boxes }, choice) => {
        const box = boxes[choice % boxes.length] as Box;
        const site = { file: "sample" };
        const others = boxes.filter((other) => other !== box);
        expect(() => createChunkGrid(shape, others, defaultLimits, site)).toThrow("do not cover");
        expect(() => createChunkGrid(shape, [...boxes, { ...box }], defaultLimits, site)).toThrow("overlap");
      }),
    );
  });

  test("is refused where they make more cells than the limit", () => {
    const boxes: Box[] = [];
    // A thousand rows above, a thousand columns below: a million cells of two thousand chunks.
    for (let at = 0; at < 1000; at++) {
      boxes.push({ offsets: [at, 0], sizes: [1, 1000] });
      boxes.push({ offsets: [1000, at], sizes: [1000, 1] });
    }
    const limits = { ...defaultLimits, entries: 100_000 };
    expect(() => createChunkGrid([2000, 1000], boxes, limits, {})).toThrow(
      "the number of pieces of one tensor",
    );
  });
});
