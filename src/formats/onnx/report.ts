import { compareUtf8 } from "../../bytes/utf8.ts";
import type { GraphReport, GraphReportValue } from "../../core/graph-report.ts";
import { onnxDTypeByCode } from "./dtypes.ts";
import type { OnnxGraph, OnnxModel, OnnxNode, OnnxType, OnnxValueInfo } from "./model.ts";

/** What there is to say of a model beside its tensors. */
export function reportOf(model: OnnxModel): GraphReport {
  const { graph, irVersion, opsets, functions } = model;
  return {
    name: graph.name,
    producer: [model.producerName, model.producerVersion].filter((part) => part !== "").join(" "),
    irVersion,
    opsets,
    inputs: realInputs(graph).map(reportValue),
    outputs: graph.outputs.map(reportValue),
    operators: countOperators(model),
    functions: functions.map(({ path }) => path.slice("functions/".length)),
  };
}

/** Inputs without those that have an initializer, which is a default value then. */
export function realInputs({
  inputs,
  initializers,
  sparseInitializers,
}: OnnxGraph): readonly OnnxValueInfo[] {
  const given = new Set(initializers.map(({ name }) => name));
  for (const { values } of sparseInitializers) given.add(values.name);
  return inputs.filter(({ name }) => !given.has(name));
}

function reportValue({ name, type }: OnnxValueInfo): GraphReportValue {
  const shape = type !== undefined && "dims" in type ? type.dims?.map((extent) => extent ?? "?") : undefined;
  return { name, type: wordsFor(type), shape: shape ?? null };
}

function wordsFor(type: OnnxType | undefined): string {
  switch (type?.kind) {
    case "tensor":
      return elementWord(type.elemType);
    case "sparse tensor":
      return `sparse ${elementWord(type.elemType)}`;
    case "sequence":
    case "optional":
    case "map":
      return `${type.kind} of ${wordsFor(type.element)}`;
    default:
      return type?.kind ?? "unknown";
  }
}

function elementWord(code: number): string {
  return onnxDTypeByCode.get(code)?.dtype ?? (code === 8 ? "STRING" : "unknown");
}

function countOperators({ graph, functions }: OnnxModel): Record<string, number> {
  const counts = new Map<string, number>();
  const count = (nodes: readonly OnnxNode[]): void => {
    for (const { opType, domain, attributes } of nodes) {
      const type = domain === "" || domain === "ai.onnx" ? opType : `${domain}.${opType}`;
      counts.set(type, (counts.get(type) ?? 0) + 1);
      for (const { graphs } of attributes) for (const body of graphs) count(body.nodes);
    }
  };
  count(graph.nodes);
  for (const { nodes } of functions) count(nodes);
  return Object.fromEntries([...counts].sort(([a, m], [b, n]) => n - m || compareUtf8(a, b)));
}
