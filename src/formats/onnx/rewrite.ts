import { createByteBuilder } from "../../bytes/builder.ts";
import { createWireCursor } from "../../containers/protobuf/cursor.ts";
import type { RunContext } from "../../core/context.ts";
import { tensorDict } from "../../core/dict.ts";
import { ConvertError } from "../../core/errors.ts";
import type { FilesRequest, FormatRewriter } from "../../core/format.ts";
import { type PlannedFile, plannedFile } from "../../core/plan.ts";
import type { LazyTensor } from "../../core/tensor.ts";
import { type ExternalData, isDataFile, layoutData, placeInCompanions } from "./data-files.ts";
import { createEncoding } from "./encode-graph.ts";
import { putEntry } from "./encode-model.ts";
import { entriesOf, entriesOfGraph, type OnnxEntry } from "./entries.ts";
import type { OnnxModel, OnnxTensor } from "./model.ts";
import { type OnnxFiles, openTensor, siteOf } from "./open-tensor.ts";
import { filesOf } from "./read.ts";
import { modelField } from "./schema.ts";
import { skimModel } from "./skim.ts";
import { staysInline } from "./stays-inline.ts";
import { type Edit, patched } from "./swap/patch.ts";
import { rewriteTensor } from "./swap/rewrite-tensor.ts";

/**
 * Writes a model over again with its weights in the file or beside it. Of all other bytes none changes but the lengths
 * in front of them. Initializers move; tensors
 * in nodes and in graphs of training only come in, where they lie outside.
 */
export const rewriter: FormatRewriter = {
  async open(source, folder, metadata, context) {
    const model = await skimModel(source, context);
    const movable = await movableTensors(model, filesOf(source, folder, context));
    const tensors = new Map([...movable].map(([key, { values }]) => [key, values]));
    const rewriting = { model, movable, tensors, metadata, context };
    return {
      dict: tensorDict(tensors),
      planFiles: (_, request) => planFiles(rewriting, request),
      isCompanion: isDataFile,
    };
  },
};

/** A tensor that may lie in the model or outside. */
interface Movable {
  readonly tensor: OnnxTensor;
  readonly values: LazyTensor;
}

interface Rewriting {
  readonly model: OnnxModel;
  readonly movable: ReadonlyMap<string, Movable>;
  readonly tensors: ReadonlyMap<string, LazyTensor>;
  /** Keys to be added or given another value. */
  readonly metadata: ReadonlyMap<string, string>;
  readonly context: RunContext;
}

async function movableTensors(model: OnnxModel, files: OnnxFiles): Promise<ReadonlyMap<string, Movable>> {
  const movable = new Map<string, Movable>();
  const add = async (entries: readonly OnnxEntry[], root: string): Promise<void> => {
    for (const { key, place, tensor, sparse } of entries) {
      if (sparse?.values.home.kind === "external" || sparse?.indices.home.kind === "external") {
        const message = `"${key}" is sparse and lies in another file, which cannot be written again`;
        throw new ConvertError("unsupported", message, siteOf(key, tensor, files));
      }
      // onnx looks for external data in the main graph and those within it.
      const moves = root === "" && place === "initializer" && tensor.dataType !== stringType && !sparse;
      if (!moves && tensor.home.kind !== "external") continue;
      movable.set(root === "" ? key : `${root}/${key}`, {
        tensor,
        values: await openTensor(key, tensor, files),
      });
    }
  };
  await add(entriesOf(model), "");
  for (const graph of model.trainingGraphs) await add(entriesOfGraph(graph, graph.path), graph.path);
  return movable;
}

/** `TensorProto.DataType.STRING`. */
const stringType = 8;

async function planFiles(rewriting: Rewriting, request: FilesRequest): Promise<readonly PlannedFile[]> {
  const { tensors } = rewriting;
  const { file, companions, maxShardBytes } = request;
  if (companions) return withData(rewriting, placeInCompanions(tensors, companions, file), file);
  const inline = await withData(rewriting, { files: [], places: new Map() }, file);
  const fileBytes = inline.reduce((sum, { size }) => sum + size, 0);
  const payloadBytes = [...tensors.values()].reduce((sum, { payload }) => sum + payload.size, 0);
  if (staysInline(fileBytes, payloadBytes, request)) return inline;
  return withData(rewriting, layoutData(tensors, file, maxShardBytes), file);
}

/** The model comes last, so that it is never seen without its data. */
async function withData(
  { model, movable, metadata, context }: Rewriting,
  { files, places }: ExternalData,
  file: string,
): Promise<readonly PlannedFile[]> {
  const edits: Edit[] = [];
  for (const [key, { tensor, values }] of movable) {
    const place = places.get(key);
    if (place === undefined && isInside(tensor, values)) continue;
    const home = place
      ? ({ kind: "external", ...place } as const)
      : ({ kind: "inline", payload: values.payload } as const);
    edits.push(...(await rewriteTensor(model.source, tensor, home, context)));
  }
  edits.push(...(await metadataEdits(model, metadata, file, context)));
  return [...files, plannedFile(file, patched(model.source, edits), movable.size)];
}

/** Whether the values lie in the model's own file; some exports leave a placeholder there of another length. */
function isInside({ home }: OnnxTensor, { payload }: LazyTensor): boolean {
  return home.kind === "raw" ? home.end - home.start === payload.size : home.kind !== "external";
}

/** Where the metadata changes, all of it is written anew, at the end. */
async function metadataEdits(
  { source, message, metadata: old }: OnnxModel,
  added: ReadonlyMap<string, string>,
  file: string,
  context: RunContext,
): Promise<readonly Edit[]> {
  if ([...added].every(([key, value]) => old.get(key) === value)) return [];
  const edits: Edit[] = [];
  await createWireCursor(source, context).walk(message, ({ number, tagStart, end }) => {
    if (number === modelField.metadata) edits.push({ start: tagStart, end, within: message, pieces: [] });
  });
  const builder = createByteBuilder();
  const encoding = createEncoding(file);
  for (const [key, value] of new Map([...old, ...added]))
    putEntry(builder, modelField.metadata, key, value, encoding);
  const pieces = [{ kind: "bytes", bytes: builder.finish() }] as const;
  return [...edits, { start: message.end, end: message.end, within: message, pieces }];
}
