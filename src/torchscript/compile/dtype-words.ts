import type { DType } from "../../core/dtype.ts";

/** Torch's words for what graphs compute in, and the short ones. */
const words: readonly (readonly [long: string, short: string, dtype: DType])[] = [
  ["float64", "f64", "F64"],
  ["float32", "f32", "F32"],
  ["float16", "f16", "F16"],
  ["bfloat16", "bf16", "BF16"],
  ["int64", "i64", "I64"],
  ["int32", "i32", "I32"],
  ["int16", "i16", "I16"],
  ["int8", "i8", "I8"],
  ["uint8", "u8", "U8"],
  ["bool", "bool", "BOOL"],
];

const byWord: ReadonlyMap<string, DType> = new Map(
  words.flatMap(([long, short, dtype]) => [
    [long, dtype],
    [short, dtype],
  ]),
);

/** The short words, for people. */
export const dtypeWords = words.map(([, short]) => short).join(" ");

/** `f32`, `float32` or `torch.float32`; `undefined` for other words. */
export function dtypeOfWord(word: string): DType | undefined {
  return byWord.get(word.toLowerCase().replace(/^torch\./, ""));
}
