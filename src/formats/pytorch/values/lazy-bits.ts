import { bitsOf, type DType } from "../../../core/dtype.ts";
import type { ByteSource } from "../../../core/source.ts";

/** Bits that torch keeps beside a view instead of changing its bytes (FORMAT.md, "Lazy bits"). */
export interface LazyBits {
  /** The imaginary parts are meant with the other sign. */
  readonly conj: boolean;
  /** All parts are meant with the other sign. */
  readonly neg: boolean;
}

/** The values that are meant: signs turned while the bytes are read. */
export function resolveBits(stored: ByteSource, dtype: DType, bits: LazyBits): ByteSource {
  const isComplex = dtype.startsWith("C");
  const itemBytes = bitsOf(dtype) / 8;
  const partBytes = isComplex ? itemBytes / 2 : itemBytes;
  const turnReal = bits.neg;
  const turnImaginary = bits.neg !== bits.conj;
  return {
    name: stored.name,
    size: stored.size,
    granule: itemBytes,
    async readInto(target, offset, request) {
      await stored.readInto(target, offset, request);
      // Little-endian: the sign is the top bit of a part's last byte.
      if (turnReal) turnSigns(target, partBytes - 1, itemBytes);
      if (isComplex && turnImaginary) turnSigns(target, itemBytes - 1, itemBytes);
    },
  };
}

function turnSigns(bytes: Uint8Array, first: number, step: number): void {
  for (let at = first; at < bytes.length; at += step) bytes[at] = (bytes[at] as number) ^ 0x80;
}
