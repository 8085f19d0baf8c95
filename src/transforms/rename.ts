import type { RunContext } from "../core/context.ts";
import type { TensorDict } from "../core/dict.ts";
import { ConvertError } from "../core/errors.ts";
import { extrasUnder } from "../core/extras.ts";
import type { LazyTensor } from "../core/tensor.ts";
import { parseRegex } from "./pattern.ts";

/** A whole name, or a `/regex/` with the flags `g`, `i` and `u`, and what takes its place; there `$1` is the first group. */
export type RenameRule = readonly [from: string, to: string];

/** New names, in the order in which they are made. */
export interface RenameOptions {
  /** Taken off names that start with it. */
  readonly stripPrefix?: string | undefined;
  /** Old names to new, all at once, so that names can be swapped; a name that is not a key goes by the first `/regex/` of the keys that it matches. */
  readonly map?: ReadonlyMap<string, string> | undefined;
  /** One after the other, each on what the one before it made. */
  readonly rename?: readonly RenameRule[] | undefined;
  /** Put before every name. */
  readonly addPrefix?: string | undefined;
}

/**
 * Renames tensors, and the names that stand for them. A rule that matches nothing is told by a notice; throws kind `usage`
 * where two tensors would get one name, or one an empty name.
 */
export function rename(options: RenameOptions, context: RunContext) {
  const steps = stepsOf(options);
  return (dict: TensorDict): TensorDict => {
    if (steps.length === 0) return dict;
    const tensors = new Map<string, LazyTensor>();
    const names = new Map<string, string>();
    for (const [from, tensor] of dict.tensors) {
      const to = newName(from, steps);
      if (tensors.has(to)) throw collision(to, from, dict, steps);
      tensors.set(to, tensor);
      if (dict.aliases.size + dict.extras.size > 0) names.set(from, to);
    }
    const aliases = new Map<string, string>();
    for (const [from, kept] of dict.aliases) {
      const to = newName(from, steps);
      if (tensors.has(to) || aliases.has(to)) throw collision(to, from, dict, steps);
      aliases.set(to, names.get(kept) as string);
    }
    for (const what of steps.flatMap(({ unused }) => unused()))
      context.warn({ code: "unmatched", message: `${what} matches no tensor` });
    return { ...dict, tensors, aliases, extras: extrasUnder(names, dict.extras) };
  };
}

function newName(from: string, steps: readonly Step[]): string {
  let to = from;
  for (const step of steps) to = step.apply(to);
  if (to !== "" || from === "") return to;
  throw new ConvertError("usage", `nothing would be left of the name "${from}"`, {
    tensor: from,
    hint: "narrow the rule, or leave the tensor out with --exclude",
  });
}

/** Looks for the other name only now that it is needed. */
function collision(to: string, from: string, dict: TensorDict, steps: readonly Step[]): ConvertError {
  const all = [...dict.tensors.keys(), ...dict.aliases.keys()];
  const other = all.find((name) => name !== from && newName(name, steps) === to);
  return new ConvertError("usage", `"${other}" and "${from}" would both be named "${to}"`, {
    tensor: from,
    hint: "narrow the rule, or leave one of them out with --exclude",
  });
}

interface Step {
  apply(name: string): string;
  /** Rules that no name has met so far, in words. */
  unused(): readonly string[];
}

function stepsOf({ stripPrefix, map, rename: rules, addPrefix }: RenameOptions): readonly Step[] {
  const steps: Step[] = [];
  if (stripPrefix) steps.push(stripStep(stripPrefix));
  if (map && map.size > 0) steps.push(mapStep(map));
  for (const [from, to] of rules ?? []) steps.push(ruleStep(from, to, `rename "${from}"`));
  if (addPrefix) steps.push({ apply: (name) => addPrefix + name, unused: () => [] });
  return steps;
}

function stripStep(prefix: string): Step {
  let used = false;
  return {
    apply(name) {
      if (!name.startsWith(prefix)) return name;
      used = true;
      return name.slice(prefix.length);
    },
    unused: () => (used ? [] : [`strip-prefix "${prefix}"`]),
  };
}

function ruleStep(from: string, to: string, what: string): Step {
  const regex = parseRegex(from, "giu");
  let used = false;
  return {
    apply(name) {
      if (regex === undefined ? name !== from : name.search(regex) < 0) return name;
      used = true;
      return regex === undefined ? to : name.replace(regex, to);
    },
    unused: () => (used ? [] : [what]),
  };
}

function mapStep(map: ReadonlyMap<string, string>): Step {
  const rules = [...map].filter(([from]) => parseRegex(from, "giu") !== undefined);
  const regexes = rules.map(([from, to]) => ruleStep(from, to, `the name "${from}" of the map`));
  const unused = new Set(map.keys());
  for (const [from] of rules) unused.delete(from);
  return {
    apply(name) {
      const exact = map.get(name);
      if (exact !== undefined) {
        unused.delete(name);
        return exact;
      }
      for (const { apply } of regexes) {
        const changed = apply(name);
        if (changed !== name) return changed;
      }
      return name;
    },
    unused: () => [
      ...[...unused].map((from) => `the name "${from}" of the map`),
      ...regexes.flatMap((regex) => regex.unused()),
    ],
  };
}
