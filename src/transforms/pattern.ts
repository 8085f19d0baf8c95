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
  // A global expression would remember where its last match ended.
  const regex = parseRegex(text, "iu");
  return { text, matches: regex ? (name) => regex.test(name) : compileGlob(text) };
}

/** The expression in `/…/flags`, with those of `flags` alone; `undefined` for other texts. Throws kind `usage` for a bad one. */
export function parseRegex(text: string, flags: string): RegExp | undefined {
  const parts = /^\/(.+)\/([a-z]*)$/s.exec(text);
  if (parts === null) return undefined;
  const [, source, given] = parts as unknown as [string, string, string];
  const hint = `a /regex/ is one of JavaScript's; its flags may be ${[...flags].join(", ")}`;
  if ([...given].some((flag) => !flags.includes(flag)))
    throw new ConvertError("usage", `"${text}" is no pattern: unknown flags`, { hint });
  try {
    return new RegExp(source, given);
  } catch (error) {
    throw new ConvertError("usage", `"${text}" is no pattern: ${(error as Error).message}`, { hint });
  }
}
