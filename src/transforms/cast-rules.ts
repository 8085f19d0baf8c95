import type { FloatType } from "../bytes/floats.ts";
import { ConvertError } from "../core/errors.ts";
import { type Pattern, parsePattern } from "./pattern.ts";

/** Which tensors are cast to what. */
export interface CastRule {
  /** Without one, all floating tensors are meant. */
  readonly pattern: Pattern | undefined;
  readonly to: FloatType;
}

const targets = new Map<string, FloatType>([
  ["f64", "F64"],
  ["f32", "F32"],
  ["f16", "F16"],
  ["bf16", "BF16"],
  ["f8_e4m3", "F8_E4M3"],
  ["f8_e5m2", "F8_E5M2"],
  ["f8_e4m3fnuz", "F8_E4M3FNUZ"],
  ["f8_e5m2fnuz", "F8_E5M2FNUZ"],
]);

/** Reads `f16` or `PATTERN=f16`; names may hold equal signs. Throws kind `usage`. */
export function parseCastRule(text: string): CastRule {
  const at = text.lastIndexOf("=");
  const word = text.slice(at + 1);
  const to = targets.get(word.toLowerCase());
  if (to === undefined || at === 0) {
    throw new ConvertError("usage", `nothing can be cast to "${at === 0 ? text : word}"`, {
      hint: `write one of ${[...targets.keys()].join(", ")}, or PATTERN= and one of them`,
    });
  }
  return { pattern: at < 0 ? undefined : parsePattern(text.slice(0, at)), to };
}
