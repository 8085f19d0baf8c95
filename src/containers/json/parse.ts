import { decodeUtf8, isWellFormed } from "../../bytes/utf8.ts";
import { ConvertError } from "../../core/errors.ts";

/** A number that is no safe integer in plain decimal form, kept as it was written. */
export interface JsonNumber {
  readonly text: string;
}

/** Objects are maps: order is kept, and no name means anything to the engine. Safe integers are numbers. */
export type JsonValue = null | boolean | number | string | JsonNumber | JsonArray | JsonObject;
/** Values in order. */
export type JsonArray = readonly JsonValue[];
/** Members in the order of the text. */
export type JsonObject = ReadonlyMap<string, JsonValue>;

/** Whether a value is an object, and so a map. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return value instanceof Map;
}

const maxDepth = 127;

/**
 * Reads strict JSON (RFC 8259): UTF-8 without a mark, no duplicate keys, no lone surrogates. `JSON.parse` would
 * accept duplicates, round large integers and reorder keys such as `0`. `base` is where `bytes` start in `file`.
 * Throws kind `malformed` with the offset.
 */
export function parseJson(bytes: Uint8Array, file: string, base: number): JsonValue {
  let at = 0;

  function fail(message: string, position = at): never {
    throw new ConvertError("malformed", message, { file, offset: base + position });
  }

  function skipSpace(): void {
    for (;;) {
      const byte = bytes[at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return;
      at++;
    }
  }

  function describe(position: number): string {
    const byte = bytes[position];
    if (byte === undefined) return "the end";
    return byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}"` : `byte 0x${byte.toString(16)}`;
  }

  function expectByte(byte: number, where: string): void {
    if (bytes[at] !== byte) fail(`expected "${String.fromCharCode(byte)}" ${where}, found ${describe(at)}`);
    at++;
  }

  function parseValue(depth: number): JsonValue {
    skipSpace();
    switch (bytes[at]) {
      case 0x7b:
        return parseObject(depth);
      case 0x5b:
        return parseArray(depth);
      case 0x22:
        return parseString();
      case 0x74:
        return parseWord("true", true);
      case 0x66:
        return parseWord("false", false);
      case 0x6e:
        return parseWord("null", null);
      default:
        return parseNumber();
    }
  }

  function parseWord(word: string, value: JsonValue): JsonValue {
    for (let index = 0; index < word.length; index++) {
      if (bytes[at + index] !== word.charCodeAt(index)) fail(`expected a JSON value, found ${describe(at)}`);
    }
    at += word.length;
    return value;
  }

  function parseObject(depth: number): JsonObject {
    if (depth > maxDepth) fail(`JSON nests deeper than ${maxDepth}`);
    const entries = new Map<string, JsonValue>();
    at++;
    skipSpace();
    if (bytes[at] === 0x7d) {
      at++;
      return entries;
    }
    for (;;) {
      skipSpace();
      const keyAt = at;
      if (bytes[at] !== 0x22) fail(`expected a key, found ${describe(at)}`);
      const key = parseString();
      if (entries.has(key)) fail(`the key ${JSON.stringify(key)} occurs twice`, keyAt);
      skipSpace();
      expectByte(0x3a, "after a key");
      entries.set(key, parseValue(depth + 1));
      skipSpace();
      if (bytes[at] === 0x7d) break;
      expectByte(0x2c, 'or "}" after a value');
    }
    at++;
    return entries;
  }

  function parseArray(depth: number): JsonArray {
    if (depth > maxDepth) fail(`JSON nests deeper than ${maxDepth}`);
    const items: JsonValue[] = [];
    at++;
    skipSpace();
    if (bytes[at] === 0x5d) {
      at++;
      return items;
    }
    for (;;) {
      items.push(parseValue(depth + 1));
      skipSpace();
      if (bytes[at] === 0x5d) break;
      expectByte(0x2c, 'or "]" after a value');
    }
    at++;
    return items;
  }

  function parseString(): string {
    const start = at;
    let plain = true;
    at++;
    for (;;) {
      const byte = bytes[at];
      if (byte === undefined) fail("a string does not end", start);
      if (byte === 0x22) break;
      if (byte < 0x20) fail(`a string holds the raw control character 0x${byte.toString(16)}`);
      if (byte === 0x5c) {
        plain = false;
        at++;
      }
      at++;
    }
    at++;
    const text = decodeUtf8(bytes.subarray(start + 1, at - 1));
    if (text === undefined) fail("a string is not UTF-8", start);
    if (plain) return text;
    const value = resolveEscapes(text, start);
    if (!isWellFormed(value)) fail("a string holds half of a surrogate pair", start);
    return value;
  }

  function resolveEscapes(text: string, start: number): string {
    try {
      return JSON.parse(`"${text}"`) as string;
    } catch {
      return fail("a string holds an unknown escape", start);
    }
  }

  function parseNumber(): number | JsonNumber {
    const start = at;
    while (isNumberByte(bytes[at])) at++;
    const text = String.fromCharCode(...bytes.subarray(start, Math.min(at, start + 400)));
    if (at - start > 400 || !/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text)) {
      fail(`expected a JSON value, found ${describe(start)}`, start);
    }
    const value = Number(text);
    return /^-?\d+$/.test(text) && Number.isSafeInteger(value) ? value : { text };
  }

  const value = parseValue(0);
  skipSpace();
  if (at < bytes.length) fail(`expected the end of the JSON, found ${describe(at)}`);
  return value;
}

function isNumberByte(byte: number | undefined): boolean {
  return (
    byte !== undefined &&
    ((byte >= 0x30 && byte <= 0x39) ||
      byte === 0x2b ||
      byte === 0x2d ||
      byte === 0x2e ||
      (byte | 0x20) === 0x65)
  );
}
