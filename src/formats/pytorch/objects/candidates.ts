import { isKind, type PickleValue } from "../../../containers/pickle/values.ts";
import type { RunContext } from "../../../core/context.ts";
import type { Candidate } from "../../../core/dict.ts";
import type { Limits } from "../../../core/limits.ts";
import { type ArrayOpener, createArrayOpener } from "../arrays/array-opener.ts";
import { tensorItems } from "../tensors/open-value.ts";
import { keyText, mappingEntries, sequenceItems } from "../values/python-values.ts";
import { asTensor, type TorchTensor } from "../values/torch-values.ts";
import { isModule, moduleEntries } from "./modules.ts";
import type { NamedValue } from "./named-value.ts";
import { childPlaces, isTensorLike, joinPath } from "./reachable.ts";
import { stateDict } from "./state-dict.ts";

/** A container on the way down from the root. */
interface Visit {
  readonly value: PickleValue;
  readonly path: string;
  readonly auxiliary: boolean;
}

/** Keys under which training keeps tensors that are no weights (FORMAT.md, "Checkpoints"). */
const auxiliaryKeys =
  /^(optimizers?|optim|optimizer_states?|optimizer_state_dict|lr_schedulers?|scheduler|scaler|loops|callbacks|(.*\.)?_extra_state|.*rng_?state.*)$/;

/**
 * Every mapping in the object that holds tensors, in the order of the file, each once however often it is referred
 * to. Iterative, since a pickle nests as deep as it likes.
 */
export function findCandidates(root: PickleValue, file: string, context: RunContext): readonly Candidate[] {
  return findDicts({ root, file, context, arrays: undefined });
}

/** The same for NumPy's arrays: every mapping that holds some, and no tensors of torch. */
export function findArrayCandidates(
  root: PickleValue,
  file: string,
  context: RunContext,
): readonly Candidate[] {
  return findDicts({ root, file, context, arrays: createArrayOpener() });
}

/** What is looked through. */
interface Search {
  readonly root: PickleValue;
  readonly file: string;
  readonly context: RunContext;
  /** Set where arrays are looked for, and not tensors. */
  readonly arrays: ArrayOpener | undefined;
}

function findDicts(search: Search): readonly Candidate[] {
  const { root } = search;
  const candidates: Candidate[] = [];
  const seen = new Set<PickleValue>();
  const pending: Visit[] = [{ value: opened(root, search), path: "", auxiliary: false }];
  for (let visit = pending.pop(); visit !== undefined; visit = pending.pop()) {
    if (seen.has(visit.value)) continue;
    seen.add(visit.value);
    const children = childrenOf(visit, search);
    const candidate = toCandidate(visit, search);
    if (candidate) candidates.push(candidate);
    for (const child of children.reverse()) pending.push(child);
  }
  return candidates;
}

/** What a state dict is made of: the entries of a mapping, of a list by their numbers, or those that a module would give. */
function entriesOf(value: PickleValue, search: Search): Iterable<NamedValue> {
  const entries = storedEntries(value, search.file, search.context.limits) ?? [];
  return search.arrays === undefined ? entries : openedEntries(entries, search);
}

function openedEntries(entries: Iterable<NamedValue>, search: Search): readonly NamedValue[] {
  return [...entries].map(([key, value]): NamedValue => [key, opened(value, search)]);
}

function opened(value: PickleValue, { arrays }: Search): PickleValue {
  return arrays === undefined ? value : arrays.open(value);
}

function storedEntries(value: PickleValue, file: string, limits: Limits): Iterable<NamedValue> | undefined {
  // Somebody saved a tensor by itself, so it has no name yet.
  if (isTensorLike(value)) return [["tensor", value]];
  if (isModule(value)) return moduleEntries(value, file, limits);
  return sequenceItems(value)?.entries() ?? mappingEntries(value);
}

function childrenOf(visit: Visit, search: Search): Visit[] {
  const { value, auxiliary } = visit;
  // A module is a candidate as a whole, not its parts; so is a tensor.
  if (isModule(value) || isTensorLike(value)) return [];
  const entries = mappingEntries(value);
  if (entries) return childrenOfMapping(openedEntries(entries, search), visit);
  return childPlaces(visit).flatMap((child) => descend(opened(child.value, search), child.path, auxiliary));
}

function childrenOfMapping(entries: readonly NamedValue[], { path, auxiliary }: Visit): Visit[] {
  const inOptimizer =
    entries.some(([key]) => key === "param_groups") && entries.some(([key]) => key === "state");
  const isStateDict = entries.some(([, child]) => asTensor(child) !== undefined);
  return entries.flatMap(([key, child]) => {
    // Lists of tensors within a state dict are part of it, under numbers.
    if (isStateDict && tensorItems(child)) return [];
    const name = keyText(key);
    return descend(child, joinPath(path, name), auxiliary || inOptimizer || auxiliaryKeys.test(name));
  });
}

function descend(value: PickleValue | undefined, path: string, auxiliary: boolean): Visit[] {
  return value !== undefined && isContainer(value) && !isTensorLike(value)
    ? [{ value, path, auxiliary }]
    : [];
}

function isContainer(value: PickleValue): boolean {
  return isKind(value, "dict") || isKind(value, "call") || isKind(value, "list") || isKind(value, "tuple");
}

function toCandidate({ value, path, auxiliary }: Visit, search: Search): Candidate | undefined {
  const { root, file, context } = search;
  if (search.arrays !== undefined && !isOfArrays(entriesOf(value, search), search.arrays)) return undefined;
  let tensorCount = 0;
  let bytes = 0;
  for (const [, child] of entriesOf(value, search)) {
    const tensor = asTensor(child);
    if (tensor ? isRandomState(tensor) : !isTensorLike(child)) continue;
    tensorCount++;
    bytes += tensor ? tensorBytes(tensor) : 0;
  }
  if (tensorCount === 0) return undefined;
  return {
    path,
    auxiliary,
    tensorCount,
    bytes,
    load: () => stateDict(value, entriesOf(value, search), path, root, file, context),
  };
}

/** Scalars alone are somebody's results, and where there are tensors, those are the weights. */
function isOfArrays(entries: Iterable<NamedValue>, arrays: ArrayOpener): boolean {
  let hasArray = false;
  for (const [, child] of entries) {
    const origin = arrays.originOf(child);
    if (origin === undefined && isTensorLike(child)) return false;
    hasArray ||= origin === "array";
  }
  return hasArray;
}

/**
 * Random states are byte tensors that torch gives these sizes: 5056 for a processor's, 16 for a GPU's. NumPy's are
 * arrays of 624 numbers.
 */
function isRandomState({ dtype, shape: [size], shape: { length } }: TorchTensor): boolean {
  if (length !== 1) return false;
  return dtype.dtype === "U8" ? size === 5056 || size === 16 : dtype.dtype === "U32" && size === 624;
}

function tensorBytes({ dtype, shape }: TorchTensor): number {
  return shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, dtype.itemBytes);
}
