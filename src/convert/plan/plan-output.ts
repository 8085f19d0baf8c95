import type { Notice } from "../../core/context.ts";
import type { TensorDict } from "../../core/dict.ts";
import { ConvertError } from "../../core/errors.ts";
import type { ExternalData, Format, FormatWriter, SpreadWriter } from "../../core/format.ts";
import { type OutputPlan, outputPlan, type PlannedFile, plannedFile } from "../../core/plan.ts";
import type { OutputFolder } from "../../core/sink.ts";
import type { LazyTensor } from "../../core/tensor.ts";
import { writeShardIndex } from "../../shards/index-file.ts";
import { indexName, parseShardName, shardName } from "../../shards/naming.ts";
import { planShards, type Shard } from "../../shards/planner.ts";
import { formatById } from "../open/open.ts";

/** Where a model goes. */
export interface ModelOutput {
  readonly folder: OutputFolder;
  /** A file name; without it the files get the names that the Hub's loaders look for. */
  readonly name?: string | undefined;
  /** What is to appear together with the weights: planned once those are. */
  beside?(weights: OutputPlan, dict: TensorDict): Promise<readonly PlannedFile[]>;
}

/** How a dict is laid out in files. */
export interface OutputLayout {
  /** Largest payload of one shard in bytes; `Infinity` for one file. By default 5 GB into a folder, where the format has shards with an index. */
  readonly maxShardBytes?: number | undefined;
  /** Where the format can leave weights outside its file: when to, or the id of another format that is to hold them. */
  readonly externalData?: ExternalData | (string & {}) | undefined;
  /** Word between a folder's stem and extension, by which loaders tell versions apart: `fp16`. */
  readonly variant?: string | undefined;
  /** Stem of the files in a folder, where it is not the format's own. */
  readonly folderStem?: string | undefined;
  /** Where such an id is looked up. */
  readonly formats?: readonly Format[] | undefined;
  readonly warn?: ((notice: Notice) => void) | undefined;
}

/** A plan that can tell which files belong to the model. */
export interface NamedPlan {
  readonly plan: OutputPlan;
  /** Whether a name is one that an earlier output to the same place left: a single file, a shard, an index, data beside it. */
  isOfModel(name: string): boolean;
}

const defaultShardBytes = 5_000_000_000;

/**
 * Plans the files of a dict: one, or several as the layout and the format want it. Pure, but for the import of the
 * writer. Throws kind `unsupported` where the format cannot hold a tensor.
 */
export async function planOutput(
  dict: TensorDict,
  format: Format,
  name: string | undefined,
  layout: OutputLayout = {},
): Promise<NamedPlan> {
  const writer = await writerFor(dict, format, name);
  const { planFiles } = writer;
  if (planFiles) return planSpread(dict, format, { ...writer, planFiles }, name, layout);
  const names = splitName(name, format, layout);
  if (layout.externalData !== undefined) {
    throw new ConvertError("usage", `${format.title} has no external data`, { file: name });
  }
  const { maxShardBytes = name === undefined ? defaultShardBytes : Infinity } = layout;
  const files = planShardFiles(dict, writer, names, maxShardBytes);
  return { plan: outputPlan(format.id, files), isOfModel: (other) => isOfModel(other, names) };
}

/** A file name in two parts. */
interface NameParts {
  readonly stem: string;
  /** With its dot. */
  readonly extension: string;
  readonly variant?: string | undefined;
}

async function writerFor(dict: TensorDict, format: Format, name: string | undefined): Promise<FormatWriter> {
  if (format.loadWriter === undefined) {
    throw new ConvertError("unsupported", `${format.title} is read, but not written yet`, { file: name });
  }
  refuseUnstorable(dict, format, name);
  return format.loadWriter();
}

/** Plans the files of a model that lays itself out in several. */
export async function planSpread(
  dict: TensorDict,
  format: Format,
  { planFiles, isCompanion }: SpreadWriter,
  name: string | undefined,
  layout: OutputLayout,
): Promise<NamedPlan> {
  const names = splitName(name, format, layout);
  const file = names.stem + names.extension;
  const { externalData = "auto", maxShardBytes = Infinity, warn = () => undefined } = layout;
  const request = { file, maxShardBytes, warn };
  const files = isExternalData(externalData)
    ? await planFiles(dict, { ...request, externalData })
    : await planFiles(dict, {
        ...request,
        externalData: "always",
        companions: await planCompanions(dict, externalData, names, maxShardBytes, layout),
      });
  return {
    plan: outputPlan(format.id, files),
    isOfModel: (other) => other === file || (isCompanion?.(other, file) ?? false),
  };
}

function isExternalData(word: string): word is ExternalData {
  return word === "auto" || word === "always" || word === "never";
}

/** The files of another format under the same stem. */
async function planCompanions(
  dict: TensorDict,
  id: string,
  { stem }: NameParts,
  maxShardBytes: number,
  { formats = [] }: OutputLayout,
): Promise<readonly PlannedFile[]> {
  const format = formatById(id, formats);
  const extension = format.extensions[0] as string;
  const writer = await writerFor(dict, format, stem + extension);
  if (writer.planFiles) throw new ConvertError("usage", `${format.title} cannot hold another file's weights`);
  // Storages that tensors share would be written as one run, in which the other file could not find each payload.
  const tensors = [...dict.tensors].map(([name, tensor]) => [name, { ...tensor, view: undefined }] as const);
  return planShardFiles({ ...dict, tensors: new Map(tensors) }, writer, { stem, extension }, maxShardBytes);
}

function planShardFiles(
  dict: TensorDict,
  writer: FormatWriter,
  names: NameParts,
  maxShardBytes: number,
): readonly PlannedFile[] {
  const shards = planShards(dict, maxShardBytes);
  if (shards.length > 1) return shardFiles(dict, shards, writer, names);
  const file = names.stem + names.extension;
  return [plannedFile(file, writer.plan(dict, { file }), dict.tensors.size)];
}

function isOfModel(name: string, { stem, extension, variant }: NameParts): boolean {
  if (name === stem + extension || name === indexName(stem, extension, variant)) return true;
  const shard = parseShardName(name);
  return shard?.stem === stem && shard.extension === extension;
}

function splitName(name: string | undefined, format: Format, layout: OutputLayout): NameParts {
  const own = format.extensions[0] as string;
  // In a folder, pickled weights are called .bin, not .pth.
  if (name === undefined) {
    const { variant, folderStem = format.folderStem } = layout;
    const stem = variant === undefined ? folderStem : `${folderStem}.${variant}`;
    return { stem, extension: format.folderExtension ?? own, variant };
  }
  if (layout.variant !== undefined) {
    throw new ConvertError("usage", "a variant is a part of the names in a folder", {
      file: name,
      hint: "end the output with / to write into a folder",
    });
  }
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
  { stem, extension, variant }: NameParts,
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
  return [...files, plannedFile(indexName(stem, extension, variant), [{ kind: "bytes", bytes: index }], 0)];
}

/** What tells of the model as a whole stands in the index alone; it may be long. */
function ownMetadata({ metadata }: TensorDict): ReadonlyMap<string, string> {
  return new Map([...metadata].filter(([key]) => !key.startsWith("tensorferry.")));
}
