import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Chunk, cutIntoChunks, shortLateBytes } from "../../src/convert/run/chunks.ts";
import { tensorDict } from "../../src/core/dict.ts";
import { type Piece, pieceSize, plannedFile } from "../../src/core/plan.ts";
import { type ByteSource, bytesSource } from "../../src/core/source.ts";
import type { LazyTensor } from "../../src/core/tensor.ts";
import { parseShardIndex, writeShardIndex } from "../../src/shards/index-file.ts";
import { indexName, parseShardName, shardName } from "../../src/shards/naming.ts";
import { planShards } from "../../src/shards/planner.ts";
import { parseSize } from "../../src/shards/size.ts";
import { tensorName } from "../support/arbitrary-dict.ts";
import { outcomeOf } from "../support/outcome.ts";

/** Tensors of some sizes, a few of them on storages that others use too. */
const sized = fc
  .array(fc.record({ bytes: fc.nat(60), storage: fc.option(fc.nat(3)), contiguous: fc.boolean() }), {
    maxLength: 20,
  })
  .map((entries) => {
    const storageBytes = new Map<number, number>();
    for (const { bytes, storage } of entries)
      if (storage !== null) storageBytes.set(storage, Math.max(bytes, storageBytes.get(storage) ?? 0));
    const tensors = entries.map(({ bytes, storage, contiguous }, index): [string, LazyTensor] => {
      const payload = bytesSource("payload", new Uint8Array(bytes));
      const size = storage === null ? bytes : (storageBytes.get(storage) as number);
      const view = {
        storage: String(storage),
        source: bytesSource("storage", new Uint8Array(size)),
        start: 0,
        end: bytes,
        strides: [1],
        contiguous,
      };
      return [
        `tensor ${index}`,
        { dtype: "U8", shape: [bytes], payload, view: storage === null ? undefined : view },
      ];
    });
    return tensorDict(new Map(tensors));
  });

describe("the shard planner", () => {
  test("places every tensor once, keeps to the limit, and leaves no shard empty", () => {
    fc.assert(
      fc.property(sized, fc.integer({ min: 1, max: 150 }), (dict, maxBytes) => {
        const shards = planShards(dict, maxBytes);
        const placed = shards.flatMap(({ names }) => names);
        expect([...placed].sort()).toEqual([...dict.tensors.keys()].sort());
        for (const { names, bytes } of shards) {
          expect(names.length).toBeGreaterThan(0);
          const storages = new Set(names.map((name) => dict.tensors.get(name)?.view?.storage ?? name));
          if (bytes > maxBytes) expect(storages.size).toBe(1);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("keeps tensors of one storage together", () => {
    fc.assert(
      fc.property(sized, fc.integer({ min: 1, max: 150 }), (dict, maxBytes) => {
        const shardOf = new Map<string, number>();
        for (const [index, { names }] of planShards(dict, maxBytes).entries()) {
          for (const name of names) {
            const tensor = dict.tensors.get(name) as LazyTensor;
            if (!tensor.view?.contiguous || tensor.view.source.size === 0) continue;
            expect(shardOf.get(tensor.view.storage) ?? index).toBe(index);
            shardOf.set(tensor.view.storage, index);
          }
        }
      }),
      { numRuns: 1000 },
    );
  });

  test("needs one shard where everything fits, and the same shards for the same dict", () => {
    fc.assert(
      fc.property(sized, fc.integer({ min: 1, max: 150 }), (dict, maxBytes) => {
        expect(planShards(dict, maxBytes)).toEqual(planShards(dict, maxBytes));
        expect(planShards(dict, Number.POSITIVE_INFINITY).length).toBe(dict.tensors.size === 0 ? 0 : 1);
      }),
    );
  });
});

describe("sizes on the command line", () => {
  const units = {
    "": 1,
    B: 1,
    KB: 1e3,
    MB: 1e6,
    GB: 1e9,
    TB: 1e12,
    KiB: 2 ** 10,
    MiB: 2 ** 20,
    GiB: 2 ** 30,
    TiB: 2 ** 40,
  };

  test("mean the number times the unit, in any letter case", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4000 }),
        fc.constantFrom(...Object.entries(units)),
        fc.boolean(),
        (number, [unit, factor], lower) => {
          const text = `${number}${unit}`;
          expect(parseSize(lower ? text.toLowerCase() : text)).toBe(number * factor);
          expect(parseSize(` ${number} ${unit} `)).toBe(number * factor);
          expect(parseSize(`${number}.5${unit}`)).toBe(Math.floor((number + 0.5) * factor));
        },
      ),
    );
  });

  test("are whole and positive, or refused as a matter of usage", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(..."0123456789.-+eE kmgtibB_") })),
        async (text) => {
          const { value, error } = await outcomeOf(() => parseSize(text));
          if (error) expect(error.kind).toBe("usage");
          else expect(Number.isSafeInteger(value) && (value as number) > 0).toBe(true);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe("a shard index", () => {
  const file = fc
    .integer({ min: 1, max: 99999 })
    .map((number) => shardName("model", ".safetensors", number, 99999));
  const index = fc.record({
    weightMap: fc.uniqueArray(fc.tuple(tensorName, file), { selector: ([name]) => name, maxLength: 8 }),
    metadata: fc.uniqueArray(
      fc.tuple(
        fc.string({ unit: "binary" }).filter((key) => key !== "total_size"),
        fc.string({ unit: "binary" }),
      ),
      {
        selector: ([key]) => key,
        maxLength: 4,
      },
    ),
  });

  test("reads back as it was written, in ASCII and in order", () => {
    fc.assert(
      fc.property(index, fc.nat(), ({ weightMap, metadata }, totalBytes) => {
        const bytes = writeShardIndex(
          { weightMap: new Map(weightMap), metadata: new Map(metadata) },
          totalBytes,
        );
        expect(bytes.every((byte) => byte < 0x7f)).toBe(true);
        const back = parseShardIndex(bytes, "index");
        expect([...back.weightMap]).toEqual(weightMap);
        expect([...back.metadata]).toEqual(metadata);
        expect(JSON.parse(Buffer.from(bytes).toString()).metadata.total_size).toBe(totalBytes);
      }),
      { numRuns: 500 },
    );
  });

  test("names only files that lie beside it", async () => {
    const path = fc.oneof(
      fc.string({ unit: fc.constantFrom(..."./\\:ab\0\n"), maxLength: 8 }),
      fc.constantFrom("..", ".", "", "/etc/passwd", "C:x", "a/../../b"),
    );
    await fc.assert(
      fc.asyncProperty(path, async (name) => {
        const bytes = Buffer.from(JSON.stringify({ weight_map: { weight: name } }));
        const { value, error } = await outcomeOf(() => parseShardIndex(bytes, "index"));
        if (error) expect(error.kind).toBe("unsafe");
        else expect(value?.weightMap.get("weight")).toMatch(/^(?!\.\.?$)[.ab]+$/);
      }),
      { numRuns: 1000 },
    );
  });

  test("tells its shards by their names", () => {
    const stem = fc
      .string({ unit: "grapheme", maxLength: 8 })
      .filter((text) => !/[/\\\n\r\u2028\u2029]/.test(text));
    fc.assert(
      fc.property(
        stem,
        fc.integer({ min: 1, max: 99999 }),
        fc.integer({ min: 1, max: 99999 }),
        (name, number, count) => {
          const parsed = parseShardName(shardName(name, ".safetensors", number, count));
          expect(parsed).toEqual({ stem: name, extension: ".safetensors", number, count });
          expect(parseShardName(indexName(name, ".safetensors"))).toBeUndefined();
        },
      ),
    );
  });
});

describe("cutting a file into chunks", () => {
  const piece: fc.Arbitrary<Piece> = fc.oneof(
    fc
      .nat(shortLateBytes)
      .map((size): Piece => ({ kind: "late", size, needs: [], build: () => new Uint8Array(size) })),
    fc.nat(40).map((size): Piece => ({ kind: "bytes", bytes: new Uint8Array(size) })),
    fc.tuple(fc.nat(40), fc.constantFrom(undefined, 1, 2, 4, 8, 16)).map(([count, granule]): Piece => {
      const size = count * (granule ?? 1);
      const source: ByteSource = { ...bytesSource("payload", new Uint8Array(size)), granule };
      return { kind: "payload", tensor: "t", source };
    }),
  );

  test("covers each byte once, in order, in chunks that fit, cut between elements", () => {
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 12 }),
        fc.integer({ min: shortLateBytes, max: 200 }),
        (pieces, chunkBytes) => {
          const chunks: Chunk[] = [...cutIntoChunks(plannedFile("f", pieces, 0), chunkBytes, "any")];
          let position = 0;
          const reached = new Map(pieces.map((item) => [item, 0]));
          for (const chunk of chunks) {
            expect(chunk.position).toBe(position);
            expect(chunk.size).toBeGreaterThan(0);
            expect(chunk.size).toBeLessThanOrEqual(chunkBytes);
            expect(chunk.parts.reduce((sum, { from, to }) => sum + to - from, 0)).toBe(chunk.size);
            for (const { piece: item, from, to } of chunk.parts) {
              expect(from).toBe(reached.get(item));
              expect(to).toBeGreaterThan(from);
              if (item.kind === "payload")
                expect([from % (item.source.granule ?? 1), to % (item.source.granule ?? 1)]).toEqual([0, 0]);
              if (item.kind === "late") expect([from, to]).toEqual([0, item.size]);
              reached.set(item, to);
            }
            position += chunk.size;
          }
          for (const item of pieces) expect(reached.get(item)).toBe(pieceSize(item));
        },
      ),
      { numRuns: 2000 },
    );
  });
});
