import { encodeUtf8 } from "./utf8.ts";

/** Collects bytes for headers and pickles; numbers are little-endian unless said. */
export interface ByteBuilder {
  readonly length: number;
  u8(value: number): ByteBuilder;
  u16(value: number): ByteBuilder;
  u32(value: number): ByteBuilder;
  /** A safe integer in eight bytes. */
  u64(value: number): ByteBuilder;
  /** Big-endian, as pickles have floats. */
  f64(value: number): ByteBuilder;
  bytes(bytes: Uint8Array): ByteBuilder;
  /** A string as UTF-8, as `encodeUtf8` gives it; returns how many bytes that were. */
  text(text: string): number;
  /** The same byte over and over. */
  fill(byte: number, count: number): ByteBuilder;
  /** Appends what was collected to another builder, and starts anew. */
  pourInto(target: ByteBuilder): void;
  /** What was collected, in memory of its own; the builder starts anew and keeps its own memory. */
  finish(): Uint8Array;
}

/** An empty builder; it doubles its memory as it grows. */
export function createByteBuilder(): ByteBuilder {
  let buffer = new Uint8Array(64);
  let view = new DataView(buffer.buffer);
  let length = 0;

  function advance(size: number): number {
    const start = length;
    length += size;
    if (length > buffer.length) {
      const larger = new Uint8Array(Math.max(length, buffer.length * 2));
      larger.set(buffer.subarray(0, start));
      buffer = larger;
      view = new DataView(buffer.buffer);
    }
    return start;
  }

  const builder: ByteBuilder = {
    get length() {
      return length;
    },
    u8(value) {
      const at = advance(1);
      buffer[at] = value;
      return builder;
    },
    u16(value) {
      const at = advance(2);
      view.setUint16(at, value, true);
      return builder;
    },
    u32(value) {
      const at = advance(4);
      view.setUint32(at, value, true);
      return builder;
    },
    u64(value) {
      const at = advance(8);
      view.setBigUint64(at, BigInt(value), true);
      return builder;
    },
    f64(value) {
      const at = advance(8);
      view.setFloat64(at, value, false);
      return builder;
    },
    bytes(bytes) {
      const at = advance(bytes.length);
      buffer.set(bytes, at);
      return builder;
    },
    text(text) {
      const before = length;
      const at = advance(text.length);
      for (let index = 0; index < text.length; index++) {
        const code = text.charCodeAt(index);
        if (code >= 0x80) {
          length = before;
          return builder.bytes(encodeUtf8(text)).length - before;
        }
        buffer[at + index] = code;
      }
      return text.length;
    },
    fill(byte, count) {
      const at = advance(count);
      buffer.fill(byte, at, at + count);
      return builder;
    },
    pourInto(target) {
      target.bytes(buffer.subarray(0, length));
      length = 0;
    },
    finish() {
      const bytes = buffer.slice(0, length);
      length = 0;
      return bytes;
    },
  };
  return builder;
}
