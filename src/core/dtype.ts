import { safeProduct } from "../bytes/size.ts";
import { ConvertError, type ErrorSite } from "./errors.ts";

/** The two numbers that everything here needs to know about an element type. */
interface DTypeFacts {
  /** Width of one element; below 8, elements are packed and a tensor must fill whole bytes. */
  readonly bits: number;
  readonly kind: "bool" | "integer" | "float" | "complex";
}

const facts = {
  BOOL: { bits: 8, kind: "bool" },
  U8: { bits: 8, kind: "integer" },
  I8: { bits: 8, kind: "integer" },
  U16: { bits: 16, kind: "integer" },
  I16: { bits: 16, kind: "integer" },
  U32: { bits: 32, kind: "integer" },
  I32: { bits: 32, kind: "integer" },
  U64: { bits: 64, kind: "integer" },
  I64: { bits: 64, kind: "integer" },
  U2: { bits: 2, kind: "integer" },
  I2: { bits: 2, kind: "integer" },
  U4: { bits: 4, kind: "integer" },
  I4: { bits: 4, kind: "integer" },
  F4: { bits: 4, kind: "float" },
  F6_E2M3: { bits: 6, kind: "float" },
  F6_E3M2: { bits: 6, kind: "float" },
  F8_E4M3: { bits: 8, kind: "float" },
  F8_E5M2: { bits: 8, kind: "float" },
  F8_E4M3FNUZ: { bits: 8, kind: "float" },
  F8_E5M2FNUZ: { bits: 8, kind: "float" },
  F8_E8M0: { bits: 8, kind: "float" },
  F16: { bits: 16, kind: "float" },
  BF16: { bits: 16, kind: "float" },
  F32: { bits: 32, kind: "float" },
  F64: { bits: 64, kind: "float" },
  C32: { bits: 32, kind: "complex" },
  C64: { bits: 64, kind: "complex" },
  C128: { bits: 128, kind: "complex" },
} as const satisfies Record<string, DTypeFacts>;

/** An element type, spelled as safetensors spells it, with our own words (`C128`) for what it lacks. */
export type DType = keyof typeof facts;

/** Every element type we know, in no particular order. */
export const dtypes = Object.keys(facts) as readonly DType[];

/** Width of one element in bits. */
export function bitsOf(dtype: DType): number {
  return facts[dtype].bits;
}

/** Number of elements of a row-major shape; refuses (kind `malformed`) what does not fit a safe integer. */
export function elementCount(shape: readonly number[], site: ErrorSite): number {
  const count = safeProduct(shape);
  if (count === undefined) {
    throw new ConvertError(
      "malformed",
      `shape [${shape.join(", ")}] has more elements than any file holds`,
      site,
    );
  }
  return count;
}

/** Bytes of a contiguous tensor; refuses (kind `malformed`) overflow and sub-byte elements that do not fill whole bytes. */
export function byteLength(dtype: DType, shape: readonly number[], site: ErrorSite): number {
  const bits = elementCount(shape, site) * facts[dtype].bits;
  if (bits > Number.MAX_SAFE_INTEGER) {
    throw new ConvertError(
      "malformed",
      `${dtype} of shape [${shape.join(", ")}] is larger than any file`,
      site,
    );
  }
  if (bits % 8 !== 0) {
    throw new ConvertError(
      "malformed",
      `${dtype} of shape [${shape.join(", ")}] does not fill whole bytes`,
      site,
    );
  }
  return bits / 8;
}
