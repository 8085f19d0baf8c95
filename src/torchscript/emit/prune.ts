import type { GraphAttribute, GraphBody, GraphNode } from "../../core/graph.ts";

/** The nodes that the named values need, in their order, and the names of all values that these use. */
export function pruneNodes(
  nodes: readonly GraphNode[],
  outputs: readonly string[],
): { readonly nodes: readonly GraphNode[]; readonly needed: ReadonlySet<string> } {
  const needed = new Set(outputs);
  const kept: GraphNode[] = [];
  for (const node of [...nodes].reverse()) {
    if (!node.outputs.some((name) => needed.has(name))) continue;
    for (const name of namesUsedBy(node)) needed.add(name);
    kept.push(node);
  }
  return { nodes: kept.reverse(), needed };
}

/** Inputs of a node, and what its branches and bodies see of the values around it. */
function namesUsedBy(node: GraphNode): readonly string[] {
  const inner = [...node.attributes.values()].flatMap((attribute) =>
    attribute.kind === "graph"
      ? [...attribute.value.nodes.flatMap(namesUsedBy), ...attribute.value.outputs.map(({ name }) => name)]
      : [],
  );
  return [...node.inputs, ...inner].filter((name) => name !== "");
}

/** The same nodes with some values under other names, in blocks as well. */
export function renameValues(
  nodes: readonly GraphNode[],
  names: ReadonlyMap<string, string>,
): readonly GraphNode[] {
  const renamed = (name: string): string => names.get(name) ?? name;
  return nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map(renamed),
    outputs: node.outputs.map(renamed),
    attributes: new Map([...node.attributes].map(([key, value]) => [key, renamedIn(value, names)])),
  }));
}

function renamedIn(attribute: GraphAttribute, names: ReadonlyMap<string, string>): GraphAttribute {
  if (attribute.kind !== "graph") return attribute;
  const body: GraphBody = { ...attribute.value, nodes: renameValues(attribute.value.nodes, names) };
  return { kind: "graph", value: body };
}
