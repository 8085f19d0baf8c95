import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bytesSource } from "../../src/core/source.ts";
import { gathered, type StridedView } from "../../src/strides/strided.ts";

/** A view, a read of some of its elements, and where in memory the read goes. */
interface Read {
  readonly view: StridedView;
  readonly first: number;
  readonly count: number;
  readonly misaligned: number;
  readonly spare: number;
}

function reads(maxStride: number): fc.Arbitrary<Read> {
  const dimension = fc.record({
    size: fc.integer({ min: 1, max: 6 }),
    stride: fc.oneof(fc.nat(maxStride), fc.constantFrom(0, 1, 2, 6, 36)),
  });
  return fc
    .record({
      dimensions: fc.array(dimension, { maxLength: 4 }),
      offset: fc.nat(9),
      itemBytes: fc.constantFrom(1, 2, 4, 8, 16),
      from: fc.nat(),
      length: fc.nat(),
      misaligned: fc.nat(7),
      spare: fc.nat(40),
    })
    .map(({ dimensions, offset, itemBytes, from, length, misaligned, spare }) => {
      const shape = dimensions.map(({ size }) => size);
      const elements = shape.reduce((product, size) => product * size, 1);
      const first = from % elements;
      const view = {
        name: "view",
        offset,
        shape,
        strides: dimensions.map(({ stride }) => stride),
        itemBytes,
      };
      return { view, first, count: 1 + (length % (elements - first)), misaligned, spare };
    });
}

/** What the view shows, one element after the other. */
function naive({ offset, shape, strides, itemBytes }: StridedView, storage: Uint8Array): Uint8Array {
  const elements = shape.reduce((product, size) => product * size, 1);
  const result = new Uint8Array(elements * itemBytes);
  for (let element = 0; element < elements; element++) {
    let rest = element;
    let at = offset;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += (rest % (shape[axis] as number)) * (strides[axis] as number);
      rest = Math.floor(rest / (shape[axis] as number));
    }
    result.set(storage.subarray(at * itemBytes, (at + 1) * itemBytes), element * itemBytes);
  }
  return result;
}

function lastElement({ offset, shape, strides }: StridedView): number {
  return shape.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] as number), offset);
}

async function expectSameAsNaive({ view, first, count, misaligned, spare }: Read): Promise<void> {
  const storage = Uint8Array.from(
    { length: (lastElement(view) + 1 + spare) * view.itemBytes },
    (_, index) => (index * 31 + (index >> 8) * 7 + 1) % 256,
  );
  const memory = new Uint8Array(misaligned + count * view.itemBytes + 3).fill(0xee);
  const target = memory.subarray(misaligned, misaligned + count * view.itemBytes);
  await gathered(bytesSource("storage", storage), view).readInto(target, first * view.itemBytes);
  const expected = naive(view, storage).subarray(first * view.itemBytes, (first + count) * view.itemBytes);
  expect(Buffer.compare(target, expected)).toBe(0);
  // Nothing beside the target is touched.
  expect(memory.subarray(0, misaligned).every((byte) => byte === 0xee)).toBe(true);
  expect([...memory.subarray(-3)]).toEqual([0xee, 0xee, 0xee]);
}

describe("gathering a strided view gives what an element loop gives", () => {
  test("for any shape, strides, offset, element width, range and target", async () => {
    await fc.assert(fc.asyncProperty(reads(12), expectSameAsNaive), { numRuns: 3000 });
  });

  test("where strides are too wide to be read in one run", async () => {
    await fc.assert(fc.asyncProperty(reads(3000), expectSameAsNaive), { numRuns: 400 });
  });

  test("for a transposed matrix read in pieces of any size", async () => {
    const sides = fc.integer({ min: 1, max: 70 });
    await fc.assert(
      fc.asyncProperty(
        sides,
        sides,
        fc.integer({ min: 1, max: 500 }),
        fc.constantFrom(1, 2, 4, 8),
        async (rows, columns, step, itemBytes) => {
          const view = {
            name: "transposed",
            offset: 0,
            shape: [rows, columns],
            strides: [1, rows],
            itemBytes,
          };
          const storage = Uint8Array.from(
            { length: rows * columns * itemBytes },
            (_, index) => (index * 7) % 253,
          );
          const source = gathered(bytesSource("storage", storage), view);
          const whole = new Uint8Array(source.size);
          for (let at = 0; at < whole.length; at += step * itemBytes) {
            await source.readInto(whole.subarray(at, at + step * itemBytes), at);
          }
          expect(Buffer.compare(whole, naive(view, storage))).toBe(0);
        },
      ),
      { numRuns: 200 },
    );
  });

  test("where its matrices are large enough for tiles", async () => {
    const large = fc.record({
      sizes: fc.constantFrom(
        [300, 70, 5],
        [70, 300, 5],
        [3, 90, 290],
        [41, 8, 7, 77],
        [520, 100],
        [90, 2, 3, 61],
      ),
      order: fc.nat(),
      itemBytes: fc.constantFrom(1, 2, 4, 8, 16),
      padding: fc.constantFrom(0, 0, 3),
      from: fc.nat(),
      length: fc.nat(),
      misaligned: fc.nat(7),
    });
    await fc.assert(
      fc.asyncProperty(large, async ({ sizes, order, itemBytes, padding, from, length, misaligned }) => {
        const view = permuted(sizes, order, padding, itemBytes);
        const elements = sizes.reduce((product, size) => product * size, 1);
        const first = from % 3 === 0 ? 0 : from % elements;
        const count = length % 3 === 0 ? elements - first : 1 + (length % (elements - first));
        await expectSameAsNaive({ view, first, count, misaligned, spare: 0 });
      }),
      { numRuns: 150 },
    );
  });
});

describe("patches of a strided view", () => {
  // Small enough that views of a few hundred elements need them.
  const small = { shortRead: 64, longRead: 64, longRun: 16, patch: 256, longestWindow: 256 };
  const views = fc.record({
    sizes: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 2, maxLength: 5 }),
    order: fc.nat(),
    padding: fc.constantFrom(0, 0, 3),
    itemBytes: fc.constantFrom(1, 2, 4, 8, 16),
    misaligned: fc.nat(7),
  });

  test("have each byte once, where an element loop has it", async () => {
    let patched = 0;
    await fc.assert(
      fc.asyncProperty(views, async ({ sizes, order, padding, itemBytes, misaligned }) => {
        const view = permuted(sizes, order, padding, itemBytes);
        const storage = Uint8Array.from(
          { length: (lastElement(view) + 1) * itemBytes },
          (_, index) => (index * 31 + (index >> 8) * 7 + 1) % 256,
        );
        const source = gathered(bytesSource("storage", storage), view, small);
        if (source.patchwork === undefined) return;
        patched++;
        const whole = new Uint8Array(source.size);
        const times = new Uint8Array(source.size);
        for (const patch of source.patchwork.patches()) {
          const { offset, length, count, step } = patch;
          expect(length * count).toBeLessThanOrEqual(Math.max(small.patch, itemBytes));
          const target = new Uint8Array(misaligned + length * count).subarray(misaligned);
          await source.patchwork.readPatch(target, patch);
          for (let run = 0; run < count; run++) {
            const at = offset + run * step;
            whole.set(target.subarray(run * length, (run + 1) * length), at);
            for (let byte = at; byte < at + length; byte++) times[byte] = (times[byte] as number) + 1;
          }
        }
        expect(times.every((count) => count === 1)).toBe(true);
        expect(Buffer.compare(whole, naive(view, storage))).toBe(0);
      }),
      { numRuns: 1500 },
    );
    expect(patched).toBeGreaterThan(300);
  });

  test("are for views whose windows would have little of each read, and for no others", () => {
    const patchworkOf = (shape: readonly number[], strides: readonly number[]) => {
      const bytes = shape.reduce((product, size) => product * size, 4);
      const storage = { name: "storage", size: bytes, readInto: () => Promise.reject(new Error("read")) };
      return gathered(storage, { name: "view", offset: 0, shape, strides, itemBytes: 4 }).patchwork;
    };
    expect(patchworkOf([128, 128, 128, 128], [1, 128, 16_384, 2_097_152])).toBeDefined();
    expect(patchworkOf([3, 100_000_000], [1, 3])).toBeDefined();
    // A matrix of 1 GB has rows that are short enough; what fits a window as a whole needs nothing.
    expect(patchworkOf([16_384, 16_384], [1, 16_384])).toBeUndefined();
    expect(patchworkOf([32, 32, 32, 32], [1, 32, 1024, 32_768])).toBeUndefined();
  });

  test("leave no window that is longer than it may be", () => {
    const storage = { name: "storage", size: 2 ** 31, readInto: () => Promise.reject(new Error("read")) };
    const view = { name: "view", offset: 0, shape: [3, 100_000_000], strides: [1, 3], itemBytes: 4 };
    expect(gathered(storage, view).preferredBytes).toBe(40 * 1024 * 1024);
  });
});

/** A contiguous tensor with its dimensions in another order; `padding` elements are skipped between its innermost rows. */
function permuted(sizes: readonly number[], order: number, padding: number, itemBytes: number): StridedView {
  let below = 1;
  const dimensions = [...sizes].reverse().map((size, depth) => {
    const stride = below;
    below *= depth === 0 ? size + padding : size;
    return { size, stride };
  });
  let rest = order;
  const shuffled = sizes.map((_, taken) => {
    const [dimension] = dimensions.splice(rest % dimensions.length, 1);
    rest = Math.floor(rest / (sizes.length - taken));
    return dimension as { size: number; stride: number };
  });
  return {
    name: "permuted",
    offset: 2,
    shape: shuffled.map(({ size }) => size),
    strides: shuffled.map(({ stride }) => stride),
    itemBytes,
  };
}
