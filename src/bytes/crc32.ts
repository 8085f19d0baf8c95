/** Continues a CRC-32 (the one of zip and zlib) over `bytes`; `seed` is the checksum of all before them, 0 at first. */
export type Crc32 = (bytes: Uint8Array, seed: number) => number;

const polynomial = 0xedb88320;
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ polynomial : value >>> 1;
  return value >>> 0;
});

/** Portable CRC-32, one byte a step; platforms with a native one hand that in instead. */
export const crc32: Crc32 = (bytes, seed) => {
  let value = ~seed;
  for (const byte of bytes) value = (table[(value ^ byte) & 0xff] as number) ^ (value >>> 8);
  return ~value >>> 0;
};

/** The CRC-32 of two runs of bytes one after the other, from their own checksums; `secondLength` in bytes. */
export function combineCrc32(first: number, second: number, secondLength: number): number {
  return (multiply(first, shiftBy(secondLength)) ^ second) >>> 0;
}

/** Powers x^(8·2^k) modulo the polynomial, in the reflected bit order that the checksum uses. */
const powers: number[] = [0x00800000];
let lastShift: { length: number; operator: number } | undefined;

function shiftBy(length: number): number {
  if (lastShift?.length === length) return lastShift.operator;
  let operator = 0x80000000;
  for (let rest = length, k = 0; rest > 0; rest = Math.floor(rest / 2), k++) {
    powers[k] ??= multiply(powers[k - 1] as number, powers[k - 1] as number);
    if (rest % 2 === 1) operator = multiply(operator, powers[k] as number);
  }
  lastShift = { length, operator };
  return operator;
}

/** Product of two polynomials over GF(2), reflected, modulo the checksum's polynomial. */
function multiply(left: number, right: number): number {
  let product = 0;
  let factor = right;
  for (let bit = 31; bit >= 0; bit--) {
    if ((left >>> bit) & 1) product ^= factor;
    factor = factor & 1 ? (factor >>> 1) ^ polynomial : factor >>> 1;
  }
  return product >>> 0;
}
