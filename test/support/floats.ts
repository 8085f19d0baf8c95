import { type FloatType, floatBytes, isNarrow } from "../../src/bytes/floats.ts";

/** As in `scripts/fixtures/casts.py`. */
const spreadCount = 1_000_000;

/** The inputs of `fixtures/casts.json`: all codes of a narrow type, a million numbers of a wide one. */
export function castInputs(type: FloatType): Uint8Array {
  if (type === "F64") return new Uint8Array(doubles().buffer);
  if (type === "F32") return new Uint8Array(singles().buffer);
  if (isNarrow(type) && floatBytes(type) === 1) return Uint8Array.from({ length: 256 }, (_, code) => code);
  return new Uint8Array(Uint16Array.from({ length: 65_536 }, (_, code) => code).buffer);
}

function spread(index: number): number {
  let value = index;
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

const cleared = [0, 0, 0, 0xfff, 0x7fff, 0xfffff, 0x1fffff, 0];

function singles(): Uint32Array {
  return Uint32Array.from({ length: spreadCount }, (_, index) => {
    const bits = spread(index);
    const kind = index % 8;
    if (kind === 0) return bits;
    if (kind === 1) return (bits & 0x807fffff) | (index % 16 === 1 ? 0x7f800000 : 0);
    const exponent = 96 + (spread(index + spreadCount) % 52);
    return ((bits & 0x807fffff) | (exponent << 23)) & ~(cleared[kind] as number);
  });
}

function doubles(): Uint32Array {
  const narrow = new Float32Array(singles().buffer);
  const halves = new Uint32Array(2 * spreadCount);
  const wide = new Float64Array(halves.buffer);
  for (let index = 0; index < spreadCount; index++) {
    const low = spread(index + 2 * spreadCount);
    const value = narrow[index] as number;
    wide[index] = value;
    const kind = (index >>> 3) % 4;
    const tail = [low & 0x1fffffff, 0x10000000, 1, 0][kind] as number;
    halves[2 * index] = (halves[2 * index] as number) | tail;
    if (Number.isNaN(value)) {
      halves[2 * index] = low;
      halves[2 * index + 1] = (spread(index) & 0x800fffff) | 0x7ff00000;
    } else if (index % 8 === 0) {
      halves[2 * index] = low;
      halves[2 * index + 1] = spread(index);
    }
  }
  return halves;
}
