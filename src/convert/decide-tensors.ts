import type { RunContext } from "../core/context.ts";
import type { TensorDict } from "../core/dict.ts";
import { ConvertError } from "../core/errors.ts";
import type { Format } from "../core/format.ts";
import { graphOf } from "../core/graph.ts";
import { type FilterOptions, filter } from "../transforms/filter.ts";
import { setMetadata } from "../transforms/metadata.ts";
import { type RenameOptions, rename } from "../transforms/rename.ts";
import { restoreTies } from "../transforms/restore-ties.ts";
import { resolveTies, type TiedPolicy } from "../transforms/tied.ts";
import { refuseChanges } from "./allowances.ts";
import { withoutWhole } from "./merge.ts";

/** What becomes of the tensors between input and output; documented with the options of `convert`. */
export interface TensorOptions extends FilterOptions, RenameOptions {
  /** What becomes of names that share all their bytes; by default they go on sharing where the format can, and are dropped elsewhere. */
  readonly tied?: TiedPolicy | undefined;
  /** Names that stay when their tied group is reduced to one. */
  readonly keep?: readonly string[] | undefined;
  /** Keys to add to the output's metadata. */
  readonly metadata?: ReadonlyMap<string, string> | undefined;
}

/** A tensor or value of the input that the output lacks. */
export interface Dropped {
  readonly name: string;
  readonly reason: string;
  /** The name under which the same tensor was written. */
  readonly keptAs?: string | undefined;
}

/** The tensors of an output, and how they came about. */
export interface DecidedTensors {
  readonly dict: TensorDict;
  /** Before ties were resolved: whose storages are read. */
  readonly chosen: TensorDict;
  readonly dropped: readonly Dropped[];
}

/**
 * The transforms of one conversion in their order: filter, rename, tied, metadata. Each sees the names that the one
 * before it made.
 */
export function decideTensors(
  input: TensorDict,
  format: Format,
  options: TensorOptions & { readonly allow: readonly string[]; readonly path: string },
  context: RunContext,
): DecidedTensors {
  const filtered = filter(options, context)(input);
  refuseChanges(filtered, options.allow, options.path);
  const renamed = keepWhole(input, rename(options, context)(filtered), context);
  const tied = tie(renamed, format, options, context);
  const dict = setMetadata(options.metadata ?? new Map(), context)(tied);
  const dropped = [...excluded(input, filtered), ...untied(renamed, dict), ...leftBehind(input)];
  return { dict, chosen: renamed, dropped };
}

/** What the tensors are a part of stays only where each of them does, under its name. */
function keepWhole(before: TensorDict, after: TensorDict, context: RunContext): TensorDict {
  if (before === after) return after;
  if (context.whole) {
    throw new ConvertError("usage", "a checkpoint taken as a whole keeps all its tensors and their names", {
      hint: "leave out --all, or the options that choose and rename",
    });
  }
  if (graphOf(before) !== undefined) {
    const message =
      "the graph around the weights is left behind, since it needs all of them under their names";
    context.warn({ code: "left-behind", message });
  }
  return { ...after, metadata: withoutWhole(after.metadata, context) };
}

/**
 * A format whose tensors can share a storage keeps them as they are, unless the caller wants otherwise; and a graph
 * names each of its weights.
 */
function tie(dict: TensorDict, format: Format, options: TensorOptions, context: RunContext): TensorDict {
  const { tied, keep = [] } = options;
  if (graphOf(dict) !== undefined) return dict;
  if (format.sharesStorage && tied === undefined) return restoreTies(dict);
  const restored = tied === "copy" ? restoreTies(dict) : restoreTies(dict, keep);
  return resolveTies(tied ?? "drop", keep, context)(restored);
}

function excluded(before: TensorDict, after: TensorDict): readonly Dropped[] {
  if (before === after) return [];
  const names = [...before.tensors.keys(), ...before.aliases.keys()];
  const left = names.filter((name) => !after.tensors.has(name) && !after.aliases.has(name));
  return left.map((name) => ({ name, reason: "excluded" }));
}

function untied(before: TensorDict, after: TensorDict): readonly Dropped[] {
  const left = [...before.tensors.keys()].filter((name) => !after.tensors.has(name));
  return left.map((name) => ({ name, reason: "tied", keptAs: after.aliases.get(name) }));
}

function leftBehind({ leftovers }: TensorDict): readonly Dropped[] {
  return leftovers.map(({ name, what }) => ({ name, reason: `not a tensor of the state dict: ${what}` }));
}
