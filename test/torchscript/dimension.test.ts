import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addDimensions,
  type Dimension,
  dimensionText,
  divideDimensions,
  hintOf,
  isSameDimension,
  multiplyDimensions,
  remainderOfDimensions,
  subtractDimensions,
  symbol,
} from "../../src/torchscript/shapes/dimension.ts";

const dimensions: fc.Arbitrary<Dimension> = fc.letrec<{ tree: Dimension }>((tie) => ({
  tree: fc.oneof(
    { depthSize: "small" },
    fc.integer({ min: 0, max: 9 }),
    fc.constantFrom(symbol("N", 6), symbol("H", 32), symbol("W", 48)),
    fc.tuple(tie("tree"), tie("tree")).map(([a, b]) => addDimensions(a, b)),
    fc.tuple(tie("tree"), tie("tree")).map(([a, b]) => multiplyDimensions(a, b)),
    fc.tuple(tie("tree"), fc.integer({ min: 1, max: 8 })).map(([a, b]) => divideDimensions(a, b)),
  ),
})).tree;

describe("sizes that depend on the inputs", () => {
  test("follow the numbers of the example through all arithmetic", () => {
    fc.assert(
      fc.property(dimensions, dimensions, fc.integer({ min: 1, max: 9 }), (a, b, divisor) => {
        const [x, y] = [hintOf(a) as number, hintOf(b) as number];
        expect(hintOf(addDimensions(a, b))).toBe(x + y);
        expect(hintOf(subtractDimensions(a, b))).toBe(x - y);
        expect(hintOf(multiplyDimensions(a, b))).toBe(x * y);
        expect(hintOf(divideDimensions(a, divisor))).toBe(Math.floor(x / divisor));
        expect(hintOf(remainderOfDimensions(a, divisor))).toBe(x % divisor);
      }),
    );
  });

  test("are the same however they were put together", () => {
    fc.assert(
      fc.property(dimensions, dimensions, dimensions, (a, b, c) => {
        const left = multiplyDimensions(a, addDimensions(b, c));
        const right = addDimensions(multiplyDimensions(c, a), multiplyDimensions(b, a));
        expect(isSameDimension(left, right)).toBe(true);
        expect(subtractDimensions(addDimensions(a, b), b)).toEqual(a);
      }),
    );
  });

  test("divide evenly where each part does", () => {
    const n = symbol("N", 6);
    expect(divideDimensions(multiplyDimensions(n, 12), 4)).toEqual(multiplyDimensions(n, 3));
    expect(divideDimensions(multiplyDimensions(n, 12), n)).toBe(12);
    expect(dimensionText(divideDimensions(addDimensions(n, 1), 2))).toBe("((N + 1) // (2))");
  });
});
