import type { OnnxNode } from "../model.ts";
import { sameOrder, transposed } from "./blocks.ts";
import { type GraphIndex, intAttribute, type Slot } from "./graph-index.ts";
import { recurrentRole } from "./recurrent.ts";
import { placed, type Role, whole } from "./role.ts";

/** The roles of all generated tensors that a single node explains. `taken` are those that have one already. */
export function findRoles(index: GraphIndex, taken: ReadonlySet<string>): readonly Role[] {
  const roles: Role[] = [];
  const layers = new Map<string, number>();
  for (const [order, node] of index.nodes.entries()) {
    const role = roleOf(node, order, index, taken, layers);
    if (role) roles.push(role);
  }
  return roles;
}

function roleOf(
  node: OnnxNode,
  order: number,
  index: GraphIndex,
  taken: ReadonlySet<string>,
  layers: Map<string, number>,
): Role | undefined {
  const lost = (input: number): Slot | undefined => {
    const slot = index.slots.get(node.inputs[input] ?? "");
    return slot?.generated && !taken.has(slot.name) ? slot : undefined;
  };
  switch (node.opType) {
    case "MatMul":
    case "Gemm":
      return linear(node, order, lost(1), index);
    case "Conv":
    case "ConvTranspose":
      return convolution(node, order, lost(1), lost(2), index);
    case "LSTM":
    case "GRU":
    case "RNN":
      return recurrentRole(node, order, index, layers);
    case "PRelu":
      return perChannel(node, order, lost(1), "weight");
    case "Mul":
      return normPart(node, order, index, lost, "weight");
    case "Add":
      return normPart(node, order, index, lost, "bias");
    case "Gather":
      return product(node, order, lost(0), []);
    default:
      return undefined;
  }
}

/** A Linear over sequences, or one without bias: MatMul with the transposed weight, then Add. */
function linear(
  node: OnnxNode,
  order: number,
  weight: Slot | undefined,
  index: GraphIndex,
): Role | undefined {
  if (weight === undefined) return undefined;
  const [rows, columns] = weight.tensor.dims;
  if (rows === undefined || columns === undefined || weight.tensor.dims.length > 2) return undefined;
  const bias = biasOf(node, index);
  const anchor = bias && !bias.generated ? anchorOf(bias.name) : undefined;
  // A Gemm that transposes takes weights as torch has them: its weight was computed.
  if (node.opType === "Gemm" && intAttribute(node, "transB") === 1) {
    return product(node, order, weight, anchor ? [anchor.path] : []);
  }
  const leaf = anchor?.leaf ?? "weight";
  const member = { leaf, shape: [columns, rows], blocks: [transposed(leaf, weight.name, [columns, rows])] };
  return { ...placed(node, order, anchor && [anchor.path]), how: "transposed", members: [member] };
}

/** The bias that a MatMul or Gemm gets, by any name. */
export function biasOf(node: OnnxNode, index: GraphIndex): Slot | undefined {
  if (node.opType === "Gemm") return index.slots.get(node.inputs[2] ?? "");
  for (const use of index.usesOf(node.outputs[0] ?? "")) {
    if (use.node.opType !== "Add") continue;
    const slot = index.slots.get(use.node.inputs[1 - use.input] ?? "");
    if (slot?.tensor.dims.length === 1) return slot;
  }
  return undefined;
}

/** The module that a kept bias belongs to, and what its weight is called there. */
function anchorOf(bias: string): { readonly path: string; readonly leaf: string } | undefined {
  const found = /^(?:(.*)\.)?(in_proj_)?bias$/.exec(bias);
  if (found === null) return undefined;
  return { path: found[1] ?? "", leaf: `${found[2] ?? ""}weight` };
}

/** A convolution that took in the norm behind it, or one whose weight was computed. */
function convolution(
  node: OnnxNode,
  order: number,
  weight: Slot | undefined,
  bias: Slot | undefined,
  index: GraphIndex,
): Role | undefined {
  if (weight === undefined) return undefined;
  if (bias === undefined || node.opType !== "Conv") {
    const kept = index.slots.get(node.inputs[2] ?? "");
    const anchor = kept && !kept.generated ? anchorOf(kept.name) : undefined;
    return product(node, order, weight, anchor ? [anchor.path] : []);
  }
  const members = [whole("weight", weight), whole("bias", bias)];
  return { ...placed(node, order), how: "fused", members };
}

/** A weight that stands as it is used, and that was computed from the parameters. */
function product(
  node: OnnxNode,
  order: number,
  weight: Slot | undefined,
  anchors: readonly string[],
): Role | undefined {
  if (weight === undefined) return undefined;
  const anchor = anchors.length > 0 ? anchors : undefined;
  return { ...placed(node, order, anchor), how: "folded", members: [whole("weight", weight)] };
}

/** One value a channel, stored with dimensions of one behind it. */
function perChannel(node: OnnxNode, order: number, slot: Slot | undefined, leaf: string): Role | undefined {
  const [channels = 0, ...rest] = slot?.tensor.dims ?? [];
  if (slot === undefined || rest.some((extent) => extent !== 1)) return undefined;
  const member = { leaf, shape: [channels], blocks: [sameOrder(leaf, slot.name, [channels])] };
  return { ...placed(node, order), how: "reshaped", members: [member] };
}

/** GroupNorm: InstanceNormalization, Reshape, then Mul and Add with one value a channel. */
function normPart(
  node: OnnxNode,
  order: number,
  index: GraphIndex,
  lost: (input: number) => Slot | undefined,
  leaf: string,
): Role | undefined {
  const input = lost(1) ? 1 : 0;
  const slot = lost(input);
  if (slot === undefined || !followsNorm(node.inputs[1 - input] ?? "", index)) return undefined;
  return perChannel(node, order, slot, leaf);
}

function followsNorm(value: string, index: GraphIndex): boolean {
  let maker = index.maker(value);
  if (maker?.opType === "Mul") {
    const [left = "", right = ""] = maker.inputs;
    maker = index.maker(index.slots.has(left) ? right : left);
  }
  if (maker?.opType !== "Reshape") return false;
  return index.maker(maker.inputs[0] ?? "")?.opType === "InstanceNormalization";
}
