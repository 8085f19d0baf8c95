import { type ByteBuilder, createByteBuilder } from "../../bytes/builder.ts";
import { encodeUtf8 } from "../../bytes/utf8.ts";
import { type WireType, wireType } from "./wire.ts";

/** Bytes of a varint of a safe integer that is not negative, in its shortest form. */
export function varintSize(value: number): number {
  let size = 1;
  for (let rest = Math.floor(value / 128); rest > 0; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** Bytes of a tag and a length prefix in front of `length` bytes. */
export function headSize(field: number, length: number): number {
  return varintSize(field * 8) + varintSize(length);
}

/** Appends a varint of a safe integer that is not negative, in its shortest form. */
export function putVarint(builder: ByteBuilder, value: number): void {
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) builder.u8((rest % 128) + 128);
  builder.u8(rest);
}

function putTag(builder: ByteBuilder, field: number, type: WireType): void {
  putVarint(builder, field * 8 + type);
}

/** Appends tag and length of a field whose `length` bytes follow. */
export function putHead(builder: ByteBuilder, field: number, length: number): void {
  putTag(builder, field, wireType.bytes);
  putVarint(builder, length);
}

/** Appends a field of bytes: a message, a string, a packed list. */
export function putBytes(builder: ByteBuilder, field: number, bytes: Uint8Array): void {
  putHead(builder, field, bytes.length);
  builder.bytes(bytes);
}

/** Appends a string field; a lone surrogate becomes U+FFFD. */
export function putText(builder: ByteBuilder, field: number, text: string): void {
  putBytes(builder, field, encodeUtf8(text));
}

/** Appends an int64, int32 or enum field. A negative one has ten bytes, as protobuf writes both widths. */
export function putInt(builder: ByteBuilder, field: number, value: number | bigint): void {
  putTag(builder, field, wireType.varint);
  putInt64(builder, value);
}

/** Appends the varint of a signed 64-bit integer without a tag: an item of a packed list. */
export function putInt64(builder: ByteBuilder, value: number | bigint): void {
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) builder.u8(Number(rest & 0x7fn) + 128);
  builder.u8(Number(rest));
}

/** Appends a float field, rounded to 32 bits. */
export function putFloat(builder: ByteBuilder, field: number, value: number): void {
  putTag(builder, field, wireType.fixed32);
  const bits = new DataView(new ArrayBuffer(4));
  bits.setFloat32(0, value);
  builder.u32(bits.getUint32(0));
}

/** Messages under construction within each other. */
export interface MessageStack {
  /** Appends a message field with what `fill` writes; `following` bytes of it are to come behind that from elsewhere. */
  put(into: ByteBuilder, field: number, fill: (message: ByteBuilder) => void, following?: number): void;
}

/** A stack for one encoding. A depth has one builder for all its messages: a model may have a million small ones. */
export function createMessageStack(): MessageStack {
  const builders: ByteBuilder[] = [];
  let depth = 0;
  return {
    put(into, field, fill, following = 0) {
      const message = builders[depth] ?? createByteBuilder();
      builders[depth] = message;
      depth++;
      fill(message);
      depth--;
      putHead(into, field, message.length + following);
      message.pourInto(into);
    },
  };
}
