import { ConvertError } from "../../../core/errors.ts";
import { createScratchPool } from "../../../core/scratch.ts";
import type { ByteSource, ReadRequest } from "../../../core/source.ts";

/** From one place to the next that is known of a text, in bytes of the text. */
const stepBytes = 256 * 1024;

/**
 * Bytes that were written as the characters of those numbers, in UTF-8: `size` bytes, of which those from 0x80 on take two
 * in `text`. The first read walks over the text to learn where its bytes lie, and keeps a number for each 256 KiB; a
 * text of another size, or with other characters, is refused by the reads (kind `malformed`).
 */
export function latin1Text(text: ByteSource, size: number): ByteSource {
  let places: Promise<readonly number[]> | undefined;

  function fail(): never {
    throw new ConvertError("malformed", `a text in the pickle should stand for ${size} bytes, and does not`, {
      file: text.name,
    });
  }

  /** How many bytes lie before each step of the text. */
  async function findPlaces(signal: AbortSignal | undefined): Promise<readonly number[]> {
    const request = { signal, scratch: createScratchPool() };
    const before = [0];
    let count = 0;
    for (let at = 0; at < text.size; at += stepBytes) {
      await withStep(at, request, (step, own) => {
        for (let index = 0; index < own; index++) count += 1 - isRest(step[index] as number);
      });
      before.push(count);
    }
    return count === size ? before : fail();
  }

  /** A step with one byte more, which the last character may need; `own` is the length without it. */
  function withStep(
    at: number,
    request: ReadRequest,
    use: (step: Uint8Array, own: number) => void,
  ): Promise<void> {
    const own = Math.min(stepBytes, text.size - at);
    return (request.scratch ?? createScratchPool()).lend(stepBytes + 1, async (buffer) => {
      const step = buffer.subarray(0, Math.min(own + 1, text.size - at));
      await text.readInto(step, at, request);
      use(step, own);
    });
  }

  return {
    name: text.name,
    size,
    async readInto(target, offset, request = {}) {
      places ??= findPlaces(request.signal).catch((error) => {
        places = undefined;
        throw error;
      });
      const before = await places;
      const end = offset + target.length;
      for (let step = lastNotAbove(before, offset); (before[step] ?? size) < end; step++) {
        await withStep(step * stepBytes, request, (bytes, own) => {
          if (!decode(bytes, own, step === 0, target, (before[step] as number) - offset)) fail();
        });
      }
    },
  };
}

/** The last place at or before an offset. */
function lastNotAbove(before: readonly number[], offset: number): number {
  let low = 0;
  let high = before.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((before[middle] as number) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * Writes the characters that start in a step to `target` from `at` on, which may lie before it; false where one is above 0xff.
 * Without branches on what the bytes are: weights are random, and no processor foresees them.
 */
function decode(step: Uint8Array, own: number, isFirst: boolean, target: Uint8Array, at: number): boolean {
  // The rest of a character of the step before.
  const start = isFirst ? 0 : isRest(step[0] as number);
  const end = target.length;
  let place = at;
  let wrong = 0;
  for (let index = start; index < own; index++) {
    const byte = step[index] as number;
    const isPair = byte >> 7;
    index += isPair;
    const rest = step[index] as number;
    wrong |= isPair & (Number((byte & 0xfe) !== 0xc2) | (1 - isRest(rest)));
    // A character of one byte is its own rest.
    const value = ((byte & 3 & -isPair) << 6) | (rest & (0xff >> (2 * isPair)));
    if (place >= 0 && place < end) target[place] = value;
    place++;
  }
  return wrong === 0;
}

/** 1 for a byte that goes on with a character, else 0. */
function isRest(byte: number): number {
  return (byte >> 7) & ~(byte >> 6) & 1;
}
