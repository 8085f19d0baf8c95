import { ConvertError } from "../../core/errors.ts";
import type { Operand } from "../emit/operand.ts";

/**
 * A tensor as the program holds it: a place that operators in place write to. What it holds at a moment is an operand,
 * which never changes.
 */
export interface Tensor {
  readonly kind: "tensor";
  readonly storage: Storage;
  /** Set for a view of another tensor. */
  readonly view: View | undefined;
  /** What it held at `version` of its storage. */
  held: Operand;
  version: number;
}

/** What tensors share that show the same memory. */
export interface Storage {
  version: number;
  /** Why what it holds is no longer certain, so that no one may read it. */
  stale: string | undefined;
  /** Storages that may be the same memory: torch copies or not, by strides that are not followed here. */
  readonly perhapsShared: Set<Storage>;
  /** This one and those that it was perhaps made of, or that were perhaps made of it, however many steps away: the one set of all of them. */
  alike: Set<Storage> | undefined;
}

/** How a view follows its base, and how writing to it changes that. */
export interface View {
  readonly base: Tensor;
  /** The operator that made it, for messages. */
  readonly operator: string;
  derive(base: Operand): Operand;
  /** The base with `value` in the view's place; `undefined` where that is not supported. */
  readonly scatter: ((base: Operand, value: Operand) => Operand) | undefined;
}

/** A tensor of its own memory that holds an operand. */
export function tensorOf(held: Operand): Tensor {
  const storage: Storage = { version: 0, stale: undefined, perhapsShared: new Set(), alike: undefined };
  return { kind: "tensor", storage, view: undefined, held, version: 0 };
}

/** A view of `base` that holds `held` now. */
export function viewOf(view: View, held: Operand): Tensor {
  const { storage } = view.base;
  return { kind: "tensor", storage, view, held, version: storage.version };
}

/** No program of a network comes near; each write goes through all of them. */
const maxAlike = 4096;

/** A tensor of its own that may share memory with `source` in torch: once one of them is written, the other cannot be read. */
export function perhapsViewOf(source: Tensor, held: Operand): Tensor {
  const made = tensorOf(held);
  const all = source.storage.alike ?? new Set([source.storage]);
  if (all.size >= maxAlike)
    throw new ConvertError("limit", `more than ${maxAlike} tensors that perhaps share one memory`);
  source.storage.alike = all;
  made.storage.alike = all.add(made.storage);
  return made;
}

/** The other storages that may be the same memory. */
export function sharersOf(storage: Storage): ReadonlySet<Storage> {
  const found = new Set<Storage>();
  for (const each of storage.alike ?? [storage]) {
    found.add(each);
    for (const other of each.perhapsShared) for (const own of other.alike ?? [other]) found.add(own);
  }
  found.delete(storage);
  return found;
}

/** What a tensor holds now. Throws kind `unsupported` where that is not certain. */
export function read(tensor: Tensor): Operand {
  const { storage, view } = tensor;
  if (storage.stale !== undefined) throw new ConvertError("unsupported", storage.stale);
  if (tensor.version === storage.version) return tensor.held;
  if (view !== undefined) tensor.held = view.derive(read(view.base));
  tensor.version = storage.version;
  return tensor.held;
}

/** Writes an operand of the tensor's own dtype and shape; everything that shows the same memory follows. */
export function write(tensor: Tensor, value: Operand, operator: string): void {
  const { storage, view } = tensor;
  if (storage.stale !== undefined) throw new ConvertError("unsupported", storage.stale);
  for (const other of sharersOf(storage)) {
    other.stale = `"${operator}" writes to a tensor that may share its memory with another one, which is read later`;
  }
  if (view === undefined) storage.version++;
  else {
    if (view.scatter === undefined) {
      throw new ConvertError(
        "unsupported",
        `"${operator}" writes through the view that "${view.operator}" made, which is not supported`,
      );
    }
    write(view.base, view.scatter(read(view.base), value), operator);
  }
  tensor.held = value;
  tensor.version = storage.version;
}
