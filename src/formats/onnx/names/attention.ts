import type { OnnxNode } from "../model.ts";
import { type Block, run, transposed } from "./blocks.ts";
import { biasOf } from "./find-roles.ts";
import { type GraphIndex, intAttribute, type Slot } from "./graph-index.ts";
import { type Member, placed, type Role } from "./role.ts";
import { scopeOf, scopePath } from "./scope-path.ts";

/** One of the products that an attention begins with: of the queries, of keys and values, or of one of these. */
interface Projection {
  readonly node: OnnxNode;
  readonly order: number;
  readonly weight: Slot;
  readonly bias: Slot | undefined;
  readonly inputs: number;
  readonly outputs: number;
  /** Whether the weight is stored as `[inputs, outputs]`. */
  readonly turned: boolean;
}

/**
 * Attentions whose packed projection the exporter cut up, because queries and keys differ, or that have no bias to tell
 * them by. All that an attention does itself stands in one scope; its `out_proj` is known by name.
 */
export function findAttentions(index: GraphIndex): readonly Role[] {
  const outputs = findOutputs(index);
  const groups = new Map<string, Group>();
  for (const [order, node] of index.nodes.entries()) {
    const projection = projectionOf(node, order, index);
    const place = projection && placeOf(projection, outputs);
    if (projection === undefined || place === undefined) continue;
    const group = groups.get(place.key);
    if (group) group.projections.push(projection);
    else groups.set(place.key, { ...place, projections: [projection] });
  }
  return [...groups.values()].flatMap((group) => (group.hasOutput ? packed(group) : packedWithOutput(group)));
}

/** Where a projection belongs. */
interface GroupPlace {
  readonly key: string;
  readonly path: string;
  /** Whether the module has an `out_proj` by that name. */
  readonly hasOutput: boolean;
}

interface Group extends GroupPlace {
  readonly projections: Projection[];
}

/** Modules that have an `out_proj`, with the place of the node that uses it. */
interface Output {
  readonly path: string;
  readonly order: number;
}

function findOutputs(index: GraphIndex): readonly Output[] {
  const outputs: Output[] = [];
  for (const [order, { inputs }] of index.nodes.entries()) {
    for (const input of inputs) {
      const found = /^(?:(.*)\.)?out_proj\.(?:weight|bias)$/.exec(input);
      if (found && index.slots.has(input)) outputs.push({ path: found[1] ?? "", order });
    }
  }
  return outputs;
}

function projectionOf(node: OnnxNode, order: number, index: GraphIndex): Projection | undefined {
  if (node.opType !== "MatMul" && node.opType !== "Gemm") return undefined;
  const weight = index.slots.get(node.inputs[1] ?? "");
  const bias = biasOf(node, index);
  const [first, second, ...rest] = weight?.tensor.dims ?? [];
  if (!weight?.generated || (bias && !bias.generated) || rest.length > 0) return undefined;
  if (first === undefined || second === undefined) return undefined;
  const turned = node.opType === "MatMul" || intAttribute(node, "transB") !== 1;
  const [inputs, outputs] = turned ? [first, second] : [second, first];
  return { node, order, weight, bias, inputs, outputs, turned };
}

/** The attention that a projection belongs to: that of its scope, or without scopes the one whose output comes next. */
function placeOf({ node, order, bias }: Projection, outputs: readonly Output[]): GroupPlace | undefined {
  const scope = scopePath(node);
  const scoped = [scope?.path, scope?.withoutCount].find((path) => outputs.some((o) => o.path === path));
  const key = scopeOf(node);
  if (scope && key !== undefined && (scoped !== undefined || bias === undefined))
    return { key, path: scoped ?? scope.path, hasOutput: scoped !== undefined };
  const next = outputs.find((output) => output.order > order);
  return next && bias && { key: key ?? `#${next.path}`, path: next.path, hasOutput: true };
}

/** Without any bias the output's weight is lost too: the last product of the scope. */
function packedWithOutput({ path, projections }: Group): readonly Role[] {
  const output = projections.at(-1) as Projection;
  const others = projections.slice(0, -1);
  if (others.length === 0 || output.inputs !== output.outputs || !output.turned) return [];
  const roles = packed({ path, projections: others });
  if (roles.length === 0 || others.at(0)?.inputs !== output.inputs) return [];
  const member = {
    leaf: "out_proj.weight",
    shape: [output.outputs, output.inputs],
    blocks: [weightBlock("out_proj.weight", output, 0)],
  };
  return [...roles, { ...placed(output.node, output.order, [path]), how: "transposed", members: [member] }];
}

/** `in_proj_weight` and `in_proj_bias`, or three weights of their own where keys or values are of another width. */
function packed({ path, projections }: Pick<Group, "path" | "projections">): readonly Role[] {
  const [first] = projections as [Projection, ...Projection[]];
  const width = projections.length === 1 ? first.outputs / 3 : first.outputs;
  const rows = projections.map(({ outputs }) => outputs / width);
  const isPacked = ["3", "1,2", "1,1,1"].includes(rows.join());
  const withBias = projections.filter(({ bias }) => bias !== undefined).length;
  if (!isPacked || (withBias !== 0 && withBias !== projections.length)) return [];
  const separate = projections.some(({ inputs }) => inputs !== width);
  if (separate && rows.length !== 3) return [];
  const weights = separate ? separateWeights(projections) : [joinedWeight(projections, width)];
  const members = withBias === 0 ? weights : [...weights, joinedBias(projections, width)];
  return [{ ...placed(first.node, first.order, [path]), how: "joined", members }];
}

function separateWeights(projections: readonly Projection[]): readonly Member[] {
  return projections.map((projection, place) => {
    const leaf = `${"qkv"[place]}_proj_weight`;
    return {
      leaf,
      shape: [projection.outputs, projection.inputs],
      blocks: [weightBlock(leaf, projection, 0)],
    };
  });
}

function joinedWeight(projections: readonly Projection[], width: number): Member {
  let row = 0;
  const blocks: Block[] = [];
  for (const projection of projections) {
    blocks.push(weightBlock("in_proj_weight", projection, row));
    row += projection.outputs;
  }
  return { leaf: "in_proj_weight", shape: [3 * width, width], blocks };
}

function weightBlock(leaf: string, { weight, inputs, outputs, turned }: Projection, row: number): Block {
  if (turned) return transposed(leaf, weight.name, [outputs, inputs], row);
  return run(leaf, row * inputs, weight.name, 0, outputs * inputs);
}

function joinedBias(projections: readonly Projection[], width: number): Member {
  let row = 0;
  const blocks: Block[] = [];
  for (const { bias, outputs } of projections) {
    blocks.push(run("in_proj_bias", row, (bias as Slot).name, 0, outputs));
    row += outputs;
  }
  return { leaf: "in_proj_bias", shape: [3 * width], blocks };
}
