import {
  isKind,
  type PickleCall,
  type PickleDict,
  type PickleGlobal,
  type PickleValue,
} from "../../containers/pickle/values.ts";
import type { RunContext } from "../../core/context.ts";
import type { Leftover } from "../../core/dict.ts";
import { ConvertError } from "../../core/errors.ts";
import { checkLimit } from "../../core/limits.ts";
import type { NamedValue } from "./modules.ts";
import { attributesOf, describeValue } from "./python-values.ts";
import type { ScriptClass } from "./script-classes.ts";
import { asTensor, unreadTensor } from "./torch-values.ts";

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
  for (let visit = pending.pop(); visit !== undefined; visit = pending.pop()) {
    const { module, prefix, depth } = visit;
    checkLimit(context.limits, "entries", ++visits + entries.length, "the number of modules", { file });
    if (depth > maxDepth) throw new ConvertError("malformed", "the modules nest without end", { file });
    const parts = partsOf(module, classOf);
    for (const [name, value] of parts.state) entries.push([prefix + name, value]);
    for (const [name, value] of parts.packed)
      for (const [index, tensor] of tensorsIn(value).entries())
        entries.push([`${prefix}${name}.${index}`, tensor]);
    for (const [name, value] of parts.others)
      if (holdsTensors(value)) leftovers.push({ name: prefix + name, what: describe(value) });
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
    else if (!isTensor(value)) others.push([name, value]);
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

function isTensor(value: PickleValue): boolean {
  return asTensor(value) !== undefined || unreadTensor(value) !== undefined;
}

/** Whether a value is an object of a class that the archive's code defines. */
export function isScriptObject(value: PickleValue | undefined): value is PickleCall {
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
  return type?.attributes.has("_packed_params") ? `${name}._packed_params` : name;
}

/** The tensors within a value, in order, each once. */
function tensorsIn(root: PickleValue): readonly PickleValue[] {
  const tensors: PickleValue[] = [];
  const seen = new Set<PickleValue>();
  const pending = [root];
  for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
    if (seen.has(value)) continue;
    seen.add(value);
    if (isTensor(value)) tensors.push(value);
    else pending.push(...[...insideOf(value)].reverse());
  }
  return tensors;
}

/** Says whether a value holds a tensor at any depth; each object is looked into once, whoever refers to it. */
function createTensorSearch(): (value: PickleValue) => boolean {
  const known = new Map<PickleValue, boolean>();
  return (root) => {
    const before = known.get(root);
    if (before !== undefined) return before;
    const seen = new Set<PickleValue>();
    const pending = [root];
    let found = false;
    for (let value = pending.pop(); value !== undefined && !found; value = pending.pop()) {
      if (seen.has(value)) continue;
      seen.add(value);
      found = isTensor(value) || known.get(value) === true;
      if (known.get(value) === undefined) for (const inner of insideOf(value)) pending.push(inner);
    }
    // Nothing within a value without tensors has any, so none of it is walked again.
    if (!found) for (const value of seen) known.set(value, false);
    known.set(root, found);
    return found;
  };
}

function* insideOf(value: PickleValue): Iterable<PickleValue> {
  if (isKind(value, "list") || isKind(value, "tuple")) yield* value.items;
  else if (isKind(value, "dict")) yield* valuesOf(value);
  else if (isKind(value, "call")) {
    yield value.args;
    if (value.state !== undefined) yield value.state;
    if (value.items) yield* value.items;
    if (value.entries) yield* valuesOf(value.entries);
  }
}

function* valuesOf(dict: PickleDict): Iterable<PickleValue> {
  for (const [, value] of dict.entries()) yield value;
}

/** Typed lists and dicts are wrapped in a call that only tells their type; quantized weights are packed by their class. */
function describe(value: PickleValue): string {
  if (isScriptObject(value) && isKind(value.callable, "global"))
    return `an object of the class ${value.callable.name}`;
  const wrapped =
    isKind(value, "call") &&
    isKind(value.callable, "global") &&
    value.callable.module === "torch.jit._pickle";
  const inner = wrapped && isKind(value.args, "tuple") ? value.args.items[0] : undefined;
  return describeValue(inner ?? value);
}
