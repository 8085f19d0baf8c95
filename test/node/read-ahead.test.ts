import fc from "fast-check";
import { expect, test } from "vitest";
import { createReadAhead } from "../../src/node/read-ahead.ts";

const file = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 31 + (index >> 8)) & 255);

/** Reads ahead in `file`, or answers a read that is not served itself. */
function reader() {
  let calls = 0;
  function readSome(target: Uint8Array, offset: number): number {
    calls++;
    const part = file.subarray(offset, offset + target.length);
    target.set(part);
    return part.length;
  }
  const ahead = createReadAhead(readSome);
  return {
    get calls() {
      return calls;
    },
    read(offset: number, length: number): Uint8Array {
      const target = new Uint8Array(length);
      if (!ahead.serve(target, offset)) readSome(target, offset);
      return target;
    },
  };
}

test("small reads in a row become a few large ones, in several rows at once", () => {
  const source = reader();
  const starts = [0, 100_000, 200_000];
  for (let step = 0; step < 500; step++) {
    for (const start of starts) {
      const offset = start + step * 128;
      expect(source.read(offset, 16)).toEqual(file.slice(offset, offset + 16));
    }
  }
  expect(source.calls).toBeLessThan(20);
});

test("whatever is read in whatever order, the bytes are those of the file", () => {
  const jump = fc.record({ to: fc.nat(file.length - 6000), length: fc.integer({ min: 0, max: 6000 }) });
  const step = fc.record({ by: fc.nat(1200), length: fc.integer({ min: 0, max: 300 }) });
  fc.assert(
    fc.property(fc.array(fc.oneof(jump, step, step, step), { maxLength: 60 }), (reads) => {
      const source = reader();
      let at = 0;
      for (const read of reads) {
        const offset = "to" in read ? read.to : Math.min(at + read.by, file.length - read.length);
        expect(source.read(offset, read.length)).toEqual(file.slice(offset, offset + read.length));
        at = offset + read.length;
      }
    }),
  );
});

test("nothing at all can be read, as often as one likes", () => {
  const source = reader();
  for (let step = 0; step < 10; step++) expect(source.read(0, 0)).toEqual(new Uint8Array(0));
});

test("large reads, and small ones here and there, are left to the caller", () => {
  const source = reader();
  for (let step = 0; step < 20; step++) source.read((step * 7919) % 290_000, 100);
  for (let step = 0; step < 20; step++) source.read(step * 8192, 8192);
  expect(source.calls).toBe(40);
});
