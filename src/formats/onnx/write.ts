import type { TensorDict } from "../../core/dict.ts";
import { ConvertError } from "../../core/errors.ts";
import type { FormatWriter } from "../../core/format.ts";
import { graphOf, type OperatorGraph } from "../../core/graph.ts";
import { type Piece, type PlannedFile, pieceSize, plannedFile } from "../../core/plan.ts";
import type { LazyTensor } from "../../core/tensor.ts";
import { isDataFile, layoutData, placeInCompanions } from "./data-files.ts";
import { encodeModel, type ModelParts, type Place } from "./encode-model.ts";
import { irVersionFor } from "./ir-version.ts";
import { staysInline } from "./stays-inline.ts";
import { weightsGraph, weightsOpset } from "./weights-graph.ts";

/** Writes a graph with its weights where the dict carries one, else weights that are a graph's outputs as they are. */
export const writer: FormatWriter = {
  plan: (dict, { file }) => encodeModel(partsOf(dict, file), inline, file),
  planFiles(dict, request) {
    const { file } = request;
    const model = partsOf(dict, file);
    if (request.companions)
      return withData(model, placeInCompanions(model.tensors, request.companions, file), file);
    const pieces = encodeModel(model, inline, file);
    const payloadBytes = [...model.tensors.values()].reduce((sum, { payload }) => sum + payload.size, 0);
    if (staysInline(sizeOf(pieces), payloadBytes, request))
      return [plannedFile(file, pieces, model.tensors.size)];
    return withData(model, layoutData(model.tensors, file, request.maxShardBytes), file);
  },
  isCompanion: isDataFile,
};

const inline: ReadonlyMap<string, Place> = new Map();

/** The model comes last, so that it is never seen without its data. */
function withData(
  model: ModelParts,
  { files, places }: { files: readonly PlannedFile[]; places: ReadonlyMap<string, Place> },
  file: string,
): readonly PlannedFile[] {
  return [...files, plannedFile(file, encodeModel(model, places, file), model.tensors.size)];
}

function sizeOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, piece) => sum + pieceSize(piece), 0);
}

function partsOf(dict: TensorDict, file: string): ModelParts {
  const graph = graphOf(dict);
  const tensors = graph ? initializersOf(graph, dict, file) : dict.tensors;
  for (const name of tensors.keys()) {
    if (name === "")
      throw new ConvertError("unsupported", "ONNX cannot hold a tensor without a name", { file });
  }
  const body = graph ?? weightsGraph(tensors);
  const opsets = graph?.opsets ?? [weightsOpset];
  const dtypes = [...tensors.values()].map(({ dtype }) => dtype);
  const irVersion = irVersionFor(body, dtypes, opsets);
  return { irVersion, opsets, metadata: metadataOf(dict), body, tensors };
}

/** Names that stood for kept ones are recorded as metadata, dropped to kept, as savers of safetensors do. */
function metadataOf(dict: TensorDict): ReadonlyMap<string, string> {
  return new Map([...dict.aliases, ...dict.metadata]);
}

/** The graph's initializers with the bytes that the dict has for them, which may have been transformed since. */
function initializersOf(
  { initializers }: OperatorGraph,
  { tensors }: TensorDict,
  file: string,
): ReadonlyMap<string, LazyTensor> {
  for (const [name, { dtype, shape }] of tensors) {
    const wanted = initializers.get(name);
    if (wanted?.dtype === dtype && wanted.shape.join() === shape.join()) continue;
    const found = wanted
      ? `"${name}" is ${dtype} [${shape.join(", ")}], and the graph takes ${wanted.dtype} [${wanted.shape.join(", ")}]`
      : `the graph has no weight "${name}"`;
    throw new ConvertError("unsupported", found, {
      file,
      tensor: name,
      hint: "a graph is written with the names, dtypes and shapes that it was made for",
    });
  }
  return new Map([...initializers].map(([name, own]) => [name, tensors.get(name) ?? own]));
}
