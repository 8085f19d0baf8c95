import { createWireCursor } from "../../containers/protobuf/cursor.ts";
import type { WireField, WireMessage } from "../../containers/protobuf/wire.ts";
import { int64Of, wireType } from "../../containers/protobuf/wire.ts";
import type { RunContext } from "../../core/context.ts";
import type { ByteSource } from "../../core/source.ts";
import type { OnnxFunction, OnnxGraph, OnnxModel, OnnxNode, OnnxOpset } from "./model.ts";
import { functionField, modelField, trainingField } from "./schema.ts";
import { createSkim, entry, integer, opset, type Skim, text } from "./skim-fields.ts";
import { createNodePaths, skimGraphBody, skimNode } from "./skim-graph.ts";

/**
 * Skims over a file: decodes everything but the values of tensors, which it jumps over. Reads a few MB of a file of any
 * size. Throws kind `malformed` with the place, `io` where the file is cut short, `limit` where it holds too much.
 */
export async function skimModel(source: ByteSource, context: RunContext): Promise<OnnxModel> {
  const cursor = createWireCursor(source, context);
  const skim = createSkim(cursor, context);
  const message = cursor.root;
  const draft = {
    irVersion: 0,
    producerName: "",
    producerVersion: "",
    domain: "",
    modelVersion: 0n,
    opsets: [] as OnnxOpset[],
    metadata: new Map<string, string>(),
  };
  const functions: OnnxFunction[] = [];
  const trainingGraphs: OnnxGraph[] = [];
  const graph: WireMessage[] = [];
  await cursor.walk(message, (field) => {
    switch (field.number) {
      case modelField.graph:
        graph.push(cursor.message(field, message));
        return;
      case modelField.opsetImport:
        return opset(skim, field, message, draft.opsets);
      case modelField.metadata:
        return entry(skim, field, message, draft.metadata);
      case modelField.functions:
        return skimFunction(skim, cursor.message(field, message)).then((found) => {
          functions.push(found);
        });
      case modelField.trainingInfo:
        return skimTraining(skim, cursor.message(field, message), trainingGraphs);
      default:
        return takeFact(skim, field, draft);
    }
  });
  return {
    source,
    ...draft,
    functions,
    trainingGraphs,
    graph: await skimGraphBody(skim, graph, ""),
    message,
  };
}

interface Facts {
  irVersion: number;
  producerName: string;
  producerVersion: string;
  domain: string;
  modelVersion: bigint;
}

function takeFact(skim: Skim, field: WireField, facts: Facts): void | Promise<void> {
  switch (field.number) {
    case modelField.irVersion:
      facts.irVersion = integer(skim, field);
      return;
    case modelField.modelVersion:
      skim.cursor.expect(field, wireType.varint);
      facts.modelVersion = int64Of(field);
      return;
    case modelField.producerName:
      return text(skim, field, (found) => {
        facts.producerName = found;
      });
    case modelField.producerVersion:
      return text(skim, field, (found) => {
        facts.producerVersion = found;
      });
    case modelField.domain:
      return text(skim, field, (found) => {
        facts.domain = found;
      });
  }
}

/** A `TrainingInfoProto`: the graphs `training_0/initialization` and `training_0/algorithm`, and so on. */
async function skimTraining(skim: Skim, message: WireMessage, into: OnnxGraph[]): Promise<void> {
  const { cursor } = skim;
  const parts = { initialization: [] as WireMessage[], algorithm: [] as WireMessage[] };
  await cursor.walk(message, (field) => {
    if (field.number === trainingField.initialization)
      parts.initialization.push(cursor.message(field, message));
    if (field.number === trainingField.algorithm) parts.algorithm.push(cursor.message(field, message));
  });
  const place = `training_${new Set(into.map(({ path }) => path.split("/")[0])).size}`;
  for (const which of ["initialization", "algorithm"] as const)
    if (parts[which].length > 0) into.push(await skimGraphBody(skim, parts[which], `${place}/${which}`));
}

/** A `FunctionProto`. */
async function skimFunction(skim: Skim, message: WireMessage): Promise<OnnxFunction> {
  const { cursor } = skim;
  skim.tally.add();
  const draft = { domain: "", name: "", overload: "" };
  const lists = { inputs: [] as string[], outputs: [] as string[], attributes: [] as string[] };
  const opsets: OnnxOpset[] = [];
  const fields: WireField[] = [];
  const push = (field: WireField, into: string[]): void | Promise<void> =>
    text(skim, field, (found) => {
      into.push(found);
    });
  await cursor.walk(message, (field) => {
    switch (field.number) {
      case functionField.name:
        return text(skim, field, (found) => {
          draft.name = found;
        });
      case functionField.domain:
        return text(skim, field, (found) => {
          draft.domain = found;
        });
      case functionField.overload:
        return text(skim, field, (found) => {
          draft.overload = found;
        });
      case functionField.input:
        return push(field, lists.inputs);
      case functionField.output:
        return push(field, lists.outputs);
      case functionField.attribute:
        return push(field, lists.attributes);
      case functionField.opsetImport:
        return opset(skim, field, message, opsets);
      case functionField.node:
        fields.push(field);
    }
  });
  const { domain, name, overload } = draft;
  const path = `functions/${[domain, name, overload].filter((part) => part !== "").join(".")}`;
  const nodePath = createNodePaths(path);
  const nodes: OnnxNode[] = [];
  for (const field of fields) nodes.push(await skimNode(skim, cursor.message(field, message), nodePath));
  return { ...draft, ...lists, opsets, nodes, path, message };
}
