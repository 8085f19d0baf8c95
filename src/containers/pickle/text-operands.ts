import { decodeSurrogatePass } from "../../bytes/utf8.ts";

/** Python's own bound on digits in a decimal int; beyond it parsing costs quadratic time. */
const maxDigits = 4300;

/** A decimal int as INT and LONG write it, the latter with an `L`; `undefined` where it is none. */
export function parseDecimal(text: string): number | bigint | undefined {
  const digits = text.endsWith("L") ? text.slice(0, -1) : text;
  if (digits.length > maxDigits || !/^\s*[-+]?\d+\s*$/.test(digits)) return undefined;
  return narrow(BigInt(digits.trim().replace(/^\+/, "")));
}

/** A little-endian two's complement int; no bytes are 0. */
export function parseTwosComplement(bytes: Uint8Array): number | bigint {
  let hex = "";
  for (const byte of bytes) hex = byte.toString(16).padStart(2, "0") + hex;
  if (hex === "") return 0;
  return narrow(BigInt.asIntN(bytes.length * 8, BigInt(`0x${hex}`)));
}

function narrow(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

/** A float as FLOAT writes it: Python's repr, `nan` and `inf` included; `undefined` where it is none. */
export function parseFloatText(text: string): number | undefined {
  const word = text.trim().toLowerCase();
  const special = /^([-+]?)(nan|inf|infinity)$/.exec(word);
  if (special) return special[2] === "nan" ? Number.NaN : special[1] === "-" ? -Infinity : Infinity;
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/.test(word) ? Number(word) : undefined;
}

/** Text of Python 2's byte strings: UTF-8 where it is, else Latin-1, which loses nothing. */
export function decodeByteString(bytes: Uint8Array): string {
  return decodeSurrogatePass(bytes) ?? latin1(bytes);
}

/** One character for each byte. */
export function latin1(bytes: Uint8Array): string {
  const parts: string[] = [];
  for (let at = 0; at < bytes.length; at += 8192)
    parts.push(String.fromCharCode(...bytes.subarray(at, at + 8192)));
  return parts.join("");
}

const simpleEscapes: Readonly<Record<string, number>> = {
  "\\": 0x5c,
  "'": 0x27,
  '"': 0x22,
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
};

/** The bytes of a quoted Python string literal, as STRING writes it; `undefined` where the quotes or escapes are broken. */
export function parseQuoted(line: Uint8Array): Uint8Array | undefined {
  const text = latin1(line).trimEnd();
  const quote = text[0];
  if ((quote !== "'" && quote !== '"') || text.length < 2 || !text.endsWith(quote)) return undefined;
  const bytes: number[] = [];
  for (let at = 1; at < text.length - 1; at++) {
    if (text[at] !== "\\") {
      bytes.push(text.charCodeAt(at));
      continue;
    }
    const rest = text.slice(at + 1, text.length - 1);
    const coded = /^x([0-9a-fA-F]{2})|^([0-7]{1,3})/.exec(rest);
    const simple = simpleEscapes[rest[0] ?? ""];
    if (coded)
      bytes.push(
        coded[1] === undefined
          ? Number.parseInt(coded[2] as string, 8) & 0xff
          : Number.parseInt(coded[1], 16),
      );
    else if (simple !== undefined) bytes.push(simple);
    else if (rest === "") return undefined;
    else bytes.push(0x5c, rest.charCodeAt(0));
    at += coded ? coded[0].length : 1;
  }
  return Uint8Array.from(bytes);
}

/** The text of UNICODE: Latin-1 with `\uXXXX` and `\UXXXXXXXX` (Python's raw-unicode-escape). */
export function parseRawUnicode(line: Uint8Array): string | undefined {
  let broken = false;
  const text = latin1(line).replace(
    /\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/g,
    (_, short?: string, long?: string) => {
      const code = Number.parseInt(short ?? (long as string), 16);
      if (code > 0x10ffff) broken = true;
      return broken ? "" : String.fromCodePoint(code);
    },
  );
  return broken ? undefined : text;
}
