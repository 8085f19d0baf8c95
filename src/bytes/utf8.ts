const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Decodes UTF-8 without replacing anything and keeps a byte order mark; `undefined` where the bytes are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The UTF-8 bytes of a string; a lone surrogate becomes U+FFFD, so check `isWellFormed` where that matters. */
export function encodeUtf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** The bytes whose numbers the characters are (Latin-1); `undefined` where one is beyond U+00FF. */
export function encodeLatin1(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 0xff) return undefined;
    bytes[at] = code;
  }
  return bytes;
}

/** How many bytes `encodeUtf8` would give. */
export function utf8Length(text: string): number {
  for (let index = 0; index < text.length; index++)
    if (text.charCodeAt(index) >= 0x80) return encodeUtf8(text).length;
  return text.length;
}

/** Whether a string has no lone surrogate, that is, whether it has UTF-8 bytes at all. */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

/** Orders strings as their UTF-8 bytes are ordered. The default sort compares UTF-16 units, which differs beyond U+FFFF. */
export function compareUtf8(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let at = 0; at < length; at++) {
    const a = left.charCodeAt(at);
    const b = right.charCodeAt(at);
    if (a !== b) return codePointRank(a) - codePointRank(b);
  }
  return left.length - right.length;
}

/** A surrogate stands for a code point above U+FFFF, so it ranks after U+E000 to U+FFFF. */
function codePointRank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x2000 : unit >= 0xe000 ? unit - 0x800 : unit;
}

/**
 * Decodes Python's `surrogatepass` UTF-8, in which a lone surrogate has three bytes (ED A0..BF xx); strict
 * decoders refuse those. `undefined` where the bytes are not even that.
 */
export function decodeSurrogatePass(bytes: Uint8Array): string | undefined {
  return decodeUtf8(bytes) ?? decodeWithSurrogates(bytes);
}

function decodeWithSurrogates(bytes: Uint8Array): string | undefined {
  const parts: string[] = [];
  let start = 0;
  for (let at = 0; at + 2 < bytes.length; at++) {
    const second = bytes[at + 1] as number;
    const third = bytes[at + 2] as number;
    if (bytes[at] !== 0xed || second < 0xa0 || second > 0xbf || (third & 0xc0) !== 0x80) continue;
    const before = decodeUtf8(bytes.subarray(start, at));
    if (before === undefined) return undefined;
    parts.push(before, String.fromCharCode(0xd000 | ((second & 0x3f) << 6) | (third & 0x3f)));
    start = at + 3;
    at += 2;
  }
  const rest = decodeUtf8(bytes.subarray(start));
  return rest === undefined ? undefined : parts.join("") + rest;
}

/** Python's `surrogatepass` UTF-8: a lone surrogate has three bytes. */
export function encodeSurrogatePass(text: string): Uint8Array {
  if (isWellFormed(text)) return encodeUtf8(text);
  const bytes: number[] = [];
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    if (code < 0xd800 || code > 0xdfff) bytes.push(...encodeUtf8(character));
    else bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
  }
  return Uint8Array.from(bytes);
}
