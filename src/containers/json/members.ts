import { encodeUtf8 } from "../../bytes/utf8.ts";

/** Where one member of an object stands: `start` at its key's quote, `valueStart` and `end` around its value. */
export interface MemberSpan {
  readonly key: string;
  readonly start: number;
  readonly valueStart: number;
  readonly end: number;
}

/** The members of the object that begins at `at`, in order, as positions in `bytes`. Only for JSON that `parseJson` has taken. */
export function memberSpans(bytes: Uint8Array, at: number): readonly MemberSpan[] {
  const members: MemberSpan[] = [];
  let next = skipSpace(bytes, at + 1);
  while (bytes[next] !== closeBrace) {
    const start = bytes[next] === comma ? skipSpace(bytes, next + 1) : next;
    const keyEnd = endOfString(bytes, start);
    // A colon follows, perhaps after space.
    const valueStart = skipSpace(bytes, skipSpace(bytes, keyEnd) + 1);
    const end = endOfValue(bytes, valueStart);
    const key = JSON.parse(new TextDecoder().decode(bytes.subarray(start, keyEnd))) as string;
    members.push({ key, start, valueStart, end });
    next = skipSpace(bytes, end);
  }
  return members;
}

/** Position of the value that a text consists of. */
export function startOfValue(bytes: Uint8Array): number {
  return skipSpace(bytes, 0);
}

/** `bytes` with those from `start` to `end` replaced by a text. */
export function spliced(bytes: Uint8Array, start: number, end: number, text: string): Uint8Array {
  const inserted = encodeUtf8(text);
  const result = new Uint8Array(bytes.length - (end - start) + inserted.length);
  result.set(bytes.subarray(0, start));
  result.set(inserted, start);
  result.set(bytes.subarray(end), start + inserted.length);
  return result;
}

const [quote, backslash, comma, openBrace, closeBrace, openBracket, closeBracket] = [
  0x22, 0x5c, 0x2c, 0x7b, 0x7d, 0x5b, 0x5d,
];

/** Position of the first byte from `at` on that is no white space. */
export function skipSpace(bytes: Uint8Array, at: number): number {
  let next = at;
  while (bytes[next] === 0x20 || bytes[next] === 0x0a || bytes[next] === 0x0d || bytes[next] === 0x09) next++;
  return next;
}

function endOfString(bytes: Uint8Array, at: number): number {
  let next = at + 1;
  while (bytes[next] !== quote) next += bytes[next] === backslash ? 2 : 1;
  return next + 1;
}

/** Position behind the value at `at`. */
function endOfValue(bytes: Uint8Array, at: number): number {
  let depth = 0;
  let next = at;
  while (next < bytes.length) {
    const byte = bytes[next];
    if (byte === quote) next = endOfString(bytes, next);
    else {
      if (byte === openBrace || byte === openBracket) depth++;
      if (depth === 0 && (byte === comma || byte === closeBrace || byte === closeBracket || isSpace(byte)))
        break;
      if (byte === closeBrace || byte === closeBracket) depth--;
      next++;
    }
    if (depth === 0 && (byte === quote || byte === closeBrace || byte === closeBracket)) break;
  }
  return next;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
