import {
  isKind,
  type PickleCall,
  type PickleGlobal,
  type PickleValue,
} from "../../../containers/pickle/values.ts";
import type { RunContext } from "../../../core/context.ts";
import type { Leftover } from "../../../core/dict.ts";
import { ConvertError } from "../../../core/errors.ts";
import { checkLimit } from "../../../core/limits.ts";
import type { NamedValue } from "../objects/named-value.ts";
import { childPlaces, isTensorLike } from "../objects/reachable.ts";
import { attributesOf, describeValue } from "../values/python-values.ts";
import type { ScriptClass } from "./script-classes.ts";

/** What a TorchScript module holds. */
export interface ScriptState {
  /** As `state_dict()` of the loaded module names and orders them. */
  readonly entries: readonly NamedValue[];
  /** Attributes that hold tensors and are no state. */
  readonly leftovers: readonly Leftover[];
}

/** What the code says of a class; `undefined` where the archive lacks it. */
export type ClassLookup = (name: PickleGlobal) => ScriptClass | undefined;

/** How deep modules may nest. */
const maxDepth = 1000;

interface Visit {
  readonly module: PickleCall;
  readonly prefix: string;
  readonly depth: number;
}

/**
 * The state dict of a scripted module: of each module from the top its parameters, its buffers, then its submodules,
 * in the order of its attributes. What is shared comes once for each name. Throws kind `limit` where names are too many.
 */
export function scriptState(
  root: PickleValue,
  classOf: ClassLookup,
  file: string,
  context: RunContext,
): ScriptState {
  const entries: NamedValue[] = [];
  const leftovers: Leftover[] = [];
  const holdsTensors = createTensorSearch();
  const pending: Visit[] = isScriptObject(root) ? [{ module: root, prefix: "", depth: 0 }] : [];
  let visits = 0;
  const addOther = (name: string, value: PickleValue): void => {
    if (holdsTensors(value)) leftovers.push({ name, what: describe(value) });
  };
  const addPacked = (name: string, value: PickleCall): void => {
    const tensors = packedTensors(value);
    for (const [index, tensor] of tensors.entries()) entries.push([`${name}.${index}`, tensor]);
    if (tensors.length === 0) addOther(name, value);
  };
  for (let visit = pending.pop(); visit !== undefined; visit = pending.pop()) {
    const { module, prefix, depth } = visit;
    checkLimit(context.limits, "entries", ++visits + entries.length, "the number of modules", { file });
    if (depth > maxDepth) throw new ConvertError("malformed", "the modules nest without end", { file });
    const parts = partsOf(module, classOf);
    for (const [name, value] of parts.state) entries.push([prefix + name, value]);
    for (const [name, value] of parts.packed) addPacked(prefix + name, value);
    for (const [name, value] of parts.others) addOther(prefix + name, value);
    for (const [name, child] of parts.children.reverse())
      pending.push({ module: child, prefix: `${prefix}${name}.`, depth: depth + 1 });
  }
  return { entries, leftovers };
}

/** The attributes of one module, sorted by what they are to `state_dict()`. */
interface Parts {
  readonly state: readonly (readonly [string, PickleValue])[];
  readonly children: (readonly [string, PickleCall])[];
  /** Objects that keep their tensors in a form of their own, as quantized kernels do. */
  readonly packed: readonly (readonly [string, PickleCall])[];
  readonly others: readonly (readonly [string, PickleValue])[];
}

function partsOf(module: PickleCall, classOf: ClassLookup): Parts {
  // The root may pack itself; then that is all there is.
  if (!isModule(module, classOf) && isPacked(module, classOf))
    return { state: [], children: [], packed: [[packedName("", module, classOf), module]], others: [] };
  const type = isKind(module.callable, "global") ? classOf(module.callable) : undefined;
  const parameters: [string, PickleValue][] = [];
  const buffers: [string, PickleValue][] = [];
  const children: [string, PickleCall][] = [];
  const packed: [string, PickleCall][] = [];
  const others: [string, PickleValue][] = [];
  for (const [name, value] of attributesOf(module)?.entries() ?? []) {
    if (typeof name !== "string" || value === null) continue;
    if (isScriptObject(value) && isModule(value, classOf)) children.push([name, value]);
    else if (isScriptObject(value) && isPacked(value, classOf))
      packed.push([packedName(name, value, classOf), value]);
    else if (!isTensorLike(value)) others.push([name, value]);
    else if (type?.parameters.has(name)) parameters.push([name, value]);
    else if (isBuffer(name, type)) buffers.push([name, value]);
    else others.push([name, value]);
  }
  return { state: [...parameters, ...buffers], children, packed, others };
}

/** Without its class's code, any tensor may be state; before torch 1.6, any that is typed as no more than a tensor. */
function isBuffer(name: string, type: ScriptClass | undefined): boolean {
  if (type === undefined) return true;
  return type.buffers?.has(name) ?? type.attributes.get(name) === "Tensor";
}

/** Whether a value is an object of a class that the archive's code defines. */
function isScriptObject(value: PickleValue | undefined): value is PickleCall {
  return isKind(value, "call") && isKind(value.callable, "global") && isScriptClass(value.callable);
}

/** Whether a global names a class of the archive's own code. */
export function isScriptClass({ module }: PickleGlobal): boolean {
  return module === "__torch__" || module.startsWith("__torch__.");
}

/** Whether an object takes part in `state_dict()`: a module that is pickled by its attributes. */
function isModule(value: PickleCall, classOf: ClassLookup): boolean {
  const type = isKind(value.callable, "global") ? classOf(value.callable) : undefined;
  return isKind(value.state, "dict") && (type === undefined || (type.isModule && !type.hasOwnState));
}

/** Whether an object is pickled as its class likes: it is of a class of libtorch's own, or its code says so. */
function isPacked({ callable }: PickleCall, classOf: ClassLookup): boolean {
  if (!isKind(callable, "global")) return false;
  return callable.module.startsWith("__torch__.torch.classes.") || classOf(callable)?.hasOwnState === true;
}

/** Quantized modules that pack themselves are named like those that leave it to an attribute. */
function packedName(name: string, { callable }: PickleCall, classOf: ClassLookup): string {
  const type = isKind(callable, "global") ? classOf(callable) : undefined;
  const inner = type?.attributes.has("_packed_params") === true ? "_packed_params" : "";
  return [name, inner].filter((part) => part !== "").join(".") || "packed";
}

/** More than any kernel packs: weights, biases, scales, and a few numbers. */
const maxPackedValues = 4096;

/** The tensors that an object packs, in order; none where they would be too many to be that. */
function packedTensors({ state }: PickleCall): readonly PickleValue[] {
  const tensors: PickleValue[] = [];
  const seen = new Set<PickleValue>();
  const pending: PickleValue[] = [state ?? null];
  for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
    if (seen.size + pending.length > maxPackedValues) return [];
    if (isTensorLike(value)) tensors.push(value);
    else if (!seen.has(value)) pending.push(...childValues(value).reverse());
    seen.add(value);
  }
  return tensors;
}

/** Says whether a value holds a tensor at any depth. Each object is looked into once, for whoever comes first. */
function createTensorSearch(): (value: PickleValue) => boolean {
  const seen = new Set<PickleValue>();
  return (root) => {
    const pending = [root];
    for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
      if (isTensorLike(value)) return true;
      if (seen.has(value)) continue;
      seen.add(value);
      for (const inner of childValues(value)) pending.push(inner);
    }
    return false;
  };
}

function childValues(value: PickleValue): PickleValue[] {
  return childPlaces({ path: "", value }).map((child) => child.value);
}

function describe(value: PickleValue): string {
  return isScriptObject(value) && isKind(value.callable, "global")
    ? `an object of the class ${value.callable.name}`
    : describeValue(value);
}
