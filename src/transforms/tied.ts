import { compareUtf8 } from "../bytes/utf8.ts";
import type { RunContext } from "../core/context.ts";
import type { TensorDict } from "../core/dict.ts";
import { ConvertError } from "../core/errors.ts";
import type { LazyTensor, StorageView } from "../core/tensor.ts";

/** What becomes of names that share all their bytes, where the output cannot share. */
export type TiedPolicy = "drop" | "copy";

/** Heads, and embeddings that a `shared` one stands for: the names that the Hub's loaders tie again by themselves. */
const tiedAgainByLoaders = [
  /(^|\.)lm_head\./,
  /(^|\.)embed_out\./,
  /(^|\.)cls\.predictions\.decoder\./,
  /(^|\.)lm_head\.decoder\./,
  /(^|\.)(encoder|decoder)\.embed_tokens\./,
];

/**
 * Gives each remaining tensor bytes of its own. `drop` keeps one name of each tied group and records the others as
 * aliases; `copy` writes each. Tensors that overlap without being equal are always written in full, with a notice.
 */
export function resolveTies(policy: TiedPolicy, keep: readonly string[], context: RunContext) {
  return (dict: TensorDict): TensorDict => {
    checkKept(keep, dict);
    const shared = sharedStorages(dict);
    const dropped = policy === "drop" ? droppedNames(shared, keep) : new Map<string, string>();
    for (const [name, kept] of dropped) {
      context.warn({
        code: "tied-dropped",
        tensor: name,
        message: `"${name}" is the same tensor as "${kept}", which is kept`,
      });
    }
    warnOfOverlaps(
      shared.map((members) => members.filter(({ name }) => !dropped.has(name))),
      context,
    );
    const tensors = new Map<string, LazyTensor>();
    for (const [name, tensor] of dict.tensors)
      if (!dropped.has(name)) tensors.set(name, { ...tensor, view: undefined });
    return { ...dict, tensors, aliases: new Map([...dict.aliases, ...dropped]) };
  };
}

/** Of each tied group all names but the kept one, with that one. */
function droppedNames(shared: SharedStorages, keep: readonly string[]): ReadonlyMap<string, string> {
  const dropped = new Map<string, string>();
  for (const names of tiedGroups(shared)) {
    const kept = keptName(names, keep);
    for (const name of [...names].sort(compareUtf8)) if (name !== kept) dropped.set(name, kept);
  }
  return dropped;
}

function checkKept(keep: readonly string[], dict: TensorDict): void {
  for (const name of keep) {
    if (!dict.tensors.has(name)) {
      throw new ConvertError("usage", `there is no tensor "${name}" to keep`, {
        tensor: name,
        hint: "see tensorferry inspect",
      });
    }
  }
}

/** For each tensor that an earlier one is tied to, the name of that one. */
export function tiedTo(dict: TensorDict): ReadonlyMap<string, string> {
  const ties = new Map<string, string>();
  for (const [first, ...others] of tiedGroups(sharedStorages(dict)))
    for (const name of others) ties.set(name, first as string);
  return ties;
}

/** Names of equal dtype, shape and strides on the same bytes, in groups of two and more. */
function tiedGroups(shared: SharedStorages): readonly (readonly string[])[] {
  const groups = new Map<string, string[]>();
  for (const members of shared) {
    for (const { name, tensor, view } of members) {
      const strides = view.contiguous ? [] : view.strides;
      const key = JSON.stringify([view.storage, view.start, tensor.dtype, tensor.shape, strides]);
      const group = groups.get(key);
      if (group) group.push(name);
      else groups.set(key, [name]);
    }
  }
  return [...groups.values()].filter((names) => names.length > 1);
}

interface Member {
  readonly name: string;
  readonly tensor: LazyTensor;
  readonly view: StorageView;
}

/** The tensors of each storage that more than one shows bytes of. */
type SharedStorages = readonly (readonly Member[])[];

function sharedStorages({ tensors }: TensorDict): SharedStorages {
  const storages = storagesSeenTwice(tensors.values());
  if (storages.size === 0) return [];
  for (const [name, tensor] of tensors) {
    const { view } = tensor;
    if (view === undefined || tensor.payload.size === 0) continue;
    storages.get(view.storage)?.push({ name, tensor, view });
  }
  return [...storages.values()];
}

/** Most storages have one tensor, and a checkpoint may have a hundred thousand; nothing is made for those. */
function storagesSeenTwice(tensors: Iterable<LazyTensor>): Map<string, Member[]> {
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const { view, payload } of tensors) {
    if (view === undefined || payload.size === 0) continue;
    if (seen.has(view.storage)) twice.add(view.storage);
    else seen.add(view.storage);
  }
  if (twice.size === 0) return new Map();
  // In the order in which the storages are met.
  return new Map([...seen].filter((storage) => twice.has(storage)).map((storage) => [storage, []]));
}

/** The user's choice; else an embedding before a head; else the first by the bytes of its name, as on the Hub. */
function keptName(names: readonly string[], keep: readonly string[]): string {
  const chosen = names.find((name) => keep.includes(name));
  if (chosen !== undefined) return chosen;
  const sorted = [...names].sort(compareUtf8);
  return (
    sorted.find((name) => !tiedAgainByLoaders.some((pattern) => pattern.test(name))) ?? (sorted[0] as string)
  );
}

/** Bytes that two tensors show in different ways are written twice, and lose their connection. */
function warnOfOverlaps(shared: SharedStorages, context: RunContext): void {
  for (const members of shared) {
    let reach = { name: "", end: 0 };
    for (const { name, view } of [...members].sort((a, b) => a.view.start - b.view.start)) {
      if (view.start < reach.end) {
        const message = `"${name}" shares bytes with "${reach.name}" and is written in full beside it`;
        context.warn({ code: "shared-copied", tensor: name, message });
      }
      if (view.end > reach.end) reach = { name, end: view.end };
    }
  }
}
