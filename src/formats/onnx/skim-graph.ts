import type { WireField, WireMessage } from "../../containers/protobuf/wire.ts";
import type {
  OnnxAttribute,
  OnnxGraph,
  OnnxNode,
  OnnxSparseTensor,
  OnnxTensor,
  OnnxValueInfo,
} from "./model.ts";
import { graphField, nodeField } from "./schema.ts";
import { skimAttribute } from "./skim-attribute.ts";
import { entry, type Skim, text } from "./skim-fields.ts";
import { finishTensor, skimSparse, skimTensor, tensorDraft } from "./skim-tensor.ts";
import { skimValue } from "./skim-value.ts";

/** Names the places of a graph's nodes: by name, else by type and position, and by position too where that is taken. */
export function createNodePaths(graphPath: string): (name: string, opType: string) => string {
  const taken = new Set<string>();
  let position = -1;
  return (name, opType) => {
    position++;
    let label = name === "" ? `${opType}_${position}` : name;
    while (taken.has(label)) label += `_${position}`;
    taken.add(label);
    return graphPath === "" ? label : `${graphPath}/${label}`;
  };
}

/** A `GraphProto` in all its parts, at `path` within the model. */
export async function skimGraphBody(
  skim: Skim,
  parts: readonly WireMessage[],
  path: string,
): Promise<OnnxGraph> {
  skim.tally.add();
  const draft = {
    name: "",
    nodes: [] as OnnxNode[],
    initializers: [] as OnnxTensor[],
    sparseInitializers: [] as OnnxSparseTensor[],
    inputs: [] as OnnxValueInfo[],
    outputs: [] as OnnxValueInfo[],
    valueInfo: [] as OnnxValueInfo[],
    metadata: new Map<string, string>(),
  };
  const nodePath = createNodePaths(path);
  for (const part of parts) await skim.cursor.walk(part, (field) => take(field, part));
  return { path, parts, ...draft };

  function take(field: WireField, parent: WireMessage): void | Promise<void> {
    const { cursor } = skim;
    switch (field.number) {
      case graphField.node:
        return keep(skimNode(skim, cursor.message(field, parent), nodePath), draft.nodes);
      case graphField.name:
        return text(skim, field, (name) => {
          draft.name = name;
        });
      case graphField.initializer:
        return keep(skimInitializer(skim, cursor.message(field, parent)), draft.initializers);
      case graphField.sparseInitializer:
        return keep(skimSparse(skim, cursor.message(field, parent)), draft.sparseInitializers);
      case graphField.input:
        return keep(skimValue(skim, cursor.message(field, parent)), draft.inputs);
      case graphField.output:
        return keep(skimValue(skim, cursor.message(field, parent)), draft.outputs);
      case graphField.valueInfo:
        return keep(skimValue(skim, cursor.message(field, parent)), draft.valueInfo);
      case graphField.metadata:
        return entry(skim, field, parent, draft.metadata);
    }
  }
}

async function keep<T>(item: Promise<T>, into: T[]): Promise<void> {
  into.push(await item);
}

async function skimInitializer(skim: Skim, message: WireMessage): Promise<OnnxTensor> {
  const draft = tensorDraft(skim);
  await skimTensor(skim, message, draft);
  return finishTensor(skim, draft);
}

/** A `NodeProto`. `nodePath` is asked once for each node, in order. */
export async function skimNode(
  skim: Skim,
  message: WireMessage,
  nodePath: (name: string, opType: string) => string,
): Promise<OnnxNode> {
  skim.tally.add();
  const draft = { name: "", opType: "", domain: "", overload: "" };
  const inputs: string[] = [];
  const outputs: string[] = [];
  const metadata = new Map<string, string>();
  const fields: WireField[] = [];
  await skim.cursor.walk(message, (field) => {
    switch (field.number) {
      case nodeField.input:
        return text(skim, field, (name) => {
          inputs.push(name);
        });
      case nodeField.output:
        return text(skim, field, (name) => {
          outputs.push(name);
        });
      case nodeField.name:
        return text(skim, field, (name) => {
          draft.name = name;
        });
      case nodeField.opType:
        return text(skim, field, (name) => {
          draft.opType = name;
        });
      case nodeField.domain:
        return text(skim, field, (name) => {
          draft.domain = name;
        });
      case nodeField.overload:
        return text(skim, field, (name) => {
          draft.overload = name;
        });
      case nodeField.metadata:
        return entry(skim, field, message, metadata);
      case nodeField.attribute:
        fields.push(field);
    }
  });
  // Attributes come last: the path of a body needs the node's name and type, which may stand behind it.
  const path = nodePath(draft.name, draft.opType);
  const attributes: OnnxAttribute[] = [];
  for (const field of fields) {
    const graphPath = (attribute: string, index: number): string =>
      `${path}/${attribute}${index === 0 ? "" : `_${index}`}`;
    attributes.push(await skimAttribute(skim, skim.cursor.message(field, message), graphPath));
  }
  return { ...draft, path, inputs, outputs, attributes, metadata, message };
}
