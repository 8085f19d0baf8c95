import type { TensorReport } from "./inspect.ts";

/** A module, a tensor, or a tensor with modules below its name; repeated modules are one node. */
export interface ModuleNode {
  /** Names from its parent on, dotted where nothing else lies between: `q_proj.weight`; of repeated modules `0…31`. */
  readonly label: string;
  /** How many alike stand here; `tensor` and `children` are those of the first. */
  readonly count: number;
  /** Tensors of all `count` together. */
  readonly tensors: number;
  /** Elements of all `count` together, tied ones once. */
  readonly parameters: number;
  /** Bytes of all `count` together, tied ones once. */
  readonly bytes: number;
  readonly tensor?: TensorReport | undefined;
  readonly children: readonly ModuleNode[];
}

/**
 * The modules that dotted names tell of. Numbered ones with the same names, dtypes and shapes below them are folded
 * into one node, wherever they stand among their kind.
 */
export function moduleTree(tensors: readonly TensorReport[]): readonly ModuleNode[] {
  const root = newBranch("");
  for (const tensor of tensors) {
    let branch = root;
    for (const part of partsOf(tensor.name)) branch = childOf(branch, part);
    branch.tensor = tensor;
  }
  return fold(root, { ofDescription: new Map(), ofNode: new Map() }).children;
}

/** Deeper names are hostile, and stay in one piece. */
const maxDepth = 64;

function partsOf(name: string): readonly string[] {
  const parts = name.split(".");
  return parts.length <= maxDepth
    ? parts
    : [...parts.slice(0, maxDepth - 1), parts.slice(maxDepth - 1).join(".")];
}

interface Branch {
  readonly name: string;
  readonly children: Map<string, Branch>;
  tensor: TensorReport | undefined;
}

function newBranch(name: string): Branch {
  return { name, children: new Map(), tensor: undefined };
}

function childOf({ children }: Branch, name: string): Branch {
  const known = children.get(name);
  if (known) return known;
  const child = newBranch(name);
  children.set(name, child);
  return child;
}

/** Numbers that are the same for branches that are alike, their own names apart. */
interface Kinds {
  /** By what stands below a branch, told by the numbers of those, so that it stays short. */
  readonly ofDescription: Map<string, number>;
  readonly ofNode: Map<ModuleNode, number>;
}

function fold(branch: Branch, kinds: Kinds): ModuleNode {
  const folded = [...branch.children.values()].map((child) => fold(child, kinds));
  const children = groupNumbered(folded, kinds);
  const { tensor } = branch;
  const description = [
    tensor ? `${tensor.dtype} ${tensor.shape.join(",")} ${tensor.tiedTo === undefined}` : "",
    ...folded.map((child) => `${JSON.stringify(child.label)} ${kinds.ofNode.get(child)}`).sort(),
  ].join("\n");
  const node = nodeOf(branch, children);
  const kind = kinds.ofDescription.get(description) ?? kinds.ofDescription.size;
  kinds.ofDescription.set(description, kind);
  kinds.ofNode.set(node, kind);
  return node;
}

function nodeOf({ name, tensor }: Branch, children: readonly ModuleNode[]): ModuleNode {
  const [only] = children;
  // A module of one tensor, or of one module, needs no line of its own.
  if (only && children.length === 1 && tensor === undefined && only.count === 1 && name !== "") {
    return { ...only, label: `${name}.${only.label}` };
  }
  return { label: name, count: 1, ...sums(tensor, children), tensor, children };
}

function sums(
  tensor: TensorReport | undefined,
  children: readonly ModuleNode[],
): Pick<ModuleNode, "tensors" | "parameters" | "bytes"> {
  const counts = tensor !== undefined && tensor.tiedTo === undefined;
  let tensors = tensor ? 1 : 0;
  let parameters = counts ? tensor.shape.reduce((product, extent) => product * extent, 1) : 0;
  let bytes = counts ? tensor.bytes : 0;
  for (const child of children) {
    tensors += child.tensors;
    parameters += child.parameters;
    bytes += child.bytes;
  }
  return { tensors, parameters, bytes };
}

const numbered = /^(\d+)(?:\.|$)/;

/** Numbered siblings in the order of their numbers, where the first of them stood; alike ones as one. */
function groupNumbered(siblings: readonly ModuleNode[], kinds: Kinds): readonly ModuleNode[] {
  const numbers = siblings.filter(({ label }) => numbered.test(label));
  if (numbers.length < 2) return siblings;
  const ordered = [...numbers].sort((a, b) => numberOf(a) - numberOf(b));
  const groups = new Map<string, ModuleNode[]>();
  for (const node of ordered) {
    const key = `${kinds.ofNode.get(node)} ${node.label.replace(numbered, "")}`;
    const group = groups.get(key);
    if (group) group.push(node);
    else groups.set(key, [node]);
  }
  const at = siblings.indexOf(numbers[0] as ModuleNode);
  const others = (part: readonly ModuleNode[]) => part.filter(({ label }) => !numbered.test(label));
  return [
    ...others(siblings.slice(0, at)),
    ...[...groups.values()].map(joinAlike),
    ...others(siblings.slice(at)),
  ];
}

function numberOf({ label }: ModuleNode): number {
  return Number.parseInt(label, 10);
}

function joinAlike(alike: readonly ModuleNode[]): ModuleNode {
  const [first] = alike as readonly [ModuleNode];
  if (alike.length === 1) return first;
  const total = (size: (node: ModuleNode) => number) => alike.reduce((sum, node) => sum + size(node), 0);
  return {
    ...first,
    label: first.label.replace(/^\d+(\.|$)/, (_, dot) => rangesOf(alike.map(numberOf), dot !== "") + dot),
    count: alike.length,
    tensors: total(({ tensors }) => tensors),
    parameters: total(({ parameters }) => parameters),
    bytes: total(({ bytes }) => bytes),
  };
}

/** `0…2, 4, 6…9`, from numbers in order, the middle left out where it would be long; with braces where more of the name follows several. */
function rangesOf(numbers: readonly number[], braced: boolean): string {
  const ranges: [number, number][] = [];
  for (const number of numbers) {
    const last = ranges.at(-1);
    if (last && last[1] + 1 === number) last[1] = number;
    else ranges.push([number, number]);
  }
  const texts = ranges.map(([first, last]) =>
    last <= first + 1 ? (last === first ? `${first}` : `${first}, ${last}`) : `${first}…${last}`,
  );
  const text = texts.length > 6 ? `${texts.slice(0, 3).join(", ")}, …, ${texts.at(-1)}` : texts.join(", ");
  return braced && text.includes(",") ? `{${text}}` : text;
}
