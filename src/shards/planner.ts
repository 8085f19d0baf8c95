import type { TensorDict } from "../core/dict.ts";
import type { LazyTensor } from "../core/tensor.ts";

/** One shard: its tensors in order, and the storage bytes that count for it. */
export interface Shard {
  readonly names: readonly string[];
  readonly bytes: number;
}

/**
 * Splits a dict in its own order, as `huggingface_hub` does: no sorting and no packing; a tensor beyond `maxBytes`
 * gets a shard of its own at once, while the open one stays open; tensors of one storage stay together, and the whole
 * storage counts, once. docs/sharding.md describes the rule.
 */
export function planShards(dict: TensorDict, maxBytes: number): readonly Shard[] {
  const shards: OpenShard[] = [];
  const byStorage = new Map<
    string | typeof empty,
    { readonly shard: OpenShard; readonly others: string[] }
  >();
  let open: OpenShard = { names: [], bytes: 0 };

  /** The shard for a storage of this size that was not met before. */
  function place(bytes: number): OpenShard {
    if (bytes > maxBytes) {
      const alone = { names: [], bytes: 0 };
      shards.push(alone);
      return alone;
    }
    if (open.bytes + bytes > maxBytes) {
      shards.push(open);
      open = { names: [], bytes: 0 };
    }
    return open;
  }

  for (const [name, tensor] of dict.tensors) {
    const storage = storageOf(tensor);
    const known = storage === undefined ? undefined : byStorage.get(storage);
    if (known) {
      known.others.push(name);
      continue;
    }
    const bytes = countedBytes(tensor);
    const shard = place(bytes);
    shard.names.push(name);
    shard.bytes += bytes;
    if (storage !== undefined) byStorage.set(storage, { shard, others: [] });
  }
  if (open.names.length > 0) shards.push(open);
  // Later tensors of a storage come last in the shard of the first.
  for (const { shard, others } of byStorage.values()) for (const name of others) shard.names.push(name);
  return shards;
}

interface OpenShard {
  readonly names: string[];
  bytes: number;
}

/** The storage that a tensor may have in common with others. Empty tensors have no memory, which makes them one in the eyes of the reference. */
function storageOf({ payload, view }: LazyTensor): string | typeof empty | undefined {
  if (payload.size === 0 && (view === undefined || view.source.size === 0)) return empty;
  return view?.contiguous ? view.storage : undefined;
}

/** The memory of tensors that have none; no storage can be called this. */
const empty = Symbol("empty");

/** A tensor that has to be gathered becomes a storage of its own; any other counts with all of its storage. */
function countedBytes({ payload, view }: LazyTensor): number {
  return view?.contiguous ? view.source.size : payload.size;
}
