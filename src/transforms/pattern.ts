import { ConvertError } from "../core/errors.ts";
import { compileGlob } from "./glob.ts";

/** Says of tensor names whether they are meant. */
export interface Pattern {
  /** As it was written. */
  readonly text: string;
  matches(name: string): boolean;
}

/**
 * A glob over a whole name (`*` any characters, dots included; `?` one; `[a-z]`, `[!a-z]`; `{a,b}`, `{0..11}`; `\` takes
 * away a meaning), or `/regex/` with the flags `i` and `u`, found anywhere in the name. Throws kind `usage` for one that is
 * not well formed.
 */
export function parsePattern(text: string): Pattern {
  const regex = parseRegex(text);
  return { text, matches: regex ? (name) => regex.test(name) : compileGlob(text) };
}

/** The expression in `/…/flags`; `undefined` for other texts. */
function parseRegex(text: string): RegExp | undefined {
  const parts = /^\/(.+)\/([a-z]*)$/s.exec(text);
  if (parts === null) return undefined;
  const [, source, flags] = parts as unknown as [string, string, string];
  // A global one would remember where its last match ended.
  const hint = "a /regex/ is one of JavaScript's, and its flags are i and u";
  if (/[^iu]/.test(flags))
    throw new ConvertError("usage", `"${text}" is no pattern: unknown flags`, { hint });
  try {
    return new RegExp(source, flags);
  } catch (error) {
    throw new ConvertError("usage", `"${text}" is no pattern: ${(error as Error).message}`, { hint });
  }
}
