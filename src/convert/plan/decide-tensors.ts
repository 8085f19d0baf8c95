import type { RunContext } from "../../core/context.ts";
import type { TensorDict } from "../../core/dict.ts";
import type { DType } from "../../core/dtype.ts";
import { ConvertError } from "../../core/errors.ts";
import type { Format } from "../../core/format.ts";
import { graphOf } from "../../core/graph.ts";
import { type CastOptions, cast } from "../../transforms/cast.ts";
import { type CastLosses, createCastLosses } from "../../transforms/cast-losses.ts";
import { type FilterOptions, filter } from "../../transforms/filter.ts";
import { setMetadata } from "../../transforms/metadata.ts";
import { type RenameOptions, rename } from "../../transforms/rename.ts";
import { restoreTies } from "../../transforms/restore-ties.ts";
import { resolveTies, type TiedPolicy } from "../../transforms/tied.ts";
import { refuseChanges } from "../open/allowances.ts";
import { withoutWhole } from "./merge.ts";

/** What becomes of the tensors between input and output; documented with the options of `convert`. */
export interface TensorOptions extends FilterOptions, RenameOptions, CastOptions {
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

/** How many tensors go from one type to another. */
export interface CastReport {
  readonly from: DType;
  readonly to: DType;
  readonly tensors: number;
}

/** The tensors of an output, and how they came about. */
export interface DecidedTensors {
  readonly dict: TensorDict;
  /** Before ties were resolved. */
  readonly chosen: TensorDict;
  /** The same before casts: whose storages are read. */
  readonly stored: TensorDict;
  /** What the casts lose once they stream. */
  readonly losses: CastLosses;
  readonly casts: readonly CastReport[];
  readonly dropped: readonly Dropped[];
}

/** What is known beside the wishes of the caller. */
interface FileFacts {
  readonly allow: readonly string[];
  /** What the input is called. */
  readonly path: string;
  /** Whether tensors go on sharing bytes as they do, since their file is written over again. */
  readonly keepsTies: boolean;
}

/**
 * The transforms of one conversion in their order: filter, rename, cast, tied, metadata. Each sees the names that the one
 * before it made.
 */
export function decideTensors(
  input: TensorDict,
  format: Format,
  options: TensorOptions & FileFacts,
  context: RunContext,
): DecidedTensors {
  const filtered = filter(options, context)(input);
  refuseChanges(filtered, options.allow, options.path);
  const renamed = rename(options, context)(filtered);
  const losses = createCastLosses(options.allow.includes("lossy-cast"));
  const chosen = keepWhole(input, cast(options, losses, context)(renamed), context);
  const tied = tie(chosen, format, options, context);
  const dict = setMetadata(options.metadata ?? new Map(), context)(tied);
  const dropped = [
    ...excluded(input, filtered),
    ...dequantized(renamed, chosen),
    ...untied(chosen, dict),
    ...leftBehind(input),
  ];
  return { dict, chosen, stored: renamed, losses, casts: castsBetween(renamed, chosen), dropped };
}

/** What the tensors are a part of stays only where each of them does, under its name. */
function keepWhole(before: TensorDict, after: TensorDict, context: RunContext): TensorDict {
  if (before === after) return after;
  if (context.whole) {
    throw new ConvertError(
      "usage",
      "a checkpoint taken as a whole keeps all its tensors, their names and dtypes",
      {
        hint: "leave out --all, or the options that choose, rename and cast",
      },
    );
  }
  if (graphOf(before) !== undefined) {
    const message =
      "the graph around the weights is left behind, since it needs all of them under their names, with their dtypes";
    context.warn({ code: "left-behind", message });
  }
  return { ...after, metadata: withoutWhole(after.metadata, context) };
}

/**
 * A format whose tensors can share a storage keeps them as they are, unless the caller wants otherwise; and a graph
 * names each of its weights.
 */
function tie(
  dict: TensorDict,
  format: Format,
  options: TensorOptions & FileFacts,
  context: RunContext,
): TensorDict {
  const { tied, keep = [] } = options;
  if (options.keepsTies || graphOf(dict) !== undefined) return dict;
  if (format.sharesStorage && tied === undefined) return restoreTies(dict);
  const restored = tied === "copy" ? restoreTies(dict) : restoreTies(dict, keep);
  return resolveTies(tied ?? "drop", keep, context)(restored);
}

function castsBetween(before: TensorDict, after: TensorDict): readonly CastReport[] {
  const casts = new Map<string, CastReport>();
  for (const [name, { dtype: to }] of after.tensors) {
    const from = before.tensors.get(name)?.dtype ?? to;
    const key = `${from} ${to}`;
    if (from !== to) casts.set(key, { from, to, tensors: (casts.get(key)?.tensors ?? 0) + 1 });
  }
  return [...casts.values()];
}

function excluded(before: TensorDict, after: TensorDict): readonly Dropped[] {
  if (before === after) return [];
  const names = [...before.tensors.keys(), ...before.aliases.keys()];
  const left = names.filter((name) => !after.tensors.has(name) && !after.aliases.has(name));
  return left.map((name) => ({ name, reason: "excluded" }));
}

function dequantized(before: TensorDict, after: TensorDict): readonly Dropped[] {
  if (before === after) return [];
  const left = [...before.tensors.keys()].filter((name) => !after.tensors.has(name));
  return left.map((name) => ({ name, reason: "dequantized" }));
}

function untied(before: TensorDict, after: TensorDict): readonly Dropped[] {
  const left = [...before.tensors.keys()].filter((name) => !after.tensors.has(name));
  return left.map((name) => ({ name, reason: "tied", keptAs: after.aliases.get(name) }));
}

function leftBehind({ leftovers }: TensorDict): readonly Dropped[] {
  return leftovers.map(({ name, what }) => ({ name, reason: `not a tensor of the state dict: ${what}` }));
}
