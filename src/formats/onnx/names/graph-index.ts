import type { OnnxGraph, OnnxNode, OnnxTensor } from "../model.ts";

/** A node's input. */
export interface Use {
  readonly node: OnnxNode;
  /** Position among the node's inputs. */
  readonly input: number;
  /** Position of the node among all nodes, bodies within where the node is. */
  readonly order: number;
}

/** A name that stands for an initializer: its own, or one that an Identity node gives it. */
export interface Slot {
  readonly name: string;
  readonly tensor: OnnxTensor;
  /** Whether the exporter made the name up, so that it says nothing about the parameter. */
  readonly generated: boolean;
}

/** Who uses what, over the main graph and the bodies within. */
export interface GraphIndex {
  /** In the order of the file; aliases after their initializers. */
  readonly slots: ReadonlyMap<string, Slot>;
  /** All nodes in order, those of bodies behind the node that holds them. */
  readonly nodes: readonly OnnxNode[];
  usesOf(name: string): readonly Use[];
  /** The node that makes a value. */
  maker(name: string): OnnxNode | undefined;
}

/** Looks through a graph once. Bodies see the names of the graph around them, as ONNX has it. */
export function indexGraph(graph: OnnxGraph): GraphIndex {
  const slots = new Map<string, Slot>();
  for (const tensor of graph.initializers) slots.set(tensor.name, slotOf(tensor.name, tensor));
  const uses = new Map<string, Use[]>();
  const makers = new Map<string, OnnxNode>();
  const nodes: OnnxNode[] = [];

  function visit(node: OnnxNode): void {
    const order = nodes.length;
    nodes.push(node);
    for (const [input, name] of node.inputs.entries()) {
      if (name === "") continue;
      const known = uses.get(name);
      if (known) known.push({ node, input, order });
      else uses.set(name, [{ node, input, order }]);
    }
    for (const name of node.outputs) if (!makers.has(name)) makers.set(name, node);
    for (const attribute of node.attributes)
      for (const body of attribute.graphs) for (const inner of body.nodes) visit(inner);
  }

  for (const node of graph.nodes) {
    visit(node);
    const alias = node.opType === "Identity" ? slots.get(node.inputs[0] ?? "") : undefined;
    const name = node.outputs[0];
    if (alias && name !== undefined && !slots.has(name)) slots.set(name, slotOf(name, alias.tensor));
  }
  return { slots, nodes, usesOf: (name) => uses.get(name) ?? [], maker: (name) => makers.get(name) };
}

function slotOf(name: string, tensor: OnnxTensor): Slot {
  return { name, tensor, generated: isGenerated(name) };
}

/** A bare number, `onnx::MatMul_34`, `val_7`, or the output of a node that another tool has folded (FORMAT.md beside this file, "Names"). */
function isGenerated(name: string): boolean {
  return /^\d+$|^[\w.]+::\w+_\d+$|^val_\d+$|^\/.*_output_\d+$/.test(name);
}

/** The value of an int attribute. */
export function intAttribute(node: OnnxNode, name: string): number | undefined {
  const value = node.attributes.find((attribute) => attribute.name === name)?.int;
  return value === undefined ? undefined : Number(value);
}
