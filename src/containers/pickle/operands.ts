import { decodeSurrogatePass } from "../../bytes/utf8.ts";
import { ConvertError } from "../../core/errors.ts";

/** Thrown inside the machine when an opcode's operand is not all there yet; the opcode runs again with more bytes. */
export const needMore = Symbol("need more bytes");

/** Reads opcodes and operands from a window onto the pickle. */
export interface OperandCursor {
  /** Position of the next byte, counted from the start of the file. */
  readonly position: number;
  /** Puts the cursor onto `bytes`, which start at `base` in the file. */
  load(bytes: Uint8Array, base: number): void;
  moveTo(position: number): void;
  u8(): number;
  u16(): number;
  u32(): number;
  i32(): number;
  /** A length of 8 bytes; refuses what no file can hold. */
  u64(): number;
  /** Big-endian, as BINFLOAT alone has it. */
  f64(): number;
  /** Passes over bytes, also beyond the window: there is nothing to read then before more is loaded. */
  skip(length: number): void;
  /** The same as `take` without passing over it. */
  peek(length: number): Uint8Array;
  /** A view of the window: copy what has to stay. */
  take(length: number): Uint8Array;
  /** Bytes up to a line feed, which is passed over. */
  line(): Uint8Array;
  /** UTF-8 text with lone surrogates allowed. */
  text(length: number): string;
  fail(message: string): never;
}

/** A cursor for `file`; load it before use. */
export function createOperandCursor(file: string): OperandCursor {
  let bytes: Uint8Array = new Uint8Array(0);
  let view: DataView = new DataView(new ArrayBuffer(0));
  let base = 0;
  let at = 0;

  function advance(length: number): number {
    const start = at;
    if (start + length > bytes.length) throw needMore;
    at += length;
    return start;
  }

  function take(length: number): Uint8Array {
    const start = advance(length);
    return bytes.subarray(start, start + length);
  }

  function fail(message: string): never {
    throw new ConvertError("malformed", message, { file, offset: base + at });
  }

  return {
    get position() {
      return base + at;
    },
    load(window, start) {
      bytes = window;
      view = new DataView(window.buffer, window.byteOffset, window.byteLength);
      base = start;
      at = 0;
    },
    moveTo(position) {
      at = position - base;
    },
    u8() {
      const byte = bytes[at];
      if (byte === undefined) throw needMore;
      at++;
      return byte;
    },
    u16: () => view.getUint16(advance(2), true),
    u32: () => view.getUint32(advance(4), true),
    i32: () => view.getInt32(advance(4), true),
    u64() {
      const start = advance(8);
      const value = view.getUint32(start + 4, true) * 0x1_0000_0000 + view.getUint32(start, true);
      return value > Number.MAX_SAFE_INTEGER ? fail("a length in the pickle is larger than any file") : value;
    },
    f64: () => view.getFloat64(advance(8), false),
    skip(length) {
      at += length;
    },
    peek(length) {
      const bytes = take(length);
      at -= length;
      return bytes;
    },
    take,
    line() {
      const end = bytes.indexOf(0x0a, at);
      if (end < 0) throw needMore;
      const line = take(end - at);
      at++;
      return line;
    },
    text(length) {
      return decodeSurrogatePass(take(length)) ?? fail("a string in the pickle is not UTF-8");
    },
    fail,
  };
}
