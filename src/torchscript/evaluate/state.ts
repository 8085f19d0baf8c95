import { ConvertError } from "../../core/errors.ts";
import type { Operand } from "../emit/operand.ts";
import { read, type Storage, sharersOf, type Tensor } from "../values/tensor.ts";
import {
  type DictValue,
  isA,
  type ListValue,
  type ObjectValue,
  refillList,
  type TupleValue,
  type Value,
} from "../values/value.ts";
import type { Frame } from "./evaluate-expression.ts";

/** What a tensor and its storage hold at a moment. */
interface TensorState {
  readonly held: Operand;
  readonly version: number;
}

interface StorageState {
  readonly version: number;
  readonly stale: string | undefined;
}

/**
 * Everything that a stretch of a program could change: the variables of its function, and all lists, dicts, objects and
 * tensors that can be reached from them. What it makes anew is not in here.
 */
export interface State {
  readonly variables: ReadonlyMap<string, Value>;
  readonly lists: ReadonlyMap<ListValue, readonly Value[]>;
  readonly dicts: ReadonlyMap<DictValue, ReadonlyMap<unknown, readonly [Value, Value]>>;
  readonly objects: ReadonlyMap<ObjectValue, ReadonlyMap<string, Value>>;
  readonly tensors: ReadonlyMap<Tensor, TensorState>;
  readonly storages: ReadonlyMap<Storage, StorageState>;
}

interface Places {
  readonly tuples: Set<TupleValue>;
  readonly lists: Set<ListValue>;
  readonly dicts: Set<DictValue>;
  readonly objects: Set<ObjectValue>;
  readonly tensors: Set<Tensor>;
  readonly storages: Set<Storage>;
}

/** The state that can be reached from a frame. */
export function captureState(frame: Frame): State {
  const places: Places = {
    tuples: new Set(),
    lists: new Set(),
    dicts: new Set(),
    objects: new Set(),
    tensors: new Set(),
    storages: new Set(),
  };
  const open: Value[] = [...frame.variables.values()];
  for (let value = open.pop(); value !== undefined; value = open.pop())
    for (const inner of visit(places, value)) open.push(inner);
  return stateOf(frame, places);
}

/** What the places of an earlier state hold now. */
export function sameState(frame: Frame, earlier: State): State {
  const { lists, dicts, objects, tensors, storages } = earlier;
  return stateOf(frame, {
    tuples: new Set(),
    lists: new Set(lists.keys()),
    dicts: new Set(dicts.keys()),
    objects: new Set(objects.keys()),
    tensors: new Set(tensors.keys()),
    storages: new Set(storages.keys()),
  });
}

function stateOf(frame: Frame, places: Places): State {
  const entries = <K, V>(keys: Set<K>, hold: (key: K) => V): ReadonlyMap<K, V> =>
    new Map([...keys].map((key) => [key, hold(key)] as const));
  return {
    variables: new Map(frame.variables),
    lists: entries(places.lists, ({ items }) => [...items]),
    dicts: entries(places.dicts, (dict) => new Map(dict.entries)),
    objects: entries(places.objects, ({ attributes }) => new Map(attributes)),
    tensors: entries(places.tensors, ({ held, version }) => ({ held, version })),
    storages: entries(places.storages, ({ version, stale }) => ({ version, stale })),
  };
}

/** Notes a value among the places, and gives what can be reached from it; nothing where it is known. */
function visit(places: Places, value: Value): readonly Value[] {
  if (isA(value, "list") && value.stacked !== undefined) return [];
  if (isA(value, "list")) return isNew(places.lists, value) ? value.items : [];
  if (isA(value, "tuple")) return isNew(places.tuples, value) ? value.items : [];
  if (isA(value, "function")) return [...(value.captured?.values() ?? [])];
  if (isA(value, "dict"))
    return isNew(places.dicts, value) ? [...value.entries.values()].map((entry) => entry[1]) : [];
  if (isA(value, "object")) return isNew(places.objects, value) ? [...value.attributes.values()] : [];
  if (!isA(value, "tensor") || !isNew(places.tensors, value)) return [];
  visitStorage(places, value.storage);
  return value.view === undefined ? [] : [value.view.base];
}

function visitStorage(places: Places, storage: Storage): void {
  if (!isNew(places.storages, storage)) return;
  for (const other of sharersOf(storage)) visitStorage(places, other);
}

function isNew<T>(set: Set<T>, item: T): boolean {
  if (set.has(item)) return false;
  set.add(item);
  return true;
}

/** Puts everything back to an earlier state. */
export function restoreState(frame: Frame, state: State): void {
  refill(frame.variables, state.variables);
  for (const [list, items] of state.lists) refillList(list, items);
  for (const [dict, entries] of state.dicts) refill(dict.entries, entries);
  for (const [object, attributes] of state.objects) refill(object.attributes, attributes);
  for (const [tensor, { held, version }] of state.tensors) Object.assign(tensor, { held, version });
  for (const [storage, { version, stale }] of state.storages) Object.assign(storage, { version, stale });
}

function refill<K, V>(map: Map<K, V>, entries: ReadonlyMap<K, V>): void {
  map.clear();
  for (const [key, value] of entries) map.set(key, value);
}

/** What a tensor holds in a state that is not the present one, which is `present` for its storage. */
export function readIn(state: State, present: State, tensor: Tensor): Operand {
  const { storage } = tensor;
  if (state.storages.get(storage)?.version === present.storages.get(storage)?.version) return read(tensor);
  setStorage(state, storage);
  try {
    return read(tensor);
  } finally {
    setStorage(present, storage);
  }
}

function setStorage(state: State, storage: Storage): void {
  Object.assign(storage, state.storages.get(storage));
  for (const [tensor, held] of state.tensors) if (tensor.storage === storage) Object.assign(tensor, held);
}

/** The tensor that shows the whole of a storage. Throws kind `unsupported` where none does. */
export function ownerOf(state: State, storage: Storage): Tensor {
  for (const tensor of state.tensors.keys())
    if (tensor.storage === storage && tensor.view === undefined) return tensor;
  throw new ConvertError(
    "unsupported",
    "a branch or a loop that data decide writes to memory that no tensor owns",
  );
}
