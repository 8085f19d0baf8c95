import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytesSource } from "../../src/core/source.ts";
import { assembleParameter, assembleStored } from "../../src/formats/onnx/names/assemble.ts";
import { type Block, run, transposed } from "../../src/formats/onnx/names/blocks.ts";
import { scopePath } from "../../src/formats/onnx/names/scope-path.ts";

/** A parameter that is stored transposed, in rows of one tensor, or in gates of another order. */
const layouts: fc.Arbitrary<{
  readonly shape: readonly [number, number];
  readonly blocks: readonly Block[];
}> = fc
  .record({ rows: fc.integer({ min: 1, max: 9 }), columns: fc.integer({ min: 1, max: 9 }) })
  .chain(({ rows, columns }) =>
    fc.oneof(
      fc.constant({ shape: [rows, columns] as const, blocks: [transposed("p", "s", [rows, columns])] }),
      fc.shuffledSubarray([0, 1, 2, 3], { minLength: 4 }).map((order) => ({
        shape: [rows * 4, columns] as const,
        blocks: order.map((gate, place) =>
          run("p", gate * rows * columns, "s", place * rows * columns, rows * columns),
        ),
      })),
    ),
  );

describe("blocks are followed both ways", () => {
  test("what goes into a graph comes out of it", async () => {
    await fc.assert(
      fc.asyncProperty(
        layouts,
        fc.constantFrom(1, 2, 4, 8),
        fc.nat(),
        async ({ shape, blocks }, itemBytes, seed) => {
          const size = shape[0] * shape[1] * itemBytes;
          const bytes = Uint8Array.from({ length: size }, (_, at) => (at * 7 + seed) % 251);
          const assembly = { name: "x", shape, itemBytes, blocks };
          const stored = assembleStored(assembly, () => bytesSource("p", bytes));
          const back = assembleParameter(assembly, () => stored);
          expect([stored.size, back.size]).toEqual([size, size]);
          const found = new Uint8Array(size);
          await back.readInto(found, 0);
          expect(found).toEqual(bytes);
        },
      ),
    );
  });

  test("a transposed weight is transposed", async () => {
    const blocks = [transposed("p", "s", [2, 3])];
    const stored = assembleStored({ name: "s", shape: [3, 2], itemBytes: 1, blocks }, () =>
      bytesSource("p", Uint8Array.of(1, 2, 3, 4, 5, 6)),
    );
    const found = new Uint8Array(6);
    await stored.readInto(found, 0);
    expect([...found]).toEqual([1, 4, 2, 5, 3, 6]);
  });
});

describe("the module path in a node's name", () => {
  test.each([
    ["/features/features.1/features.1.0/block/block.0/block.0.0/Conv", "features.1.0.block.0.0", undefined],
    ["/layer1/0/conv1/Conv", "layer1.0.conv1", undefined],
    ["/layers.0/layers.0/Gemm", "layers.0.layers.0", undefined],
    ["/Conv_3", "", undefined],
    ["/a/fc_1/MatMul", "a.fc_1", "a.fc"],
  ])("%s is %s", (name, path, withoutCount) => {
    expect(scopePath({ name, metadata: new Map() })).toEqual({ path, withoutCount });
  });

  test("is not in names of older exporters", () => {
    expect(scopePath({ name: "Conv_12", metadata: new Map() })).toBeUndefined();
  });
});
