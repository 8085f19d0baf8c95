import type { OnnxGraph, OnnxNode } from "../model.ts";
import { findAttentions } from "./attention.ts";
import { type Block, sameOrder } from "./blocks.ts";
import { chooseNames, type NamedRole } from "./choose-names.ts";
import { findRoles } from "./find-roles.ts";
import { type GraphIndex, indexGraph, type Slot } from "./graph-index.ts";
import { findPrefix, type Prefix, type Reference, withPrefix } from "./reference.ts";
import type { How, Role } from "./role.ts";

/** A parameter and where the graph has its elements. */
export interface MappedParameter {
  readonly name: string;
  readonly shape: readonly number[];
  /** `TensorProto.DataType`. */
  readonly dataType: number;
  readonly how: How;
  /** They fill the parameter; those of `copies` say where else in the graph the same elements are. */
  readonly blocks: readonly Block[];
  readonly copies: readonly Block[];
  /** Whether another name would have been as likely. */
  readonly guessed: boolean;
  /** Position of the first node that uses it. */
  readonly order: number;
  /** A convolution that took in a norm, for `fused` parameters. */
  readonly node: OnnxNode | undefined;
}

/** Which parameters a graph holds, and how. */
export interface WeightMap {
  readonly index: GraphIndex;
  readonly parameters: ReadonlyMap<string, MappedParameter>;
  /** Generated tensors that nobody can name, in the order of the file. */
  readonly unnamed: readonly Slot[];
  /** How names of the graph became those of the reference. */
  readonly prefix: Prefix;
}

/** Finds out what the initializers of a graph of torch's TorchScript exporter are called in the state dict. */
export function mapWeights(graph: OnnxGraph, reference: Reference | undefined): WeightMap {
  const index = indexGraph(graph);
  const slots = [...index.slots.values()];
  const kept = slots.filter(({ generated }) => !generated);
  const prefix = reference
    ? findPrefix(
        kept.map(({ name }) => name),
        reference,
      )
    : { drop: "", add: "" };
  const parameters = new Map<string, MappedParameter>();
  for (const slot of kept) {
    const name = withPrefix(slot.name, prefix);
    parameters.set(name, keptParameter(name, slot, index));
  }
  const roles = allRoles(index).map((role) => ({
    ...role,
    paths: role.paths.map((path) => prefixedPath(path, prefix)),
  }));
  for (const named of chooseNames(roles, new Set(parameters.keys()), index, reference))
    addRole(named, parameters, index);
  const mapped = new Set([...parameters.values()].flatMap(({ blocks, copies }) => storedIn(blocks, copies)));
  const unnamed = slots.filter(({ name, generated }) => generated && !mapped.has(name) && isOwn(name, index));
  return { index, parameters, unnamed, prefix };
}

function allRoles(index: GraphIndex): readonly Role[] {
  const attentions = findAttentions(index);
  const taken = new Set(
    attentions.flatMap(({ members }) => members.flatMap(({ blocks }) => storedIn(blocks))),
  );
  return [...attentions, ...findRoles(index, taken)].sort((a, b) => a.order - b.order);
}

function storedIn(...lists: readonly (readonly Block[])[]): readonly string[] {
  return lists.flatMap((blocks) => blocks.map(({ stored }) => stored.tensor));
}

/** An alias that nobody can name is no tensor that would be lost. */
function isOwn(name: string, index: GraphIndex): boolean {
  return index.slots.get(name)?.tensor.name === name;
}

function prefixedPath(path: string, prefix: Prefix): string {
  return path === "" ? prefix.add.slice(0, -1) : withPrefix(`${path}.`, prefix).slice(0, -1);
}

function keptParameter(name: string, { name: stored, tensor }: Slot, index: GraphIndex): MappedParameter {
  return {
    name,
    shape: tensor.dims,
    dataType: tensor.dataType,
    how: "kept",
    blocks: [sameOrder(name, stored, tensor.dims)],
    copies: [],
    guessed: false,
    order: index.usesOf(stored)[0]?.order ?? index.nodes.length,
    node: undefined,
  };
}

function addRole(
  { role, names, guessed, again }: NamedRole,
  parameters: Map<string, MappedParameter>,
  index: GraphIndex,
): void {
  for (const [at, { shape, blocks }] of role.members.entries()) {
    const name = names[at] as string;
    const own = blocks.map((block) => ({ ...block, parameter: { ...block.parameter, tensor: name } }));
    const known = parameters.get(name);
    if (again && known) {
      parameters.set(name, { ...known, copies: [...known.copies, ...own] });
      continue;
    }
    const [first] = own;
    parameters.set(name, {
      name,
      shape,
      dataType: index.slots.get(first?.stored.tensor ?? "")?.tensor.dataType ?? 0,
      how: role.how,
      blocks: own,
      copies: [],
      guessed,
      order: role.order,
      node: role.how === "fused" ? role.node : undefined,
    });
  }
}
