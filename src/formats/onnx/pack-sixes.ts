import { type ByteSource, checkRange } from "../../core/source.ts";
import { borrow } from "./borrow.ts";

/**
 * Elements of six bits that lie in the low bits of a byte each, four of them in three bytes, the first in the lowest
 * bits (FORMAT.md, "Types"). Their number is a multiple of four.
 */
export function packSixes(codes: ByteSource): ByteSource {
  const size = (codes.size / 4) * 3;
  return {
    name: codes.name,
    size,
    granule: 3,
    async readInto(target, offset, request) {
      checkRange(codes.name, size, offset, target.length);
      await borrow(request, (target.length / 3) * 4, async (bytes) => {
        await codes.readInto(bytes, (offset / 3) * 4, request);
        for (let from = 0, to = 0; to < target.length; from += 4, to += 3) {
          const [a, b, c, d] = bytes
            .subarray(from, from + 4)
            .map((byte) => byte & 0x3f) as unknown as number[];
          const word = (a as number) | ((b as number) << 6) | ((c as number) << 12) | ((d as number) << 18);
          target[to] = word;
          target[to + 1] = word >>> 8;
          target[to + 2] = word >>> 16;
        }
      });
    },
  };
}
