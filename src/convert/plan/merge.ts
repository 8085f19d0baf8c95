import type { RunContext } from "../../core/context.ts";
import type { TensorDict } from "../../core/dict.ts";
import { ConvertError } from "../../core/errors.ts";
import { joinExtras } from "../../core/extras.ts";
import { graphOf } from "../../core/graph.ts";
import type { LazyTensor } from "../../core/tensor.ts";
import { rename } from "../../transforms/rename.ts";

/** What becomes of a name that two inputs have: refused, or taken from the first or the last of them. */
export type DuplicatePolicy = "error" | "first" | "last";

/** One input of several. */
export interface MergePart {
  readonly path: string;
  readonly dict: TensorDict;
  /** Put before its names; may be empty. */
  readonly prefix: string;
}

/**
 * Several dicts as one, in their order. Throws kind `usage` where two have a name in common, unless `duplicates` says
 * which one counts; the tensor then stands where the first one stood.
 */
export function mergeDicts(
  parts: readonly MergePart[],
  duplicates: DuplicatePolicy,
  context: RunContext,
): TensorDict {
  const [first] = parts;
  if (first && parts.length === 1 && first.prefix === "") return first.dict;
  warnOfGraphs(parts, context);
  const dicts = parts.map(({ dict, prefix }, index) =>
    rename({ addPrefix: prefix }, context)(ownStorages(dict, index)),
  );
  const tensors = new Map<string, LazyTensor>();
  const aliases = new Map<string, string>();
  const owners = ownersOf(dicts, parts, duplicates, context);
  for (const [name, owner] of owners) {
    const dict = dicts[owner] as TensorDict;
    const kept = dict.aliases.get(name);
    // A name that stood for a tensor that another input replaces is no longer the same as that one.
    if (kept !== undefined && owners.get(kept) === owner) aliases.set(name, kept);
    else tensors.set(name, dict.tensors.get(kept ?? name) as LazyTensor);
  }
  return {
    tensors,
    aliases,
    metadata: mergeMetadata(dicts, context),
    leftovers: dicts.flatMap(({ leftovers }) => leftovers),
    extras: joinExtras(dicts.map(({ extras }) => extras)),
  };
}

/** Whose tensor each name means, in order of first appearance. */
function ownersOf(
  dicts: readonly TensorDict[],
  parts: readonly MergePart[],
  duplicates: DuplicatePolicy,
  context: RunContext,
): ReadonlyMap<string, number> {
  const owners = new Map<string, number>();
  const shared = new Set<string>();
  for (const [index, dict] of dicts.entries()) {
    for (const name of [...dict.tensors.keys(), ...dict.aliases.keys()]) {
      const owner = owners.get(name);
      if (owner !== undefined && duplicates === "error") {
        const [first, second] = [parts[owner]?.path, parts[index]?.path];
        throw new ConvertError("usage", `both ${first} and ${second} have a tensor "${name}"`, {
          tensor: name,
          hint: "--duplicates first or last takes one of them; --input-prefix keeps both apart",
        });
      }
      if (owner !== undefined) shared.add(name);
      if (owner === undefined || duplicates === "last") owners.set(name, index);
    }
  }
  if (shared.size > 0) warnOfShared([...shared], duplicates, context);
  return owners;
}

/** A graph names each of its weights, and is one input's alone. */
function warnOfGraphs(parts: readonly MergePart[], context: RunContext): void {
  for (const { path, dict } of parts) {
    if (graphOf(dict) === undefined) continue;
    context.warn({
      code: "left-behind",
      message: `the graph of ${path} is left behind; its weights are taken`,
    });
  }
}

function warnOfShared(names: readonly string[], duplicates: DuplicatePolicy, context: RunContext): void {
  const shown = names.slice(0, 5).map((name) => `"${name}"`);
  const rest = names.length > shown.length ? ` and ${names.length - shown.length} more` : "";
  const message = `several inputs have ${shown.join(", ")}${rest}; the ${duplicates} of them is written`;
  context.warn({ code: "duplicate", message });
}

/** A later input wins. What tells of one checkpoint as a whole tells nothing of several. */
function mergeMetadata(dicts: readonly TensorDict[], context: RunContext): ReadonlyMap<string, string> {
  const merged = new Map<string, string>();
  for (const { metadata } of dicts) {
    for (const [key, value] of withoutWhole(metadata, context)) {
      const before = merged.get(key);
      if (before !== undefined && before !== value) {
        const message = `the inputs differ in metadata "${key}", and ${JSON.stringify(value)} is kept`;
        context.warn({ code: "metadata-replaced", message });
      }
      merged.set(key, value);
    }
  }
  return merged;
}

/** Metadata without what puts a whole checkpoint together again, which needs all of its tensors under their names. */
export function withoutWhole(
  metadata: ReadonlyMap<string, string>,
  context: RunContext,
): ReadonlyMap<string, string> {
  const own = [...metadata.keys()].filter((key) => key.startsWith("tensorferry."));
  if (own.length === 0) return metadata;
  const message = `the checkpoint around the tensors is left behind, since it needs all of them under their names`;
  context.warn({ code: "left-behind", message });
  return new Map([...metadata].filter(([key]) => !own.includes(key)));
}

/** Storages are named within their input, so its number is added. */
function ownStorages(dict: TensorDict, index: number): TensorDict {
  const tensors = new Map<string, LazyTensor>();
  for (const [name, tensor] of dict.tensors) {
    const { view } = tensor;
    tensors.set(name, view ? { ...tensor, view: { ...view, storage: `${index}#${view.storage}` } } : tensor);
  }
  return { ...dict, tensors };
}
