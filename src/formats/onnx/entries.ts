import { countFixed } from "../../containers/protobuf/repeated.ts";
import type {
  OnnxAttribute,
  OnnxGraph,
  OnnxHome,
  OnnxModel,
  OnnxNode,
  OnnxSparseTensor,
  OnnxTensor,
} from "./model.ts";
import { tensorField } from "./schema.ts";

/** A tensor of a model under the name that it goes by here. */
export interface OnnxEntry {
  /**
   * The name in the file. Below the main graph the graph's path stands before it; a Constant goes by its node's output,
   * a tensor in another attribute by the path of the node and the attribute's name.
   */
  readonly key: string;
  readonly place: "initializer" | "constant" | "attribute";
  readonly tensor: OnnxTensor;
  /** Set where it is sparse: `tensor` then is its name and its dense shape, and has no values of its own. */
  readonly sparse: OnnxSparseTensor | undefined;
}

/** Every tensor of the main graph, of the graphs within it, and of functions; in the order of the file, initializers first. */
export function entriesOf(model: OnnxModel): readonly OnnxEntry[] {
  const entries = entriesOfGraph(model.graph, "");
  for (const { nodes, path } of model.functions) addNodes(nodes, path, "", entries);
  return entries;
}

/** Every tensor of one graph and the graphs within it; keys begin below `root`, a path or `""`. */
export function entriesOfGraph(graph: OnnxGraph, root: string): OnnxEntry[] {
  const entries: OnnxEntry[] = [];
  addGraph(graph, root, entries);
  return entries;
}

function addGraph(graph: OnnxGraph, root: string, entries: OnnxEntry[]): void {
  const key = keysOf(graph.path, root);
  for (const tensor of graph.initializers)
    entries.push({ key: key(tensor.name), place: "initializer", tensor, sparse: undefined });
  for (const sparse of graph.sparseInitializers) {
    const tensor = denseShape(sparse);
    entries.push({ key: key(tensor.name), place: "initializer", tensor, sparse });
  }
  addNodes(graph.nodes, graph.path, root, entries);
}

function keysOf(path: string, root: string): (name: string) => string {
  const below = path === root ? "" : path.slice(root === "" ? 0 : root.length + 1);
  return (name) => (below === "" ? name : `${below}/${name}`);
}

function addNodes(nodes: readonly OnnxNode[], path: string, root: string, entries: OnnxEntry[]): void {
  const key = keysOf(path, root);
  for (const node of nodes) {
    const isConstant = node.opType === "Constant" && (node.domain === "" || node.domain === "ai.onnx");
    for (const attribute of node.attributes) {
      if (isConstant) addConstant(node, attribute, key, entries);
      else addAttribute(keysOf(node.path, root)(attribute.name), attribute, entries);
      for (const graph of attribute.graphs) addGraph(graph, root, entries);
    }
  }
}

/** Of a Constant's attributes one counts, and its output is its name. */
function addConstant(
  node: OnnxNode,
  attribute: OnnxAttribute,
  key: (name: string) => string,
  entries: OnnxEntry[],
): void {
  const name = node.outputs[0] ?? "";
  const [sparse] = attribute.sparseTensors;
  const tensor = attribute.tensors[0] ?? listTensor(attribute) ?? (sparse && denseShape(sparse));
  if (tensor) entries.push({ key: key(name), place: "constant", tensor: { ...tensor, name }, sparse });
}

function addAttribute(path: string, attribute: OnnxAttribute, entries: OnnxEntry[]): void {
  const several = attribute.tensors.length + attribute.sparseTensors.length > 1;
  const add = (tensor: OnnxTensor, sparse: OnnxSparseTensor | undefined, index: number): void => {
    entries.push({ key: several ? `${path}.${index}` : path, place: "attribute", tensor, sparse });
  };
  for (const [index, tensor] of attribute.tensors.entries()) add(tensor, undefined, index);
  for (const [index, sparse] of attribute.sparseTensors.entries())
    add(denseShape(sparse), sparse, attribute.tensors.length + index);
}

function denseShape({ values, dims }: OnnxSparseTensor): OnnxTensor {
  return { ...values, dims, home: { kind: "none" } };
}

/** Attributes `value_float`, `value_floats`, `value_int` and `value_ints` as tensors; their element types go without saying. */
function listTensor({ name, lists, texts, text, message }: OnnxAttribute): OnnxTensor | undefined {
  const make = (dataType: number, dims: readonly number[], home: OnnxHome): OnnxTensor => {
    return { name, dataType, dims, home, parts: [message] };
  };
  const floats = (runs: typeof lists.floats): OnnxHome => ({
    kind: "typed",
    field: tensorField.floatData,
    runs,
  });
  const ints = (runs: typeof lists.ints): OnnxHome => ({ kind: "typed", field: tensorField.int64Data, runs });
  if (name === "value_float") return make(1, [], floats(lists.float));
  if (name === "value_int") return make(7, [], ints(lists.int));
  if (name === "value_floats") return make(1, [countFixed(lists.floats, 4)], floats(lists.floats));
  if (name === "value_ints") return make(7, [lists.intCount], ints(lists.ints));
  if (name === "value_string" && text !== undefined) return make(8, [], { kind: "strings", count: 1 });
  if (name === "value_strings") return make(8, [texts.length], { kind: "strings", count: texts.length });
  return undefined;
}
