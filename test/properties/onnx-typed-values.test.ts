import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createByteBuilder } from "../../src/bytes/builder.ts";
import { createWireCursor } from "../../src/containers/protobuf/cursor.ts";
import { putBytes, putFloat, putInt, putInt64 } from "../../src/containers/protobuf/encode.ts";
import { addRun, type WireRun } from "../../src/containers/protobuf/repeated.ts";
import { createContext } from "../../src/core/context.ts";
import { type ByteSource, bytesSource, readBytes } from "../../src/core/source.ts";
import { packSixes } from "../../src/formats/onnx/pack-sixes.ts";
import { fixedValues, varintValues } from "../../src/formats/onnx/typed-values.ts";

const site = { tensor: "w" };
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
/** Values in groups: a list is packed, a single one has a tag. */
const groups = fc.array(fc.oneof(int64, fc.array(int64, { maxLength: 6 })), { maxLength: 20 });

async function runsIn(source: ByteSource): Promise<readonly WireRun[]> {
  const cursor = createWireCursor(source, createContext());
  const runs: WireRun[] = [];
  await cursor.walk(cursor.root, (field) => addRun(runs, field));
  return runs;
}

function encoded(values: readonly (bigint | readonly bigint[])[]): ByteSource {
  const builder = createByteBuilder();
  const list = createByteBuilder();
  for (const item of values) {
    if (typeof item === "bigint") putInt(builder, 5, item);
    else {
      for (const value of item) putInt64(list, value);
      putBytes(builder, 5, list.finish());
    }
  }
  return bytesSource("sample", builder.finish());
}

/** The lowest bytes of each value. */
function cut(values: readonly bigint[], itemBytes: number): Uint8Array {
  const bytes = new Uint8Array(values.length * itemBytes);
  for (const [index, value] of values.entries()) {
    for (let byte = 0; byte < itemBytes; byte++)
      bytes[index * itemBytes + byte] = Number((value >> BigInt(8 * byte)) & 0xffn);
  }
  return bytes;
}

describe("numbers in lists are bytes", () => {
  test.each([1, 2, 4, 8])("cut to %i of them, in any part and order", async (itemBytes) => {
    await fc.assert(
      fc.asyncProperty(groups, fc.nat(), fc.nat(), async (list, a, b) => {
        const source = encoded(list);
        const values = list.flat();
        const wanted = cut(values, itemBytes);
        const found = varintValues(source, await runsIn(source), itemBytes, values.length, site);
        const [from = 0, to = 0] = [a, b].map((at) => at % (values.length + 1)).sort((x, y) => x - y);
        const part = await readBytes(found, from * itemBytes, to * itemBytes);
        expect(part).toEqual(wanted.subarray(from * itemBytes, to * itemBytes));
        expect(await readBytes(found, 0, found.size)).toEqual(wanted);
      }),
    );
  });

  test("of which many are found again without counting from the first", async () => {
    const values = Array.from({ length: 150_000 }, (_, index) => BigInt(index) ** 3n);
    const source = encoded([values.slice(0, 40_000), values[40_000] as bigint, values.slice(40_001)]);
    let bytesRead = 0;
    const counted: ByteSource = {
      ...source,
      readInto(target, offset) {
        bytesRead += target.length;
        return source.readInto(target, offset);
      },
    };
    const found = varintValues(counted, await runsIn(source), 8, values.length, site);
    const wanted = cut(values, 8);
    for (const [from, to] of [
      [100_000, 100_010],
      [5, 20],
      [32_767, 32_769],
      [39_990, 40_020],
      [149_000, 150_000],
      [98_304, 98_305],
    ] as const)
      expect(await readBytes(found, from * 8, to * 8), `${from}`).toEqual(wanted.subarray(from * 8, to * 8));
    bytesRead = 0;
    await readBytes(found, 140_000 * 8, 140_001 * 8);
    expect(bytesRead).toBeLessThan(source.size / 3);
  });

  test("of fixed width, packed or not, in any part", async () => {
    const floats = fc.array(fc.float({ noNaN: true }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.oneof(fc.float({ noNaN: true }), floats)), fc.nat(), async (list, at) => {
        const builder = createByteBuilder();
        for (const item of list) {
          if (typeof item === "number") putFloat(builder, 4, item);
          else putBytes(builder, 4, new Uint8Array(Float32Array.from(item).buffer));
        }
        const source = bytesSource("sample", builder.finish());
        const wanted = new Uint8Array(Float32Array.from(list.flat()).buffer);
        const found = fixedValues(source, await runsIn(source), 4, wanted.length, site);
        const from = (at % (wanted.length / 4 + 1)) * 4;
        expect(await readBytes(found, from, found.size)).toEqual(wanted.subarray(from));
      }),
    );
  });

  test("of six bits lie four in three bytes", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255))),
        async (fours) => {
          const codes = bytesSource("codes", Uint8Array.from(fours.flat()));
          let stream = 0n;
          for (const [index, code] of fours.flat().entries())
            stream |= BigInt(code & 63) << BigInt(6 * index);
          const wanted = cut([stream], fours.length * 3);
          expect(await readBytes(packSixes(codes), 0, fours.length * 3)).toEqual(wanted);
          if (fours.length > 1)
            expect(await readBytes(packSixes(codes), 3, 6)).toEqual(wanted.subarray(3, 6));
        },
      ),
    );
  });
});
