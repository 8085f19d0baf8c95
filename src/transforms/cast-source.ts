import { type CastLoss, floatCast } from "../bytes/float-cast.ts";
import { type FloatType, floatBytes } from "../bytes/floats.ts";
import { checkedSource } from "../core/checksum.ts";
import type { RunContext } from "../core/context.ts";
import { throwIfCancelled } from "../core/errors.ts";
import { createScratchPool } from "../core/scratch.ts";
import { type ByteSource, checkRange } from "../core/source.ts";

/** What a cast of one payload is and whom it tells. */
export interface CastRequest {
  readonly from: FloatType;
  readonly to: FloatType;
  /** For messages. */
  readonly tensor: string;
  /** Told of every stretch: what was lost, and how many numbers there were. */
  note(loss: CastLoss, numbers: number): void;
}

/** Read at a time: worth a call, and no burden on the memory. */
const stretchBytes = 2 * 1024 * 1024;

/**
 * The same numbers in another type, cast while they are read, in borrowed memory. A checksum that the container of
 * `stored` recorded is compared on the way, since nobody else sees those bytes.
 */
export function castSource(stored: ByteSource, request: CastRequest, context: RunContext): ByteSource {
  const { from, to } = request;
  const wide = checkedSource(stored, request.tensor, context);
  const [fromBytes, toBytes] = [floatBytes(from), floatBytes(to)];
  const size = (wide.size / fromBytes) * toBytes;
  const preferred = preferredInput(wide, toBytes / fromBytes);
  const stretch = Math.floor(Math.max(preferred ?? 0, stretchBytes) / fromBytes);
  return {
    name: wide.name,
    size,
    granule: toBytes,
    preferredBytes: preferred && Math.floor(preferred / fromBytes) * toBytes,
    async readInto(target, offset, read) {
      checkRange(wide.name, size, offset, target.length);
      const cast = floatCast(from, to);
      const numbers = target.length / toBytes;
      const start = (offset / toBytes) * fromBytes;
      const step = Math.min(numbers, stretch);
      const loss: CastLoss = { overflowed: 0, vanished: 0 };
      const scratch = read?.scratch ?? createScratchPool();
      await scratch.lend(step * fromBytes, async (buffer) => {
        for (let at = 0; at < numbers; at += step) {
          throwIfCancelled(read?.signal);
          const count = Math.min(step, numbers - at);
          const part = buffer.subarray(0, count * fromBytes);
          await wide.readInto(part, start + at * fromBytes, read);
          cast(part, target.subarray(at * toBytes, (at + count) * toBytes), loss);
        }
      });
      request.note(loss, numbers);
    },
  };
}

/** Input and output of one long read; two of them are under way at once. */
const maxLongBytes = 32 * 1024 * 1024;

/** As much as the input prefers, halved until there is room for the output beside it. */
function preferredInput({ preferredBytes }: ByteSource, growth: number): number | undefined {
  let bytes = preferredBytes;
  while (bytes !== undefined && bytes * (1 + growth) > maxLongBytes) bytes /= 2;
  return bytes;
}
