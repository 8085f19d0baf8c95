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
  const storages = new Map<string, string[]>();
  const shards: { names: string[]; bytes: number }[] = [];
  const shardOf = new Map<string, { names: string[]; bytes: number }>();
  let open: { names: string[]; bytes: number } = { names: [], bytes: 0 };

  for (const [name, tensor] of dict.tensors) {
    const storage = storageIdentity(name, tensor);
    const known = storages.get(storage);
    if (known) {
      known.push(name);
      continue;
    }
    storages.set(storage, [name]);
    const bytes = countedBytes(tensor);
    if (bytes > maxBytes) {
      const alone = { names: [name], bytes };
      shards.push(alone);
      shardOf.set(name, alone);
      continue;
    }
    if (open.bytes + bytes > maxBytes) {
      shards.push(open);
      open = { names: [], bytes: 0 };
    }
    open.names.push(name);
    open.bytes += bytes;
    shardOf.set(name, open);
  }
  if (open.names.length > 0) shards.push(open);
  for (const [first, ...others] of storages.values()) shardOf.get(first as string)?.names.push(...others);
  return shards;
}

/** Empty tensors have no memory, which makes them one storage in the eyes of the reference. */
function storageIdentity(name: string, tensor: LazyTensor): string {
  if (tensor.payload.size === 0 && (tensor.view === undefined || tensor.view.storageBytes === 0))
    return "empty";
  return tensor.view?.contiguous ? `storage ${tensor.view.storage}` : `tensor ${name}`;
}

/** A tensor that has to be gathered becomes a storage of its own; any other counts with all of its storage. */
function countedBytes(tensor: LazyTensor): number {
  return tensor.view?.contiguous ? tensor.view.storageBytes : tensor.payload.size;
}
