import { isKind, type PickleValue } from "../../containers/pickle/values.ts";
import type { RunContext } from "../../core/context.ts";
import type { Candidate } from "../../core/dict.ts";
import { isModule, moduleEntries, type NamedValue } from "./modules.ts";
import { mappingEntries } from "./python-values.ts";
import { stateDict } from "./state-dict.ts";
import { asTensor, unreadTensor } from "./torch-values.ts";

/** A container on the way down from the root. */
interface Visit {
  readonly value: PickleValue;
  readonly path: string;
  readonly auxiliary: boolean;
}

/** Keys under which training keeps tensors that are no weights (FORMAT.md, "Checkpoints"). */
const auxiliaryKeys =
  /^(optimizers?|optim|optimizer_states?|optimizer_state_dict|lr_schedulers?|scheduler|scaler|loops|callbacks|(.*\.)?_extra_state|.*rng_?state.*)$/;

/** Random states are tensors of bytes, kept beside the models they were drawn for. */
const randomStateKeys = /(^|_)rng(_|$)|random_state/;

/**
 * Every mapping in the object that holds tensors, in the order of the file, each once however often it is referred
 * to. Iterative, since a pickle nests as deep as it likes.
 */
export function findCandidates(root: PickleValue, file: string, context: RunContext): readonly Candidate[] {
  const candidates: Candidate[] = [];
  const seen = new Set<PickleValue>();
  const pending: Visit[] = [{ value: root, path: "", auxiliary: false }];
  for (let visit = pending.pop(); visit !== undefined; visit = pending.pop()) {
    if (seen.has(visit.value)) continue;
    seen.add(visit.value);
    const children = childrenOf(visit);
    const candidate = toCandidate(visit, root, file, context);
    if (candidate) candidates.push(candidate);
    for (const child of children.reverse()) pending.push(child);
  }
  return candidates;
}

/** What a state dict is made of: the entries of a mapping, of a list by their numbers, or those that a module would give. */
function entriesOf(value: PickleValue, file: string): Iterable<NamedValue> | undefined {
  if (isModule(value)) return moduleEntries(value, file);
  return isKind(value, "list") || isKind(value, "tuple") ? value.items.entries() : mappingEntries(value);
}

function childrenOf(visit: Visit): Visit[] {
  const { value, path, auxiliary } = visit;
  // A module is a candidate as a whole, not its parts.
  if (isModule(value)) return [];
  const entries = mappingEntries(value);
  if (entries) return childrenOfMapping([...entries], visit);
  if (isKind(value, "list") || isKind(value, "tuple")) {
    return value.items.flatMap((child, index) => descend(child, join(path, String(index)), auxiliary));
  }
  // Objects of unknown classes may carry weights in their attributes or in what they are made from.
  if (!isKind(value, "call")) return [];
  const made = [
    ...descend(value.args, join(path, "args"), auxiliary),
    ...descend(value.state, path, auxiliary),
  ];
  const items =
    value.items?.flatMap((child, index) => descend(child, join(path, String(index)), auxiliary)) ?? [];
  return [...made, ...items, ...descend(value.entries, path, auxiliary)];
}

function childrenOfMapping(entries: readonly NamedValue[], { path, auxiliary }: Visit): Visit[] {
  const inOptimizer =
    entries.some(([key]) => key === "param_groups") && entries.some(([key]) => key === "state");
  return entries.flatMap(([key, child]) => {
    if (typeof key !== "string" && typeof key !== "number") return [];
    const name = String(key);
    return descend(child, join(path, name), auxiliary || inOptimizer || auxiliaryKeys.test(name));
  });
}

function descend(value: PickleValue | undefined, path: string, auxiliary: boolean): Visit[] {
  return value !== undefined && isContainer(value) ? [{ value, path, auxiliary }] : [];
}

function isContainer(value: PickleValue): boolean {
  return isKind(value, "dict") || isKind(value, "call") || isKind(value, "list") || isKind(value, "tuple");
}

function join(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}

function toCandidate(
  { value, path, auxiliary }: Visit,
  root: PickleValue,
  file: string,
  context: RunContext,
): Candidate | undefined {
  let tensorCount = 0;
  let bytes = 0;
  for (const [key, child] of entriesOf(value, file) ?? []) {
    if (typeof key === "string" && randomStateKeys.test(key)) continue;
    const tensor = asTensor(child);
    if (tensor === undefined && unreadTensor(child) === undefined) continue;
    tensorCount++;
    if (tensor) bytes += tensor.shape.reduce((product, size) => product * size, tensor.dtype.itemBytes);
  }
  if (tensorCount === 0) return undefined;
  return {
    path,
    auxiliary,
    tensorCount,
    bytes,
    load: () => stateDict(value, entriesOf(value, file) ?? [], path, root, file, context),
  };
}
