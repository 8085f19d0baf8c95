import type { OnnxNode } from "../model.ts";
import { type Block, sameOrder } from "./blocks.ts";
import type { Slot } from "./graph-index.ts";
import { scopePath } from "./scope-path.ts";

/** How a tensor of the graph came out of a parameter. `fused` and `folded` are products, from which the parameter cannot be had back. */
export type How = "kept" | "transposed" | "recurrent" | "joined" | "reshaped" | "fused" | "folded";

/** One parameter of a module. The parameter's side of its blocks is called by its leaf. */
export interface Member {
  /** What comes after the module's path: `weight`. A `#` stands for the number of the layer. */
  readonly leaf: string;
  readonly shape: readonly number[];
  readonly blocks: readonly Block[];
}

/** What a module's weights are used for in the graph, while the module's name is not known. */
export interface Role {
  readonly how: How;
  readonly node: OnnxNode;
  /** Position of the node among all. */
  readonly order: number;
  /** Module paths that the graph suggests, the surest first. */
  readonly paths: readonly string[];
  /** Whether a parameter with a kept name stands beside it, so that the first path is certain. */
  readonly anchored: boolean;
  /** Layer of a recurrent module. */
  readonly layer: number;
  readonly members: readonly Member[];
}

/** Where a role is, by anchors if there are any, and by the node's name otherwise. */
export function placed(
  node: OnnxNode,
  order: number,
  anchors: readonly string[] = [],
): Pick<Role, "node" | "order" | "paths" | "anchored" | "layer"> {
  const scope = scopePath(node);
  const scoped = scope ? [scope.path, scope.withoutCount].filter((path) => path !== undefined) : [];
  return {
    node,
    order,
    paths: [...new Set([...anchors, ...scoped])],
    anchored: anchors.length > 0,
    layer: 0,
  };
}

/** A parameter that is stored as it is. */
export function whole(leaf: string, { name, tensor }: Slot): Member {
  return { leaf, shape: tensor.dims, blocks: [sameOrder(leaf, name, tensor.dims)] };
}
