import { crc32 as zlibCrc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { combineCrc32, crc32 } from "../../src/bytes/crc32.ts";
import { readUint64, roundUp, safeProduct } from "../../src/bytes/size.ts";
import { compareUtf8, decodeSurrogatePass, decodeUtf8, isWellFormed } from "../../src/bytes/utf8.ts";

/** Text of any 16-bit units, lone surrogates and byte order marks among them. */
const anyUnits = fc.string({
  unit: fc
    .oneof(
      fc.integer({ min: 0, max: 0x7f }),
      fc.integer({ min: 0xd700, max: 0xe100 }),
      fc.constantFrom(0xfeff, 0xfffd, 0xffff),
    )
    .map((unit) => String.fromCharCode(unit)),
  maxLength: 60,
});
const wellFormed = fc.string({ unit: "binary", maxLength: 12 });

/** Python's `text.encode("utf-8", "surrogatepass")`. */
function encodeSurrogatePass(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    if (isWellFormed(character)) bytes.push(...Buffer.from(character));
    else bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
  }
  return Uint8Array.from(bytes);
}

describe("UTF-8", () => {
  test("orders strings as their bytes are ordered", () => {
    fc.assert(
      fc.property(wellFormed, wellFormed, wellFormed, (start, left, right) => {
        const expected = Buffer.compare(Buffer.from(start + left), Buffer.from(start + right));
        expect(Math.sign(compareUtf8(start + left, start + right))).toBe(expected);
      }),
      { numRuns: 2000 },
    );
  });

  test("decodes what Python's surrogatepass encodes", () => {
    fc.assert(
      fc.property(anyUnits, (text) => {
        expect(decodeSurrogatePass(encodeSurrogatePass(text))).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });

  test("decodes strictly, so that a string's bytes are those it came from", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const text = decodeUtf8(bytes);
        if (text !== undefined) expect(Uint8Array.from(Buffer.from(text))).toEqual(bytes);
        if (text !== undefined) expect(decodeSurrogatePass(bytes)).toBe(text);
        expect(text === undefined).toBe(!Buffer.from(Buffer.from(bytes).toString()).equals(bytes));
      }),
      { numRuns: 2000 },
    );
  });

  test("is known to be well-formed exactly where every surrogate has its other half", () => {
    fc.assert(
      fc.property(anyUnits, (text) => {
        expect(isWellFormed(text)).toBe(text.isWellFormed());
      }),
    );
  });
});

describe("CRC-32", () => {
  const bytes = fc.uint8Array({ maxLength: 300 });

  test("is zlib's, in one go and in pieces", () => {
    fc.assert(
      fc.property(bytes, fc.nat(), (whole, cut) => {
        const at = cut % (whole.length + 1);
        expect(crc32(whole, 0)).toBe(zlibCrc32(whole));
        expect(crc32(whole.subarray(at), crc32(whole.subarray(0, at), 0))).toBe(zlibCrc32(whole));
      }),
    );
  });

  test("is combined from the checksums of any pieces", () => {
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 8 }), (pieces) => {
        const combined = pieces.reduce((sum, piece) => combineCrc32(sum, zlibCrc32(piece), piece.length), 0);
        expect(combined).toBe(zlibCrc32(Buffer.concat(pieces)));
      }),
    );
  });

  test("is combined over lengths that no 32-bit number holds", () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.integer({ min: 0, max: 2 ** 40 }), (first, second, half) => {
        // Zeros after a checksum in two steps or in one come to the same.
        const twice = combineCrc32(combineCrc32(first, 0, half), second, half);
        expect(twice).toBe((combineCrc32(combineCrc32(first, 0, 2 * half), 0, 0) ^ second) >>> 0);
      }),
    );
  });
});

describe("sizes", () => {
  test("of 64 bits are read where a double holds them exactly", () => {
    const near = fc.integer({ min: -5, max: 5 }).map((step) => 2n ** 53n + BigInt(step));
    fc.assert(
      fc.property(fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), near), (value) => {
        const view = new DataView(new ArrayBuffer(11));
        view.setBigUint64(3, value, true);
        const safe = value <= BigInt(Number.MAX_SAFE_INTEGER);
        expect(readUint64(view, 3)).toBe(safe ? Number(value) : undefined);
      }),
    );
  });

  test("are multiplied without losing a digit", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.nat(1000), fc.maxSafeInteger().map(Math.abs)), { maxLength: 6 }),
        (factors) => {
          const product = safeProduct(factors);
          const exact = factors.reduce((sum, factor) => sum * BigInt(factor), 1n);
          if (product === undefined) {
            const zero = factors.indexOf(0);
            const before = factors.slice(0, zero < 0 ? undefined : zero);
            const reached = before.reduce((sum, factor) => sum * BigInt(factor), 1n);
            expect(reached).toBeGreaterThan(BigInt(Number.MAX_SAFE_INTEGER));
          } else expect(BigInt(product)).toBe(exact);
        },
      ),
    );
  });

  test("are rounded up to the next multiple", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 45 }), fc.integer({ min: 1, max: 4096 }), (value, step) => {
        const rounded = roundUp(value, step);
        expect(rounded % step).toBe(0);
        expect(rounded - value).toBeGreaterThanOrEqual(0);
        expect(rounded - value).toBeLessThan(step);
      }),
    );
  });
});
