import type { OnnxGraph } from "../model.ts";
import { findAttentions } from "./attention.ts";
import { type Block, sameOrder } from "./blocks.ts";
import { chooseNames, type NamedRole } from "./choose-names.ts";
import { exportedNames, foldedFrom, type HiddenProduct, hiddenProducts } from "./export-signature.ts";
import { findRoles } from "./find-roles.ts";
import { type GraphIndex, indexGraph, type Slot } from "./graph-index.ts";
import { findPrefix, joinName, type Prefix, type Reference, splitName, withPrefix } from "./reference.ts";
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

/** Finds out what the initializers of a graph that torch exported are called in the state dict. */
export function mapWeights(graph: OnnxGraph, reference: Reference | undefined): WeightMap {
  const index = indexGraph(graph);
  const exported = exportedNames(graph);
  const slots = [...index.slots.values()];
  const kept = slots.filter(({ generated }) => !generated);
  const names = kept.map(({ name }) => name);
  const prefix = reference ? findPrefix(names, reference) : { drop: "", add: "" };
  const parameters = new Map<string, MappedParameter>();
  for (const slot of kept) addKept(withPrefix(slot.name, prefix), slot, "kept", parameters, index);
  if (exported) addProducts(hiddenProducts(index, exported), parameters, prefix, index);
  const roles = allRoles(index, foldedFrom(graph, new Set(exported))).map((role) => ({
    ...role,
    paths: role.paths.map((path) => prefixedPath(path, prefix)),
  }));
  for (const named of chooseNames(roles, new Set(parameters.keys()), index, reference))
    addRole(named, parameters, index);
  const mapped = new Set([...parameters.values()].flatMap(({ blocks, copies }) => storedIn(blocks, copies)));
  const left = slots.filter(({ name, generated }) => generated && !mapped.has(name) && isOwn(name, index));
  // Where the file lists all parameters and all are found, the others are constants.
  const isComplete = exported?.every((name) => parameters.has(withPrefix(name, prefix)) || isOfNorm(name));
  return { index, parameters, unnamed: isComplete ? [] : left, prefix };

  function isOfNorm(name: string): boolean {
    const mean = joinName(splitName(name).path, "running_mean");
    return (
      name.endsWith("num_batches_tracked") || (exported?.includes(mean) === true && !index.slots.has(mean))
    );
  }
}

/** Replaces what kept its name, but not its values. */
function addProducts(
  products: readonly HiddenProduct[],
  parameters: Map<string, MappedParameter>,
  prefix: Prefix,
  index: GraphIndex,
): void {
  for (const { path, weight, bias } of products) {
    addKept(withPrefix(joinName(path, "weight"), prefix), weight, "fused", parameters, index);
    if (bias === undefined) continue;
    parameters.delete(withPrefix(bias.name, prefix));
    addKept(withPrefix(joinName(path, "bias"), prefix), bias, "fused", parameters, index);
  }
}

/** Roles in graph order. `origins` has parameters that a tensor is known to come from. */
function allRoles(index: GraphIndex, origins: ReadonlyMap<string, string>): readonly Role[] {
  const attentions = findAttentions(index);
  const taken = new Set(
    attentions.flatMap(({ members }) => members.flatMap(({ blocks }) => storedIn(blocks))),
  );
  const roles = [...attentions, ...findRoles(index, taken)].sort((a, b) => a.order - b.order);
  return roles.map((role) => {
    const [member] = role.members;
    const origin = origins.get(member?.blocks[0]?.stored.tensor ?? "");
    if (member === undefined || origin === undefined || role.how !== "transposed") return role;
    const { path, leaf } = splitName(origin);
    return { ...role, paths: [path], anchored: true, members: [{ ...member, leaf }] };
  });
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

function addKept(
  name: string,
  { name: stored, tensor }: Slot,
  how: How,
  parameters: Map<string, MappedParameter>,
  index: GraphIndex,
): void {
  parameters.set(name, {
    name,
    shape: tensor.dims,
    dataType: tensor.dataType,
    how,
    blocks: [sameOrder(name, stored, tensor.dims)],
    copies: [],
    guessed: false,
    order: index.usesOf(stored)[0]?.order ?? index.nodes.length,
  });
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
    });
  }
}
