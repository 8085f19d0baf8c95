import { blockElements, type CastMachine, createCastMachine, type Region } from "./float-steps.ts";
import { type FloatType, floatBytes } from "./floats.ts";

/** Numbers that a type cannot hold, counted up by every call. */
export interface CastLoss {
  /** Numbers beyond the range of the type; infinite ones count where it has no infinity. */
  overflowed: number;
  /** Nonzero numbers that became zero. */
  vanished: number;
}

/** Casts little-endian numbers at any alignment; `target` holds as many as `source`, and they do not overlap. */
export type FloatCast = (source: Uint8Array, target: Uint8Array, loss: CastLoss) => void;

let shared: CastMachine | undefined;
const known = new Map<string, FloatCast>();

/**
 * The cast from one type to another, rounding to nearest, ties to even: bit for bit what torch's `tensor.to(dtype)` gives
 * for a contiguous tensor. Works in a few blocks of memory that all casts share, so it runs to its end at once.
 */
export function floatCast(from: FloatType, to: FloatType): FloatCast {
  const key = `${from} ${to}`;
  shared ??= createCastMachine(false);
  const cast = known.get(key) ?? castOn(shared, from, to);
  known.set(key, cast);
  return cast;
}

/** The same, in the memory of a machine of one's own. */
export function castOn({ regions, steps }: CastMachine, from: FloatType, to: FloatType): FloatCast {
  const chain = steps(from, to);
  const [fromBytes, toBytes] = [floatBytes(from), floatBytes(to)];
  const [first] = regions;
  const last = regions[chain.length] as Region;
  return (source, target, loss) => {
    const total = source.length / fromBytes;
    for (let start = 0; start < total; start += blockElements) {
      const count = Math.min(blockElements, total - start);
      first.bytes.set(source.subarray(start * fromBytes, (start + count) * fromBytes));
      for (const [index, step] of chain.entries()) {
        const lost = step(regions[index] as Region, regions[index + 1] as Region, count);
        loss.vanished += lost & 0xffff;
        loss.overflowed += lost >>> 16;
      }
      target.set(last.bytes.subarray(0, count * toBytes), start * toBytes);
    }
  };
}
