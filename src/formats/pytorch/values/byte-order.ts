import type { ByteSource } from "../../../core/source.ts";
import type { TorchDType } from "./dtypes.ts";

/** How an archive's storages have their bytes. */
export type ByteOrder = "little" | "big";

/**
 * A storage with its elements little-endian. An untyped storage stays as it is: torch swaps by the storage's type,
 * and so leaves it alone, too (FORMAT.md, "Byte order").
 */
export function inLittleEndian(
  stored: ByteSource,
  order: ByteOrder,
  dtype: TorchDType | undefined,
): ByteSource {
  const width = dtype?.dtype.startsWith("C") ? dtype.itemBytes / 2 : (dtype?.itemBytes ?? 1);
  if (order === "little" || width === 1) return stored;
  return {
    name: stored.name,
    size: stored.size,
    granule: width,
    async readInto(target, offset, request) {
      await stored.readInto(target, offset, request);
      swap(target, width);
    },
  };
}

/** Turns each element of `width` bytes around, in place. */
function swap(bytes: Uint8Array, width: number): void {
  for (let start = 0; start + width <= bytes.length; start += width)
    bytes.subarray(start, start + width).reverse();
}
