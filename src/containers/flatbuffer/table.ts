import { decodeUtf8 } from "../../bytes/utf8.ts";
import type { RunContext } from "../../core/context.ts";
import { checkLimit } from "../../core/limits.ts";
import { type ByteSource, readBytes } from "../../core/source.ts";
import { createCursor, type FlatCursor } from "./cursor.ts";

/** A run of elements in the buffer. */
export interface FlatVector {
  /** Where the first element lies, in bytes from the start of the buffer. */
  readonly start: number;
  /** Number of elements. */
  readonly count: number;
}

/**
 * A table of a flatbuffer: fields by their number in the schema. A number that is absent is 0, a vector that is absent
 * is empty. Numbers are little-endian. Every read is checked against the buffer and throws kind `malformed` beyond it.
 */
export interface FlatTable {
  u8(field: number): Promise<number>;
  u32(field: number): Promise<number>;
  i32(field: number): Promise<number>;
  f64(field: number): Promise<number>;
  /** What an offset field points to; `undefined` where it is absent. */
  table(field: number): Promise<FlatTable | undefined>;
  text(field: number): Promise<string | undefined>;
  /** `itemBytes` is the width of one element. */
  vector(field: number, itemBytes: number): Promise<FlatVector>;
  /** A vector of offsets to tables, one at a time. */
  tables(field: number): AsyncIterable<FlatTable>;
  /** A vector of 32-bit numbers, unsigned. */
  numbers(field: number): Promise<readonly number[]>;
  texts(field: number): Promise<readonly string[]>;
}

/** The root table of a flatbuffer (FlatBuffers internals, "Tables"). A few pages are in memory; large vectors never are. */
export async function openFlatBuffer(source: ByteSource, context: RunContext): Promise<FlatTable> {
  const cursor = createCursor(source, context);
  return tableAt(await cursor.follow(0), cursor, context);
}

async function tableAt(at: number, cursor: FlatCursor, context: RunContext): Promise<FlatTable> {
  const place = await fieldsOf(at, cursor);
  const number = async (field: number, bytes: number, get: (word: DataView) => number): Promise<number> => {
    const position = place(field);
    return position === undefined ? 0 : get(await cursor.view(position, bytes));
  };
  const target = async (field: number): Promise<number | undefined> => {
    const position = place(field);
    return position === undefined ? undefined : cursor.follow(position);
  };
  const vector = async (field: number, itemBytes: number): Promise<FlatVector> => {
    const position = await target(field);
    return position === undefined ? { start: 0, count: 0 } : vectorAt(position, itemBytes, cursor);
  };
  return {
    u8: (field) => number(field, 1, (word) => word.getUint8(0)),
    u32: (field) => number(field, 4, (word) => word.getUint32(0, true)),
    i32: (field) => number(field, 4, (word) => word.getInt32(0, true)),
    f64: (field) => number(field, 8, (word) => word.getFloat64(0, true)),
    async table(field) {
      const position = await target(field);
      return position === undefined ? undefined : tableAt(position, cursor, context);
    },
    async text(field) {
      const position = await target(field);
      return position === undefined ? undefined : textAt(position, cursor, context);
    },
    vector,
    async *tables(field) {
      for await (const position of targetsIn(await vector(field, 4), cursor, context))
        yield await tableAt(position, cursor, context);
    },
    numbers: async (field) => numbersIn(await vector(field, 4), cursor, context),
    async texts(field) {
      const texts: string[] = [];
      for await (const position of targetsIn(await vector(field, 4), cursor, context))
        texts.push(await textAt(position, cursor, context));
      return texts;
    },
  };
}

/** Where each field of a table lies. A table starts with the signed distance back to the list of them. */
async function fieldsOf(at: number, cursor: FlatCursor): Promise<(field: number) => number | undefined> {
  const fields = at - (await cursor.view(at, 4)).getInt32(0, true);
  const size = (await cursor.view(fields, 2)).getUint16(0, true);
  if (size < 4) cursor.fail("a table of the flatbuffer has no list of fields", fields);
  const list = await cursor.view(fields, size);
  // The first two entries are sizes: of the list, and of the table.
  const offsets = Array.from({ length: Math.floor(size / 2) - 2 }, (_, field) =>
    list.getUint16(4 + 2 * field, true),
  );
  return (field) => (offsets[field] ? at + offsets[field] : undefined);
}

async function vectorAt(at: number, itemBytes: number, cursor: FlatCursor): Promise<FlatVector> {
  const count = (await cursor.view(at, 4)).getUint32(0, true);
  const start = at + 4;
  if (start + count * itemBytes > cursor.source.size)
    cursor.fail(`a vector of ${count} elements is cut off`, at);
  return { start, count };
}

async function textAt(at: number, cursor: FlatCursor, context: RunContext): Promise<string> {
  const { start, count } = await vectorAt(at, 1, cursor);
  const site = { file: cursor.source.name, offset: at };
  checkLimit(context.limits, "headerBytes", count, "the length of a text", site);
  const text = decodeUtf8(await readBytes(cursor.source, start, start + count, context));
  return text ?? cursor.fail("a text in the flatbuffer is not UTF-8", at);
}

async function numbersIn(
  { start, count }: FlatVector,
  cursor: FlatCursor,
  context: RunContext,
): Promise<readonly number[]> {
  const site = { file: cursor.source.name, offset: start };
  checkLimit(context.limits, "entries", count, "the length of a list", site);
  const bytes = await readBytes(cursor.source, start, start + 4 * count, context);
  const words = new DataView(bytes.buffer);
  return Array.from({ length: count }, (_, index) => words.getUint32(4 * index, true));
}

/** Where the items of a vector of offsets lie; each offset counts from its own place. */
async function* targetsIn(
  vector: FlatVector,
  cursor: FlatCursor,
  context: RunContext,
): AsyncIterable<number> {
  const offsets = await numbersIn(vector, cursor, context);
  for (const [index, offset] of offsets.entries()) yield vector.start + 4 * index + offset;
}
