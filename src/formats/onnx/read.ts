import type { RunContext } from "../../core/context.ts";
import {
  type Candidate,
  type Checkpoint,
  type Leftover,
  splitMetadata,
  type TensorDict,
} from "../../core/dict.ts";
import { ConvertError } from "../../core/errors.ts";
import type { FormatReader } from "../../core/format.ts";
import { checkLimit } from "../../core/limits.ts";
import type { InputFolder } from "../../core/sink.ts";
import type { ByteSource } from "../../core/source.ts";
import type { LazyTensor } from "../../core/tensor.ts";
import { entriesOf, entriesOfGraph, type OnnxEntry } from "./entries.ts";
import { externalFiles } from "./external.ts";
import type { OnnxModel } from "./model.ts";
import { nameDict } from "./names/named-dict.ts";
import { openSparse } from "./open-sparse.ts";
import { type OnnxFiles, openTensor, siteOf } from "./open-tensor.ts";
import { realInputs, reportOf } from "./report.ts";
import { skimModel } from "./skim.ts";

/** Reads an ONNX model: its tensors under the file's own names, wherever in the graph they are. */
export const reader: FormatReader = {
  async read(source, folder, context) {
    const model = await skimModel(source, context);
    const files = filesOf(source, folder, context);
    const main = await openEntries(entriesOf(model), model, files);
    const named = nameDict(model, main, context);
    const candidates = [candidate("", named.dict, false, () => named.warn(context))];
    for (const graph of model.trainingGraphs) {
      const dict = await openEntries(entriesOfGraph(graph, graph.path), model, files);
      if (dict.tensors.size > 0) candidates.push(candidate(graph.path, dict, true));
    }
    const checkpoint: Checkpoint = { container: "onnx", candidates, graph: reportOf(model) };
    return main.tensors.size > 0 || holdsNothing(model)
      ? checkpoint
      : { ...checkpoint, ...withoutWeights(model) };
  },
};

/** Where the tensors of a model are read. */
export function filesOf(source: ByteSource, folder: InputFolder, context: RunContext): OnnxFiles {
  const model = source.name.slice(source.name.search(/[^/\\]*$/));
  return { source, external: externalFiles(folder, model), context };
}

function candidate(
  path: string,
  dict: TensorDict,
  auxiliary: boolean,
  warn: () => void = () => undefined,
): Candidate {
  let bytes = 0;
  for (const { payload } of dict.tensors.values()) bytes += payload.size;
  function load(): TensorDict {
    warn();
    return dict;
  }
  return { path, auxiliary, tensorCount: dict.tensors.size, bytes, load };
}

async function openEntries(
  entries: readonly OnnxEntry[],
  model: OnnxModel,
  files: OnnxFiles,
): Promise<TensorDict> {
  const tensors = new Map<string, LazyTensor>();
  const leftovers: Leftover[] = [];
  checkLimit(files.context.limits, "entries", entries.length, "the number of tensors", {
    file: files.source.name,
  });
  for (const { key, tensor, sparse } of entries) {
    if (tensors.has(key)) {
      throw new ConvertError("malformed", `two tensors have the name "${key}"`, siteOf(key, tensor, files));
    }
    if (tensor.dataType === stringType) leftovers.push({ name: key, what: "texts" });
    else tensors.set(key, await (sparse ? openSparse(key, sparse, files) : openTensor(key, tensor, files)));
  }
  const strings = splitMetadata(model.metadata, tensors);
  return { tensors, ...strings, leftovers, extras: new Map([["onnx", model]]) };
}

/** `TensorProto.DataType.STRING`. */
const stringType = 8;

/** Whether a model is a file of weights without any: it does nothing, and hands its inputs through if it has some. */
function holdsNothing({ graph, functions }: OnnxModel): boolean {
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  return (
    graph.parts.length > 0 &&
    graph.nodes.length + functions.length === 0 &&
    graph.initializers.length === 0 &&
    graph.inputs.every(({ name }) => outputs.has(name))
  );
}

/** Why a file without tensors has none, as far as its inputs tell. */
function withoutWeights(model: OnnxModel): Pick<Checkpoint, "candidates" | "absence"> {
  const shaped = realInputs(model.graph).filter(({ type }) => type?.kind === "tensor" && isFixed(type.dims));
  const hint = "export it with its parameters: export_params=True is torch.onnx.export's default";
  const absence =
    shaped.length > 1
      ? { message: `the graph holds no weights: ${shaped.length} inputs of fixed shape bring them`, hint }
      : { message: "the graph holds no tensors", hint };
  return { candidates: [], absence };
}

function isFixed(dims: readonly unknown[] | undefined): boolean {
  return dims?.every((extent) => typeof extent === "number") ?? false;
}
