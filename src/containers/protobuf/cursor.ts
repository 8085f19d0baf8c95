import { decodeUtf8 } from "../../bytes/utf8.ts";
import type { RunContext } from "../../core/context.ts";
import { ConvertError, throwIfCancelled } from "../../core/errors.ts";
import { checkLimit } from "../../core/limits.ts";
import { type ByteSource, readBytes } from "../../core/source.ts";
import { maxDepth, type WireField, type WireMessage, type WireType, wireType } from "./wire.ts";

/** Told of each field in turn. What it returns is awaited before the next one. */
export type Visit = (field: WireField) => void | Promise<void>;

/**
 * Goes over the fields of messages through one window of the file, and jumps over the values that nobody asks for.
 * One walk at a time: a visit may walk on into its own field, but two walks must not run beside each other.
 * Everything here throws kind `malformed` with the place, or `io` where the file ends too early.
 */
export interface WireCursor {
  readonly source: ByteSource;
  /** The whole file as a message. */
  readonly root: WireMessage;
  /** Visits the fields of a message in the order of their bytes. */
  walk(message: WireMessage, visit: Visit): Promise<void>;
  /** The message in a field of `parent`; refuses other wire types, and nesting beyond `maxDepth`. */
  message(field: WireField, parent: WireMessage): WireMessage;
  /** Refuses a field that is encoded in another way. */
  expect(field: WireField, type: WireType): void;
  /** Hands over the text of a field, at once where it is in the window. Refuses what is no UTF-8 or above limit `headerBytes`. */
  text(field: WireField, use: (text: string) => void): void | Promise<void>;
  /** Hands over the bytes of a field, which are lent for the call only. Refuses what is above limit `headerBytes`. */
  bytes(field: WireField, use: (bytes: Uint8Array) => void): void | Promise<void>;
  /** Hands over each number of a packed list of varints, as if it were a field of its own. */
  varints(field: WireField, use: (value: WireField) => void): Promise<void>;
  fail(message: string, offset: number): never;
}

/** Bytes of the window. After a jump, less is read at first: often the next thing is another jump. */
const windowBytes = 64 * 1024;
const firstBytes = 4 * 1024;
/** A tag and a length, each a varint of ten bytes at the most. */
const headBytes = 20;

/** A cursor over a file; it owns one window. */
export function createWireCursor(source: ByteSource, context: RunContext): WireCursor {
  const window = new Uint8Array(Math.min(windowBytes, source.size));
  let windowStart = 0;
  let windowEnd = 0;
  let low = 0;
  let high = 0;

  function fail(message: string, offset: number): never {
    throw new ConvertError("malformed", message, { file: source.name, offset });
  }

  function holds(start: number, end: number): boolean {
    return start >= windowStart && end <= windowEnd;
  }

  /** Moves the window to `at`. It grows while the walk goes on where the window ends. */
  async function load(at: number): Promise<void> {
    throwIfCancelled(context.signal);
    const goesOn = at >= windowStart && at <= windowEnd && windowEnd > 0;
    const wanted = goesOn ? (windowEnd - windowStart) * 4 : firstBytes;
    const length = Math.min(Math.max(wanted, firstBytes), window.length, source.size - at);
    windowStart = windowEnd = 0;
    await source.readInto(window.subarray(0, length), at, context);
    windowStart = at;
    windowEnd = at + length;
  }

  /** Reads a varint into `low` and `high`; returns the position past it. */
  function varint(start: number, end: number): number {
    low = high = 0;
    for (let at = start, index = 0; ; at++, index++) {
      if (at >= end) fail("a number is cut short", start);
      const byte = window[at - windowStart] as number;
      const part = byte & 0x7f;
      if (index < 4) low |= part << (7 * index);
      else if (index === 4) {
        low |= part << 28;
        high = part >>> 4;
      } else if (index < 9) high |= part << (7 * index - 32);
      else {
        if (byte > 1) fail("a number has more than 64 bits", start);
        high |= part << 31;
      }
      if (byte < 0x80) {
        low >>>= 0;
        high >>>= 0;
        return at + 1;
      }
    }
  }

  function fixed(start: number, end: number, length: 4 | 8): number {
    if (start + length > end) fail("a number is cut short", start);
    const at = start - windowStart;
    const word = (index: number): number =>
      ((window[index] as number) |
        ((window[index + 1] as number) << 8) |
        ((window[index + 2] as number) << 16) |
        ((window[index + 3] as number) << 24)) >>>
      0;
    low = word(at);
    high = length === 8 ? word(at + 4) : 0;
    return start + length;
  }

  function lengthEnd(start: number, message: WireMessage): number {
    const end = start + high * 0x1_0000_0000 + low;
    if (end <= message.end) return end;
    if (end > source.size && message.end === source.size) {
      throw new ConvertError("io", `a field is said to end at byte ${end}, but the file has ${source.size}`, {
        file: source.name,
        offset: start,
        hint: "the file is cut short; download or save it again",
      });
    }
    return fail(`a field leaves the message around it, which ends at byte ${message.end}`, start);
  }

  function fieldAt(tagStart: number, message: WireMessage): WireField {
    const lengthStart = varint(tagStart, message.end);
    const number = low >>> 3;
    const type = low & 7;
    if (number === 0 || high !== 0) fail("a field has an impossible number", tagStart);
    if (type === wireType.varint || type === wireType.fixed64 || type === wireType.fixed32) {
      const end =
        type === wireType.varint
          ? varint(lengthStart, message.end)
          : fixed(lengthStart, message.end, type === wireType.fixed64 ? 8 : 4);
      return { number, type, tagStart, lengthStart, start: lengthStart, end, low, high };
    }
    if (type !== wireType.bytes) return fail(`field ${number} has the wire type ${type}`, tagStart);
    const start = varint(lengthStart, message.end);
    return { number, type, tagStart, lengthStart, start, end: lengthEnd(start, message), low: 0, high: 0 };
  }

  function expect(field: WireField, type: WireType): void {
    if (field.type !== type)
      fail(`field ${field.number} has the wire type ${field.type}, not ${type}`, field.tagStart);
  }

  function bytes(field: WireField, use: (bytes: Uint8Array) => void): void | Promise<void> {
    expect(field, wireType.bytes);
    const { start, end } = field;
    if (holds(start, end)) return use(window.subarray(start - windowStart, end - windowStart));
    const site = { file: source.name, offset: field.tagStart };
    checkLimit(context.limits, "headerBytes", end - start, "bytes of a text", site);
    return readBytes(source, start, end, context).then(use);
  }

  return {
    source,
    root: { tagStart: 0, lengthStart: 0, start: 0, end: source.size, parent: undefined, depth: 0 },
    async walk(message, visit) {
      for (let at = message.start; at < message.end; ) {
        if (!holds(at, Math.min(at + headBytes, source.size))) await load(at);
        const field = fieldAt(at, message);
        const pending = visit(field);
        if (pending) await pending;
        at = field.end;
      }
    },
    message(field, parent) {
      expect(field, wireType.bytes);
      if (parent.depth >= maxDepth)
        fail(`messages lie within messages more than ${maxDepth} deep`, field.tagStart);
      const { tagStart, lengthStart, start, end } = field;
      return { tagStart, lengthStart, start, end, parent, depth: parent.depth + 1 };
    },
    expect,
    text: (field, use) =>
      bytes(field, (encoded) => {
        const text = decodeUtf8(encoded);
        if (text === undefined) return fail("a text is no UTF-8", field.start);
        use(text);
      }),
    bytes,
    async varints(field, use) {
      expect(field, wireType.bytes);
      for (let at = field.start; at < field.end; ) {
        if (!holds(at, Math.min(at + headBytes, source.size))) await load(at);
        const end = varint(at, field.end);
        use({ ...field, type: wireType.varint, lengthStart: at, start: at, end, low, high });
        at = end;
      }
    },
    fail,
  };
}
