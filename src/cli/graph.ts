import type { GraphReport, GraphReportValue } from "../core/graph-report.ts";
import { printable } from "./console.ts";

/** Kinds of operators that are listed before the rest is summed up. */
const mostOperators = 12;
/** Likewise inputs, and outputs. */
const mostValues = 8;

/** What a person wants to know of a graph, in a few lines. */
export function graphLines(graph: GraphReport): readonly string[] {
  const { producer, irVersion, opsets, functions } = graph;
  const sets = opsets.map(
    ({ domain, version }) => `${domain === "" ? "opset" : printable(domain)} ${version}`,
  );
  const head = [
    `graph "${printable(graph.name)}"`,
    producer && `by ${printable(producer)}`,
    `IR ${irVersion}`,
    ...sets,
  ];
  const lines = [head.filter((part) => part !== "").join(", ")];
  lines.push(
    ...valueLines("input", graph.inputs),
    ...valueLines("output", graph.outputs),
    operatorLine(graph),
  );
  if (functions.length > 0) lines.push(`functions: ${listed(functions.map(printable), mostOperators)}`);
  return lines;
}

function valueLines(title: string, values: readonly GraphReportValue[]): readonly string[] {
  const lines = values.slice(0, mostValues).map(({ name, type, shape }) => {
    const extents = shape === null ? "" : ` [${shape.map((extent) => printable(String(extent))).join(", ")}]`;
    return `${title} ${printable(name)}: ${type}${extents}`;
  });
  const rest = values.length - lines.length;
  return rest > 0 ? [...lines, `and ${rest} more ${title}s`] : lines;
}

function operatorLine({ operators }: GraphReport): string {
  const counts = Object.entries(operators);
  const nodes = counts.reduce((sum, [, count]) => sum + count, 0);
  const kinds = counts.map(([type, count]) => `${printable(type)} ${count}`);
  return `${nodes} ${nodes === 1 ? "node" : "nodes"}${nodes === 0 ? "" : `: ${listed(kinds, mostOperators)}`}`;
}

function listed(items: readonly string[], most: number): string {
  const rest = items.length - most;
  return items.slice(0, most).join(", ") + (rest > 0 ? ` and ${rest} more kinds` : "");
}
