import {
  PickleDict,
  type PickleGlobal,
  type PickleHost,
  type PickleValue,
} from "../../../containers/pickle/values.ts";
import type { TensorDict } from "../../../core/dict.ts";
import type { StateDictExtras } from "../objects/module-versions.ts";
import type { Placement, PlannedStorage } from "./storage-plan.ts";

/** A state dict whose tensors are placements, and what makes calls of them one by one. */
export interface PickledStateDict {
  readonly root: PickleValue;
  expand(value: PickleHost): PickleValue;
}

/** The object that `torch.save(model.state_dict())` would pickle: an OrderedDict of tensors, in order. */
export function pickleStateDict(
  dict: TensorDict,
  placements: ReadonlyMap<string, Placement>,
): PickledStateDict {
  const entries = new PickleDict();
  const globals = createGlobals();
  const noHooks = orderedDict(globals, undefined, undefined);
  for (const [name, placement] of placements)
    entries.set(name, { kind: "host", value: placement, state: undefined });
  return {
    root: orderedDict(globals, entries, attributes(dict)),
    expand: ({ value }) => rebuildCall(value as Placement, globals, noHooks),
  };
}

/** Attributes of the state dict itself, which `load_state_dict` asks for its version numbers. */
function attributes(dict: TensorDict): PickleValue | undefined {
  const versions = (dict.extras.get("pytorch") as StateDictExtras | undefined)?.versions;
  if (versions === undefined) return undefined;
  const state = new PickleDict();
  state.set("_metadata", versions);
  return state;
}

/** Hands out the record of a global, the same for the same name. */
export type Globals = (module: string, name: string) => PickleGlobal;

/** One record for each name, so that the encoder writes it once. */
export function createGlobals(): Globals {
  const known = new Map<string, PickleGlobal>();
  return (module, name) => {
    const key = `${module} ${name}`;
    const global = known.get(key) ?? { kind: "global", module, name };
    known.set(key, global);
    return global;
  };
}

function tuple(items: readonly PickleValue[]): PickleValue {
  return { kind: "tuple", items };
}

function call(callable: PickleGlobal, args: readonly PickleValue[]): PickleValue {
  return {
    kind: "call",
    how: "call",
    callable,
    args: tuple(args),
    kwargs: undefined,
    state: undefined,
    items: undefined,
    entries: undefined,
  };
}

function orderedDict(
  globals: Globals,
  entries: PickleDict | undefined,
  state: PickleValue | undefined,
): PickleValue {
  return {
    kind: "call",
    how: "call",
    callable: globals("collections", "OrderedDict"),
    args: tuple([]),
    kwargs: undefined,
    state,
    items: undefined,
    entries,
  };
}

/** `_rebuild_tensor_v2` where the storage has a type, `_rebuild_tensor_v3` (torch 2.2 and later) where it has none. */
function rebuildCall(placement: Placement, globals: Globals, noHooks: PickleValue): PickleValue {
  const { storage, dtype, offset, shape, strides } = placement;
  const common = [persistentStorage(storage, globals), offset, tuple(shape), tuple(strides), false, noHooks];
  if (storage.dtype) return call(globals("torch._utils", "_rebuild_tensor_v2"), common);
  return call(globals("torch._utils", "_rebuild_tensor_v3"), [...common, globals("torch", dtype.name)]);
}

/**
 * `('storage', class, key, location, count)`: elements for a typed storage, bytes for an untyped one. A quantized
 * tensor's storage has a class of its own, given by name.
 */
export function persistentStorage(
  { key, source, dtype }: PlannedStorage,
  globals: Globals,
  className: string | undefined = dtype?.storageClass,
): PickleValue {
  const storageClass =
    dtype && className ? globals("torch", className) : globals("torch.storage", "UntypedStorage");
  const count = source.size / (dtype?.itemBytes ?? 1);
  return { kind: "persistent", id: tuple(["storage", storageClass, key, "cpu", count]) };
}
