import type { RunContext } from "../core/context.ts";
import type { TensorDict } from "../core/dict.ts";
import { ConvertError } from "../core/errors.ts";
import { extrasUnder } from "../core/extras.ts";
import type { LazyTensor } from "../core/tensor.ts";
import { type Pattern, parsePattern } from "./pattern.ts";

/** Which tensors are wanted, by patterns on their names as `parsePattern` takes them. */
export interface FilterOptions {
  /** Without any, every name is. */
  readonly include?: readonly string[] | undefined;
  /** Wins over `include`. */
  readonly exclude?: readonly string[] | undefined;
}

/**
 * Leaves out tensors by name. Names that stand for a tensor count as names: one whose tensor is left out gets the tensor
 * itself. A pattern that matches nothing is told by a notice; throws kind `usage` where no tensor is left.
 */
export function filter({ include = [], exclude = [] }: FilterOptions, context: RunContext) {
  const included = include.map(counted);
  const excluded = exclude.map(counted);
  const isWanted = (name: string): boolean =>
    (included.length === 0 || anyOf(included, name)) && !anyOf(excluded, name);
  return (dict: TensorDict): TensorDict => {
    if (included.length + excluded.length === 0) return dict;
    const { tensors, aliases } = choose(dict, isWanted);
    warnOfUnmatched(included, "include", dict, context);
    warnOfUnmatched(excluded, "exclude", dict, context);
    if (tensors.size === 0) {
      throw new ConvertError("usage", `of ${dict.tensors.size} tensors, none is left to write`, {
        hint: "see the names with tensorferry inspect; a * in a pattern stands for dots too",
      });
    }
    if (tensors.size === dict.tensors.size && aliases.size === dict.aliases.size) return dict;
    if (dict.extras.size === 0) return { ...dict, tensors, aliases };
    const same = new Map([...tensors.keys()].map((name) => [name, name]));
    return { ...dict, tensors, aliases, extras: extrasUnder(same, dict.extras) };
  };
}

interface CountedPattern extends Pattern {
  matched: boolean;
}

function counted(text: string): CountedPattern {
  return { ...parsePattern(text), matched: false };
}

/** Asks every pattern, so that each is known to match something or nothing. */
function anyOf(patterns: readonly CountedPattern[], name: string): boolean {
  let matched = false;
  for (const pattern of patterns) {
    if (matched && pattern.matched) continue;
    if (!pattern.matches(name)) continue;
    pattern.matched = true;
    matched = true;
  }
  return matched;
}

function choose(
  dict: TensorDict,
  isWanted: (name: string) => boolean,
): { readonly tensors: Map<string, LazyTensor>; readonly aliases: Map<string, string> } {
  const aliasesOf = new Map<string, string[]>();
  for (const [alias, kept] of dict.aliases) {
    if (!isWanted(alias)) continue;
    const others = aliasesOf.get(kept);
    if (others) others.push(alias);
    else aliasesOf.set(kept, [alias]);
  }
  const tensors = new Map<string, LazyTensor>();
  const aliases = new Map<string, string>();
  for (const [name, tensor] of dict.tensors) {
    const others = aliasesOf.get(name);
    if (others === undefined) {
      if (isWanted(name)) tensors.set(name, tensor);
      continue;
    }
    const names = isWanted(name) ? [name, ...others] : others;
    const [kept, ...alsoKept] = names;
    if (kept === undefined) continue;
    tensors.set(kept, tensor);
    for (const alias of alsoKept) aliases.set(alias, kept);
  }
  return { tensors, aliases };
}

function warnOfUnmatched(
  patterns: readonly CountedPattern[],
  option: string,
  dict: TensorDict,
  context: RunContext,
): void {
  for (const { text, matched } of patterns) {
    if (matched) continue;
    const below = [...dict.tensors.keys()].some((name) => name.startsWith(`${text}.`));
    const advice = below ? `; "${text}.*" would match what is below that name` : "";
    context.warn({ code: "unmatched", message: `${option} "${text}" matches no tensor${advice}` });
  }
}
