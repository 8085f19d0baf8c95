import type { OnnxNode } from "../model.ts";
import { type Block, run } from "./blocks.ts";
import type { GraphIndex, Slot } from "./graph-index.ts";
import { type Member, placed, type Role } from "./role.ts";
import { scopeOf, scopePath } from "./scope-path.ts";

/** By operator, which of torch's gates each of ONNX's is: i o f c from i f g o, z r h from r z n (FORMAT.md, "Recurrent layers"). */
const gateOrder: Readonly<Record<string, readonly number[]>> = {
  LSTM: [0, 3, 1, 2],
  GRU: [1, 0, 2],
  RNN: [0],
};

/** A layer of an LSTM, GRU or RNN: weights of both directions in one tensor, gates in another order, both biases in a row. */
export function recurrentRole(
  node: OnnxNode,
  order: number,
  index: GraphIndex,
  layers: Map<string, number>,
): Role | undefined {
  const slots = [1, 2, 3].map((input) => index.slots.get(node.inputs[input] ?? ""));
  const [weights, recurrence, biases] = slots;
  if (!weights?.generated || !recurrence?.generated || (biases && !biases.generated)) return undefined;
  const gates = gateOrder[node.opType] as readonly number[];
  const [directions = 0, rows = 0, inputs = 0] = weights.tensor.dims;
  const hidden = rows / gates.length;
  const fits =
    (directions === 1 || directions === 2) &&
    hasDims(weights, [directions, rows, inputs]) &&
    hasDims(recurrence, [directions, rows, hidden]) &&
    (biases === undefined || hasDims(biases, [directions, 2 * rows]));
  if (!fits) return undefined;
  const members = ["", "_reverse"]
    .slice(0, directions)
    .flatMap((suffix, direction) => [
      gated(`weight_ih_l#${suffix}`, weights, gates, [hidden, inputs], direction * rows * inputs),
      gated(`weight_hh_l#${suffix}`, recurrence, gates, [hidden, hidden], direction * rows * hidden),
      ...(biases
        ? [
            gated(`bias_ih_l#${suffix}`, biases, gates, [hidden], direction * 2 * rows),
            gated(`bias_hh_l#${suffix}`, biases, gates, [hidden], direction * 2 * rows + rows),
          ]
        : []),
    ]);
  return { ...placed(node, order), ...layerOf(node, layers), how: "recurrent", members };
}

function hasDims({ tensor }: Slot, dims: readonly number[]): boolean {
  return tensor.dims.length === dims.length && dims.every((extent, index) => extent === tensor.dims[index]);
}

/** A parameter of torch whose gates, each of `shape`, lie in another order from `start` on. */
function gated(
  leaf: string,
  slot: Slot,
  gates: readonly number[],
  shape: readonly number[],
  start: number,
): Member {
  const count = shape.reduce((product, extent) => product * extent, 1);
  const blocks: Block[] = gates.map((gate, place) =>
    run(leaf, gate * count, slot.name, start + place * count, count),
  );
  const [rows = 0, ...rest] = shape;
  return { leaf, shape: [rows * gates.length, ...rest], blocks };
}

/** Layers of one module are nodes of one scope: `/rnn/LSTM`, `/rnn/LSTM_1`. */
function layerOf(node: OnnxNode, layers: Map<string, number>): { readonly layer: number } {
  const scope = scopeOf(node);
  if (scope === undefined || scopePath(node) === undefined) return { layer: -1 };
  const key = `${scope}/${node.opType}`;
  const layer = layers.get(key) ?? 0;
  layers.set(key, layer + 1);
  return { layer };
}
