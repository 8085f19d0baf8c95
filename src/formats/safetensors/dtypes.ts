import type { DType } from "../../core/dtype.ts";

/**
 * The 22 types of safetensors 0.8 in the order in which the reference writer sorts them, first to last
 * (FORMAT.md, "Order"). Our spelling is theirs.
 */
export const safetensorsDTypes: readonly DType[] = [
  "U64",
  "I64",
  "F64",
  "C64",
  "F32",
  "U32",
  "I32",
  "BF16",
  "F16",
  "U16",
  "I16",
  "F8_E5M2FNUZ",
  "F8_E4M3FNUZ",
  "F8_E8M0",
  "F8_E4M3",
  "F8_E5M2",
  "I8",
  "U8",
  "F6_E3M2",
  "F6_E2M3",
  "F4",
  "BOOL",
];

/** Position of a type in the writer's order. */
export const dtypeRank: ReadonlyMap<DType, number> = new Map(
  safetensorsDTypes.map((dtype, rank) => [dtype, rank]),
);

/** The type that a header names; the spelling is exact. */
export const dtypeByName: ReadonlyMap<string, DType> = new Map(
  safetensorsDTypes.map((dtype) => [dtype, dtype]),
);
