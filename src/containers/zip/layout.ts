import { type ByteBuilder, createByteBuilder } from "../../bytes/builder.ts";
import { utf8Length } from "../../bytes/utf8.ts";
import type { LatePiece, Piece } from "../../core/plan.ts";
import type { ByteSource } from "../../core/source.ts";

/** A member of a zip that is to be written, stored as it is. */
export interface ZipMember {
  readonly name: string;
  /** What people know the content as, for progress and errors. */
  readonly label: string;
  readonly content: ByteSource;
}

interface PlacedMember extends ZipMember {
  readonly headerOffset: number;
}

const saturated32 = 0xffffffff;
const saturated16 = 0xffff;
/** UTF-8 names; and a data descriptor after the content, since its checksum is not known before. */
const nameFlag = 0x0800;
const descriptorFlag = 0x0008;
const alignment = 64;

/**
 * The pieces of a zip archive whose members start at multiples of 64 bytes, as torch aligns them for `mmap`. Sizes
 * decide everything ahead; only checksums are late, and not even those that a source knows already.
 */
export function layoutZip(members: readonly ZipMember[]): readonly Piece[] {
  const placed: PlacedMember[] = [];
  /** Headers and descriptors one after the other; a number in the list of pieces is where a run of them ends. */
  const fixed = createByteBuilder();
  const marked: (Piece | number)[] = [];
  let position = 0;

  for (const member of members) {
    const { content } = member;
    placed.push({ name: member.name, label: member.label, content, headerOffset: position });
    const before = fixed.length;
    writeLocalHeader(fixed, member, position);
    position += fixed.length - before + content.size;
    if (content.size === 0) continue;
    marked.push(fixed.length, { kind: "payload", tensor: member.label, source: content });
    const size = descriptorBytes(content.size);
    position += size;
    if (content.crc32 === undefined) {
      marked.push({
        kind: "late",
        size,
        needs: [content],
        build: (crc32) => descriptor(crc32(content), content.size),
      });
    } else writeDescriptor(fixed, content.crc32, content.size);
  }
  marked.push(fixed.length, directory(placed, position));
  return withBytes(marked, fixed.finish());
}

/** Puts runs of bytes in the place of the marks where they end: views of one memory, however many they are. */
function withBytes(marked: readonly (Piece | number)[], bytes: Uint8Array): readonly Piece[] {
  const pieces: Piece[] = [];
  let start = 0;
  for (const piece of marked) {
    if (typeof piece !== "number") pieces.push(piece);
    else if (piece > start) {
      pieces.push({ kind: "bytes", bytes: bytes.subarray(start, piece) });
      start = piece;
    }
  }
  return pieces;
}

/** Local header with an extra field `FB` that pads the content to its alignment, as torch writes it. */
function writeLocalHeader(out: ByteBuilder, { name, content }: ZipMember, offset: number): void {
  const nameBytes = utf8Length(name);
  const isLarge = content.size >= saturated32;
  const zip64Bytes = isLarge ? 20 : 0;
  const unpadded = offset + 30 + nameBytes + zip64Bytes + 4;
  const padding = (alignment - (unpadded % alignment)) % alignment;
  out
    .u32(0x04034b50)
    .u16(isLarge ? 45 : 0)
    .u16(flagsOf(content))
    .u16(0);
  // No date, no checksum, no sizes: the last two follow the content.
  out
    .fill(0, 8)
    .u32(isLarge ? saturated32 : 0)
    .u32(isLarge ? saturated32 : 0);
  out.u16(nameBytes).u16(zip64Bytes + 4 + padding);
  out.text(name);
  if (isLarge) out.u16(0x0001).u16(16).u64(content.size).u64(content.size);
  out.u8(0x46).u8(0x42).u16(padding).fill(0x5a, padding);
}

function flagsOf(content: ByteSource): number {
  return content.size > 0 ? nameFlag | descriptorFlag : nameFlag;
}

function descriptorBytes(size: number): number {
  return size >= saturated32 ? 24 : 16;
}

/** Descriptors are made by the thousand while a file is written, so they share a builder. */
const scratch = createByteBuilder();

function descriptor(crc32: number, size: number): Uint8Array {
  writeDescriptor(scratch, crc32, size);
  return scratch.finish();
}

function writeDescriptor(out: ByteBuilder, crc32: number, size: number): void {
  out.u32(0x08074b50).u32(crc32);
  if (size >= saturated32) out.u64(size).u64(size);
  else out.u32(size).u32(size);
}

/** Central directory and end records in one piece: nothing in there is known before the last checksum. */
function directory(members: readonly PlacedMember[], start: number): LatePiece {
  const needs = members
    .map(({ content }) => content)
    .filter(({ size, crc32 }) => size > 0 && crc32 === undefined);
  const build: LatePiece["build"] = (crc32Of) => {
    const out = createByteBuilder();
    for (const member of members) {
      const { content } = member;
      const crc32 = content.size === 0 ? 0 : (content.crc32 ?? crc32Of(content));
      writeCentralHeader(out, member, crc32);
    }
    const size = out.length;
    return out.bytes(endRecords(members.length, start, size)).finish();
  };
  return { kind: "late", size: directoryBytes(members), needs, build };
}

/** Bytes of the directory and of the end records behind it. */
function directoryBytes(members: readonly PlacedMember[]): number {
  let bytes = endBytes;
  for (const member of members) {
    const wide = wideBytes(member);
    bytes += 46 + utf8Length(member.name) + (wide > 0 ? wide + 4 : 0);
  }
  return bytes;
}

/** Numbers of 64 bits that a central header has to carry, in bytes. */
function wideBytes({ content, headerOffset }: PlacedMember): number {
  return (content.size >= saturated32 ? 16 : 0) + (headerOffset >= saturated32 ? 8 : 0);
}

function writeCentralHeader(out: ByteBuilder, member: PlacedMember, crc32: number): void {
  const { name, content, headerOffset } = member;
  const isLarge = content.size >= saturated32;
  const isFar = headerOffset >= saturated32;
  const zip64Bytes = wideBytes(member);
  out
    .u32(0x02014b50)
    .u16(zip64Bytes > 0 ? 45 : 0)
    .u16(zip64Bytes > 0 ? 45 : 0)
    .u16(flagsOf(content))
    .u16(0);
  out.u32(0).u32(crc32);
  out.u32(isLarge ? saturated32 : content.size).u32(isLarge ? saturated32 : content.size);
  out
    .u16(utf8Length(name))
    .u16(zip64Bytes > 0 ? zip64Bytes + 4 : 0)
    .fill(0, 10);
  out.u32(isFar ? saturated32 : headerOffset).text(name);
  if (zip64Bytes > 0) out.u16(0x0001).u16(zip64Bytes);
  if (isLarge) out.u64(content.size).u64(content.size);
  if (isFar) out.u64(headerOffset);
}

/** 56 and 20 bytes for zip64, 22 for the short record. */
const endBytes = 98;

/** The zip64 record and its locator always, as torch has them; the short record saturates. */
function endRecords(count: number, start: number, size: number): Uint8Array {
  const out = createByteBuilder();
  out.u32(0x06064b50).u64(44).u16(45).u16(45).u32(0).u32(0).u64(count).u64(count).u64(size).u64(start);
  out
    .u32(0x07064b50)
    .u32(0)
    .u64(start + size)
    .u32(1);
  const shortCount = Math.min(count, saturated16);
  out.u32(0x06054b50).u16(0).u16(0).u16(shortCount).u16(shortCount);
  return out.u32(Math.min(size, saturated32)).u32(Math.min(start, saturated32)).u16(0).finish();
}
