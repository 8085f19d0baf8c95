import fc from "fast-check";
import protobuf from "protobufjs";
import { describe, expect, test } from "vitest";
import { createByteBuilder } from "../../src/bytes/builder.ts";
import { createWireCursor } from "../../src/containers/protobuf/cursor.ts";
import {
  headSize,
  putBytes,
  putFloat,
  putHead,
  putInt,
  putInt64,
  putText,
  putVarint,
  varintSize,
} from "../../src/containers/protobuf/encode.ts";
import { addRun, type WireRun } from "../../src/containers/protobuf/repeated.ts";
import { float32Of, int64Of, safeIntOf, type WireField } from "../../src/containers/protobuf/wire.ts";
import { createContext } from "../../src/core/context.ts";
import { type ByteSource, bytesSource } from "../../src/core/source.ts";
import { outcomeOf } from "../support/outcome.ts";

async function fieldsOf(bytes: Uint8Array): Promise<readonly WireField[]> {
  const cursor = createWireCursor(bytesSource("sample", bytes), createContext());
  const fields: WireField[] = [];
  await cursor.walk(cursor.root, (field) => {
    fields.push(field);
  });
  return fields;
}

/** A varint written byte by byte, with `padding` more bytes than it needs. */
function padded(value: bigint, padding: number): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 0x7fn));
  bytes.push(Number(rest));
  while (bytes.length < 10 && padding-- > 0) bytes.push(0);
  return bytes.map((byte, index) => (index < bytes.length - 1 ? byte | 0x80 : byte));
}

const anyInt64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

describe("the wire cursor", () => {
  test("reads what protobufjs writes, whatever the kind of value", async () => {
    const field = fc.record({
      number: fc.integer({ min: 1, max: 0x1fffffff }),
      kind: fc.nat(3),
      value: anyInt64,
    });
    await fc.assert(
      fc.asyncProperty(fc.array(field), async (list) => {
        const writer = protobuf.Writer.create();
        for (const { number, kind, value } of list) {
          const text = String(value);
          if (kind === 0) writer.uint32(number * 8).int64(text);
          if (kind === 1) writer.uint32(number * 8 + 1).sfixed64(text);
          if (kind === 2) writer.uint32(number * 8 + 2).string(text);
          if (kind === 3) writer.uint32(number * 8 + 5).sfixed32(Number(BigInt.asIntN(32, value)));
        }
        const bytes = new Uint8Array(writer.finish());
        const fields = await fieldsOf(bytes);
        const seen = fields.map(({ number, type, start, end, ...field }) => {
          if (type === 2) return [number, 2, BigInt(new TextDecoder().decode(bytes.subarray(start, end)))];
          return [number, type, int64Of({ number, type, start, end, ...field })];
        });
        expect(seen).toEqual(
          list.map(({ number, kind, value }) => {
            return [number, kind === 3 ? 5 : kind, kind === 3 ? BigInt.asUintN(32, value) : value];
          }),
        );
        // Fields follow each other without gaps.
        expect(fields.map(({ tagStart }) => tagStart)).toEqual(
          [0, ...fields.map(({ end }) => end)].slice(0, -1),
        );
      }),
    );
  });

  test("takes numbers that are longer than they need be, up to ten bytes", async () => {
    await fc.assert(
      fc.asyncProperty(anyInt64, fc.nat(10), async (value, padding) => {
        const [field] = await fieldsOf(Uint8Array.from([8, ...padded(value, padding)]));
        expect(int64Of(field as WireField)).toBe(value);
        const isSafe = Number.isSafeInteger(Number(value));
        expect(safeIntOf(field as WireField)).toBe(isSafe ? Number(value) : undefined);
      }),
    );
  });

  test.each([
    ["a tag alone", [8], "a number is cut short"],
    ["a number that goes on", [8, 0x80], "a number is cut short"],
    ["eleven bytes", [8, ...Array(10).fill(0x80), 0], "a number has more than 64 bits"],
    ["a 65th bit", [8, ...Array(9).fill(0xff), 2], "a number has more than 64 bits"],
    ["four bytes for eight", [9, 1, 2, 3, 4], "a number is cut short"],
    ["field 0", [0, 0], "a field has an impossible number"],
    ["a tag of 33 bits", [0x88, 0x80, 0x80, 0x80, 0x10, 0], "a field has an impossible number"],
    ["a group", [11, 12], "field 1 has the wire type 3"],
    ["wire type 6", [14, 0], "field 1 has the wire type 6"],
  ])("refuses %s", async (_, bytes, message) => {
    const { error } = await outcomeOf(() => fieldsOf(Uint8Array.from(bytes)));
    expect(error).toMatchObject({ kind: "malformed", message });
  });

  test("tells a file that is cut short from a field that leaves its message", async () => {
    const inner = [10, 100, 1];
    expect((await outcomeOf(() => fieldsOf(Uint8Array.from(inner)))).error).toMatchObject({ kind: "io" });
    const source = bytesSource("sample", Uint8Array.from([10, 3, ...inner, ...Array(200).fill(8)]));
    const cursor = createWireCursor(source, createContext());
    const walk = () =>
      cursor.walk(cursor.root, (field) => cursor.walk(cursor.message(field, cursor.root), () => undefined));
    expect((await outcomeOf(walk)).error).toMatchObject({
      kind: "malformed",
      message: "a field leaves the message around it, which ends at byte 5",
    });
  });

  test("stops at a hundred messages within messages", async () => {
    const nested = (depth: number): Uint8Array => {
      let bytes: Uint8Array = new Uint8Array();
      for (let level = 0; level < depth; level++) {
        const builder = createByteBuilder();
        putBytes(builder, 1, bytes);
        bytes = builder.finish();
      }
      return bytes;
    };
    const descend = async (bytes: Uint8Array): Promise<number> => {
      const cursor = createWireCursor(bytesSource("sample", bytes), createContext());
      let deepest = 0;
      const walk = (message: typeof cursor.root): Promise<void> => {
        deepest = Math.max(deepest, message.depth);
        return cursor.walk(message, (field) => walk(cursor.message(field, message)));
      };
      await walk(cursor.root);
      return deepest;
    };
    expect(await descend(nested(100))).toBe(100);
    expect((await outcomeOf(() => descend(nested(101)))).error).toMatchObject({ kind: "malformed" });
  });

  test("reads around long values, never them, at positions beyond 4 GiB too", async () => {
    const length = 5_000_000_000;
    const tail = createByteBuilder();
    putText(tail, 3, "behind it");
    const end = tail.finish();
    const head = createByteBuilder();
    putText(head, 1, "in front");
    putHead(head, 2, length);
    const start = head.finish();
    let bytesRead = 0;
    const source: ByteSource = {
      name: "huge",
      size: start.length + length + end.length,
      async readInto(target, offset) {
        bytesRead += target.length;
        for (let at = 0; at < target.length; at++) {
          const place = offset + at;
          target[at] = start[place] ?? end[place - start.length - length] ?? 0xee;
        }
      },
    };
    const texts: string[] = [];
    const cursor = createWireCursor(source, createContext());
    await cursor.walk(cursor.root, (field) =>
      field.number === 2 ? undefined : cursor.text(field, (text) => void texts.push(text)),
    );
    expect(texts).toEqual(["in front", "behind it"]);
    expect(bytesRead).toBeLessThan(10_000);
  });

  test("finds the same fields whatever the sizes of values do to its window", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(9000), { maxLength: 40 }), async (sizes) => {
        const builder = createByteBuilder();
        for (const [index, size] of sizes.entries()) putText(builder, index + 1, "x".repeat(size));
        const cursor = createWireCursor(bytesSource("sample", builder.finish()), createContext());
        const seen: number[] = [];
        await cursor.walk(cursor.root, (field) => cursor.text(field, (text) => void seen.push(text.length)));
        expect(seen).toEqual(sizes);
      }),
    );
  });
});

describe("runs of repeated numbers", () => {
  test("join fields that follow each other, and cover all their values", async () => {
    const part = fc.oneof(anyInt64, fc.array(anyInt64, { maxLength: 4 }));
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 12 }), async (parts) => {
        const builder = createByteBuilder();
        const inner = createByteBuilder();
        for (const item of parts) {
          if (Array.isArray(item)) {
            for (const value of item) putInt64(inner, value);
            putBytes(builder, 5, inner.finish());
          } else putInt(builder, 5, item);
        }
        const bytes = builder.finish();
        const runs: WireRun[] = [];
        for (const field of await fieldsOf(bytes)) addRun(runs, field);
        const values: bigint[] = [];
        for (const { start, end, tagBytes } of runs) {
          const reader = protobuf.Reader.create(bytes.subarray(start, end));
          while (reader.pos < reader.len) {
            reader.skip(tagBytes);
            values.push(BigInt(reader.int64().toString()));
          }
        }
        expect(values).toEqual(parts.flat());
        const lists = parts.filter((item) => Array.isArray(item)).length;
        expect(runs.length).toBeLessThanOrEqual(2 * lists + 1);
      }),
    );
  });
});

describe("the encoder", () => {
  test("writes what protobufjs writes, byte for byte", () => {
    const number = fc.integer({ min: 1, max: 1000 });
    fc.assert(
      fc.property(
        number,
        anyInt64,
        fc.string({ unit: "grapheme" }),
        fc.float(),
        (field, value, text, float) => {
          const builder = createByteBuilder();
          putInt(builder, field, value);
          putText(builder, field, text);
          putFloat(builder, field, float);
          const writer = protobuf.Writer.create();
          writer.uint32(field * 8).int64(String(value));
          writer.uint32(field * 8 + 2).string(text);
          writer.uint32(field * 8 + 5).float(float);
          expect(builder.finish()).toEqual(new Uint8Array(writer.finish()));
        },
      ),
    );
  });

  test("knows the size of a head before it writes it, beyond 32 bits too", () => {
    const length = fc.oneof(fc.nat(), fc.maxSafeNat());
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), length, (field, bytes) => {
        const builder = createByteBuilder();
        putHead(builder, field, bytes);
        expect(headSize(field, bytes)).toBe(builder.finish().length);
        putVarint(builder, bytes);
        expect(varintSize(bytes)).toBe(builder.finish().length);
      }),
    );
  });

  test("and the cursor agree on every number and float", async () => {
    await fc.assert(
      fc.asyncProperty(anyInt64, fc.float({ noNaN: true }), async (value, float) => {
        const builder = createByteBuilder();
        putInt(builder, 3, value);
        putFloat(builder, 4, float);
        const [first, second] = await fieldsOf(builder.finish());
        expect(int64Of(first as WireField)).toBe(value);
        expect(float32Of(second as WireField)).toBe(float);
      }),
    );
  });
});
