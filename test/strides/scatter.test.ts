import fc from "fast-check";
import { expect, test } from "vitest";
import type { Axis } from "../../src/strides/axis.ts";
import { scatter, scatterElements } from "../../src/strides/scatter.ts";
import { findMatrices } from "../../src/strides/scatter-tiles.ts";

/** A stack of matrices in a buffer, with gaps on both sides, to be transposed one by one. */
const stacks = fc
  .record({
    rows: fc.integer({ min: 1, max: 300 }),
    columns: fc.integer({ min: 1, max: 300 }),
    depth: fc.integer({ min: 1, max: 3 }),
    gap: fc.nat(3),
    itemBytes: fc.constantFrom(1, 2, 4, 8, 16),
  })
  .map(({ rows, columns, depth, gap, itemBytes }) => {
    const axes: Axis[] = [
      { size: columns, from: itemBytes, to: (rows + gap) * itemBytes },
      { size: rows, from: (columns + gap) * itemBytes, to: itemBytes },
      {
        size: depth,
        from: rows * (columns + gap) * itemBytes,
        to: columns * (rows + gap) * itemBytes,
      },
    ];
    const bytes = (rows + gap) * (columns + gap) * depth * itemBytes;
    return { axes, bytes, itemBytes };
  });

test("tiles move the same bytes as single elements, and touch nothing between them", () => {
  fc.assert(
    fc.property(stacks, ({ axes, bytes, itemBytes }) => {
      const span = Uint8Array.from({ length: bytes }, (_, index) => (index * 31 + (index >> 8) * 7) % 251);
      const byTiles = new Uint8Array(bytes).fill(0xee);
      const byElements = new Uint8Array(bytes).fill(0xee);
      scatter(span, byTiles, 0, axes, itemBytes);
      scatterElements(span, byElements, 0, axes, itemBytes);
      expect(Buffer.compare(byTiles, byElements)).toBe(0);
    }),
    { numRuns: 200 },
  );
});

test("a matrix is worth tiles where its lines are long on both sides", () => {
  const matrix = (rows: number, columns: number): Axis[] => [
    { size: columns, from: 4, to: 4 * rows },
    { size: rows, from: 4 * columns, to: 4 },
  ];
  expect(findMatrices(matrix(64, 64), 4)?.near.size).toBe(64);
  expect(findMatrices(matrix(3, 5000), 4)).toBeUndefined();
  expect(findMatrices([{ size: 5000, from: 4, to: 4 }], 4)).toBeUndefined();
});
