import type { TensorDict } from "../../core/dict.ts";
import { ConvertError } from "../../core/errors.ts";

/**
 * What a caller may allow by name: `unsafe-pickle`, a file whose loader would run dangerous code (none of it is run
 * here); `densify`, sparse tensors written with their zeros; `lossy-cast`, numbers beyond the range of the type that they
 * are cast to; `partial-swap`, weights that a template has no place for, or that it goes on having from before.
 */
export type Allowance = "unsafe-pickle" | "densify" | "lossy-cast" | "partial-swap";

const allowances: readonly string[] = [
  "unsafe-pickle",
  "densify",
  "lossy-cast",
  "partial-swap",
] satisfies readonly Allowance[];

/** Throws kind `usage` for a word that allows nothing. */
export function checkAllowances(words: readonly string[]): void {
  for (const word of words) {
    if (allowances.includes(word)) continue;
    throw new ConvertError("usage", `there is nothing to allow by the name of "${word}"`, {
      hint: `known are ${allowances.join(", ")}`,
    });
  }
}

/** Refuses (kind `lossy`) tensors that would be written as something else without leave. */
export function refuseChanges(dict: TensorDict, allowed: readonly string[], file: string): void {
  for (const [tensor, { permission }] of dict.tensors) {
    if (permission === undefined || allowed.includes(permission.word)) continue;
    throw new ConvertError("lossy", `"${tensor}" ${permission.change}`, {
      file,
      tensor,
      hint: `--allow ${permission.word} does so`,
    });
  }
}
