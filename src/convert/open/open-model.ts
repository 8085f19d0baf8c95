import { compareUtf8 } from "../../bytes/utf8.ts";
import type { RunContext } from "../../core/context.ts";
import { type Checkpoint, singleDict, type TensorDict } from "../../core/dict.ts";
import { ConvertError } from "../../core/errors.ts";
import { checkLimit } from "../../core/limits.ts";
import { type ByteSource, readBytes } from "../../core/source.ts";
import type { LazyTensor } from "../../core/tensor.ts";
import { parseShardIndex, type ShardIndex } from "../../shards/index-file.ts";
import { chooseStateDict } from "./choose-state-dict.ts";
import { type ModelInput, type OpenOptions, openFile, openSource, probeSource } from "./open.ts";

/** An opened model: one file, or the shards of an index as if they were one. */
export interface OpenedModel {
  readonly name: string;
  /** Format id. */
  readonly format: string;
  readonly checkpoint: Checkpoint;
}

/** Opens a file or an index with its shards, headers only. */
export async function openModel(
  input: ModelInput,
  options: OpenOptions,
  context: RunContext,
): Promise<OpenedModel> {
  for (const notice of input.notices ?? []) context.warn(notice);
  const source = await openSource(input);
  if (options.from === undefined && (await looksLikeIndex(source, input.name, context))) {
    return openShards(source, input, options, context);
  }
  const { format, checkpoint } = await openFile(input, options, context);
  return { name: source.name, format: format.id, checkpoint };
}

/** Whether a file is the index of shards: JSON, by its name or its first character. */
export async function looksLikeIndex(
  source: ByteSource,
  name: string,
  context: RunContext,
): Promise<boolean> {
  if (name.endsWith(".index.json")) return true;
  const { head } = await probeSource(source, context);
  // JSON starts with a brace, perhaps after white space. So may a safetensors file, by the length of its header, but
  // that number has zeros at its end, which no JSON has.
  if (head.subarray(0, 8).includes(0)) return false;
  return head.find((byte) => !jsonSpace.has(byte)) === 0x7b;
}

const jsonSpace = new Set([0x20, 0x09, 0x0a, 0x0d]);

async function openShards(
  source: ByteSource,
  input: ModelInput,
  options: OpenOptions,
  context: RunContext,
): Promise<OpenedModel> {
  checkLimit(context.limits, "headerBytes", source.size, "the index's size", { file: source.name });
  const index = parseShardIndex(await readBytes(source, 0, source.size, context), source.name);
  const names = [...new Set(index.weightMap.values())];
  if (names.length === 0)
    throw new ConvertError("unsupported", "the index names no tensors", { file: source.name });
  checkLimit(context.limits, "entries", names.length, "the number of shards", { file: source.name });
  const shards = new Map<string, TensorDict>();
  let format = "";
  for (const name of names) {
    const shard = await openShard(name, source.name, input, options, context);
    format = shard.format;
    shards.set(name, shard.dict);
  }
  const dict = mergeShards(index, shards, source.name);
  return { name: source.name, format, checkpoint: singleDict("shards", dict) };
}

async function openShard(
  name: string,
  indexFile: string,
  { folder }: ModelInput,
  options: OpenOptions,
  context: RunContext,
): Promise<{ format: string; dict: TensorDict }> {
  if ((await folder.open(name)) === undefined) {
    throw new ConvertError("io", `the index names the shard "${name}", which is not there`, {
      file: indexFile,
      hint: "download the missing file into the same folder",
    });
  }
  const { format, source, checkpoint } = await openFile({ folder, name }, options, context);
  return { format: format.id, dict: chooseStateDict(checkpoint, undefined, source.name, context).load() };
}

/** One dict, shard by shard in the order of their names. Index and shards must tell the same, tensor by tensor. */
function mergeShards(index: ShardIndex, shards: ReadonlyMap<string, TensorDict>, file: string): TensorDict {
  const tensors = new Map<string, LazyTensor>();
  const metadata = new Map<string, string>();
  const aliases = new Map<string, string>();
  // Most indexes are sorted by tensor names; the shards keep the order of the model.
  const ordered = [...shards].sort(([a], [b]) => compareUtf8(a, b));
  for (const [shard, dict] of ordered) {
    for (const [name, tensor] of dict.tensors) {
      if (index.weightMap.get(name) !== shard) {
        throw new ConvertError(
          "malformed",
          `${shard} holds "${name}", which the index does not place there`,
          { file, tensor: name },
        );
      }
      tensors.set(name, inShard(tensor, shard));
    }
    for (const [key, value] of dict.metadata) metadata.set(key, value);
  }
  for (const [name, shard] of index.weightMap) {
    if (tensors.has(name)) continue;
    throw new ConvertError("malformed", `the index places "${name}" in ${shard}, which does not hold it`, {
      file,
      tensor: name,
    });
  }
  const recorded = [...index.metadata, ...ordered.flatMap(([, dict]) => [...dict.aliases])];
  for (const [key, value] of recorded)
    (tensors.has(value) && !tensors.has(key) ? aliases : metadata).set(key, value);
  const leftovers = ordered.flatMap(([, dict]) => dict.leftovers);
  return { tensors, metadata, aliases, leftovers, extras: new Map() };
}

/** Storages are named within their file, so the shard's name is added. */
function inShard(tensor: LazyTensor, shard: string): LazyTensor {
  if (tensor.view === undefined) return tensor;
  return { ...tensor, view: { ...tensor.view, storage: `${shard}#${tensor.view.storage}` } };
}
