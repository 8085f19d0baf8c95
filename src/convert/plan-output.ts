import type { TensorDict } from "../core/dict.ts";
import { ConvertError } from "../core/errors.ts";
import type { Format, FormatWriter } from "../core/format.ts";
import { type OutputPlan, outputPlan, type PlannedFile, plannedFile } from "../core/plan.ts";
import type { OutputFolder } from "../core/sink.ts";
import type { LazyTensor } from "../core/tensor.ts";
import { writeShardIndex } from "../shards/index-file.ts";
import { indexName, parseShardName, shardName } from "../shards/naming.ts";
import { planShards, type Shard } from "../shards/planner.ts";

/** Where a model goes. */
export interface ModelOutput {
  readonly folder: OutputFolder;
  /** A file name; without it the files get the names that the Hub's loaders look for. */
  readonly name?: string | undefined;
}

/** A plan with what its files are called, so that others of that name can be told. */
export interface NamedPlan {
  readonly plan: OutputPlan;
  readonly stem: string;
  readonly extension: string;
}

/**
 * Plans the files of a dict: one, or shards of at most `maxShardBytes` with their index. Pure, but for the import of
 * the writer. Throws kind `unsupported` where the format cannot hold a tensor.
 */
export async function planOutput(
  dict: TensorDict,
  format: Format,
  name: string | undefined,
  maxShardBytes: number,
): Promise<NamedPlan> {
  if (format.loadWriter === undefined) {
    throw new ConvertError("unsupported", `${format.title} is read, but not written yet`, { file: name });
  }
  refuseUnstorable(dict, format, name);
  const writer = await format.loadWriter();
  const { stem, extension } = splitName(name, format);
  const shards = planShards(dict, maxShardBytes);
  const files =
    shards.length <= 1
      ? [plannedFile(stem + extension, writer.plan(dict, { file: stem + extension }), dict.tensors.size)]
      : shardFiles(dict, shards, writer, stem, extension);
  return { plan: outputPlan(format.id, files), stem, extension };
}

/** Whether a name is one that an earlier output under the same stem left: a single file, a shard, an index. */
export function isOfModel(name: string, stem: string, extension: string): boolean {
  if (name === stem + extension || name === indexName(stem, extension)) return true;
  const shard = parseShardName(name);
  return shard?.stem === stem && shard.extension === extension;
}

function splitName(name: string | undefined, format: Format): { stem: string; extension: string } {
  const own = format.extensions[0] as string;
  // In a folder, pickled weights are called .bin, not .pth.
  if (name === undefined) return { stem: format.folderStem, extension: format.folderExtension ?? own };
  const dot = name.lastIndexOf(".");
  return dot > 0 ? { stem: name.slice(0, dot), extension: name.slice(dot) } : { stem: name, extension: "" };
}

function refuseUnstorable(dict: TensorDict, format: Format, file: string | undefined): void {
  for (const [name, { dtype }] of dict.tensors) {
    if (format.storable.has(dtype)) continue;
    throw new ConvertError("unsupported", `${format.title} has no dtype for "${name}", which is ${dtype}`, {
      file,
      tensor: name,
      hint: "leave it out, or write another format",
    });
  }
}

function shardFiles(
  dict: TensorDict,
  shards: readonly Shard[],
  writer: FormatWriter,
  stem: string,
  extension: string,
): readonly PlannedFile[] {
  const weightMap = new Map<string, string>();
  const files = shards.map(({ names }, index) => {
    const file = shardName(stem, extension, index + 1, shards.length);
    const tensors = new Map<string, LazyTensor>();
    for (const name of names) {
      weightMap.set(name, file);
      tensors.set(name, dict.tensors.get(name) as LazyTensor);
    }
    // Dropped names stand in the index: a shard knows only its own tensors.
    const shard = { ...dict, tensors, aliases: new Map(), metadata: ownMetadata(dict) };
    return plannedFile(file, writer.plan(shard, { file }), names.length);
  });
  const metadata = new Map([...dict.aliases, ...dict.metadata]);
  metadata.delete("format");
  const totalBytes = shards.reduce((sum, shard) => sum + shard.bytes, 0);
  const index = writeShardIndex({ weightMap, metadata }, totalBytes);
  return [...files, plannedFile(indexName(stem, extension), [{ kind: "bytes", bytes: index }], 0)];
}

/** What tells of the model as a whole stands in the index alone; it may be long. */
function ownMetadata({ metadata }: TensorDict): ReadonlyMap<string, string> {
  return new Map([...metadata].filter(([key]) => !key.startsWith("tensorferry.")));
}
