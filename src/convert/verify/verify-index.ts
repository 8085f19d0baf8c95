import type { TensorDict } from "../../core/dict.ts";
import type { ShardIndex } from "../../shards/index-file.ts";
import { parseShardName } from "../../shards/naming.ts";
import type { ProblemList } from "./problems.ts";

/** An index with what its shards were found to hold; a shard that could not be read is missing. */
export interface IndexFacts {
  /** Bare name of the index. */
  readonly name: string;
  readonly index: ShardIndex;
  readonly shards: ReadonlyMap<string, TensorDict>;
  /** All names in the folder. */
  readonly present: readonly string[];
}

/** Compares an index with its shards and the folder. A shard that is missing or broken is reported once, and its tensors are not. */
export function verifyIndex(facts: IndexFacts, problems: ProblemList): void {
  checkEntries(facts, problems);
  checkTotal(facts, problems);
  checkStrayShards(facts, problems);
}

function checkEntries({ name: file, index, shards }: IndexFacts, problems: ProblemList): void {
  for (const [tensor, shard] of index.weightMap) {
    const dict = shards.get(shard);
    if (dict === undefined || dict.tensors.has(tensor)) continue;
    const message = `the index places "${tensor}" in ${shard}, which does not hold it`;
    problems.add({ code: "missing-tensor", message, file, tensor });
  }
  for (const [shard, { tensors }] of shards) {
    for (const tensor of tensors.keys()) {
      if (index.weightMap.get(tensor) === shard) continue;
      const message = `${shard} holds "${tensor}", which the index does not place there`;
      problems.add({ code: "stray-tensor", message, file, tensor });
    }
  }
}

/** Writers count either every tensor or every storage once; where tensors share storages these differ. */
function checkTotal({ name: file, index, shards }: IndexFacts, problems: ProblemList): void {
  const { totalBytes } = index;
  const names = new Set(index.weightMap.values());
  if (totalBytes === undefined || shards.size < names.size) return;
  let tensors = 0;
  let storages = 0;
  for (const dict of shards.values()) {
    const sizes = new Map<unknown, number>();
    for (const { view, payload } of dict.tensors.values()) {
      tensors += payload.size;
      sizes.set(view?.storage ?? payload, view?.source.size ?? payload.size);
    }
    for (const size of sizes.values()) storages += size;
  }
  if (totalBytes === tensors || totalBytes === storages) return;
  const message = `the index says that there are ${totalBytes} bytes of tensors, but there are ${tensors}`;
  problems.add({ code: "total-size", message, file });
}

/** Shards of this model that the index does not know: left by another save, and read by loaders that go by names. */
function checkStrayShards({ name, index, present }: IndexFacts, problems: ProblemList): void {
  const known = new Set(index.weightMap.values());
  const model = name.replace(/\.index\.json$/, "");
  for (const file of present) {
    const shard = parseShardName(file);
    if (shard === undefined || known.has(file) || shard.stem + shard.extension !== model) continue;
    problems.add({ code: "stray-shard", message: `it is a shard that ${name} does not name`, file });
  }
}
