import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { crc32, inflateRawSync } from "node:zlib";
import type { ContextOptions } from "../core/context.ts";
import { createCopier } from "./copier.ts";

/** What Node does faster than portable code: zlib's CRC-32 runs at 5 GB/s, the portable one at a tenth of that; equal bytes are found equal at the speed of memory. */
export const platform = {
  crc32,
  sameBytes: (left, right) => Buffer.compare(left, right) === 0,
  inflate(packed, bytes) {
    try {
      const unpacked = inflateRawSync(packed, { maxOutputLength: bytes });
      return unpacked.length === bytes ? unpacked : undefined;
    } catch {
      return undefined;
    }
  },
  sha256() {
    const hash = createHash("sha256");
    return { update: (bytes) => hash.update(bytes), digest: () => hash.digest("hex") };
  },
  breathe: () => setImmediate(),
  createCopier: (jobs) => createCopier(jobs),
} satisfies ContextOptions;
