import { encodePickle } from "../../../containers/pickle/encode.ts";
import { isKind, type PickleTuple, type PickleValue } from "../../../containers/pickle/values.ts";
import type { RunContext } from "../../../core/context.ts";
import type { TensorDict } from "../../../core/dict.ts";
import { ConvertError } from "../../../core/errors.ts";
import { checkLimit } from "../../../core/limits.ts";
import type { LazyTensor } from "../../../core/tensor.ts";
import { openTensor } from "../tensors/open-tensor.ts";
import { type TorchDType, torchDTypeByName } from "../values/dtypes.ts";
import { asStorage, sizesOf, type TorchStorage, type TorchTensor } from "../values/torch-values.ts";
import { childPlaces, type PlacedValue } from "./reachable.ts";

/** Metadata key under which the rest of a checkpoint travels: a pickle in base64, its tensors replaced by their names. */
export const objectKey = "tensorferry.object";

/** In the place of a storage class: an untyped storage that stands by itself. */
export const untypedMark = "UntypedStorage";

/** First item of the persistent id that stands for a tensor: `(mark, name, storage class)`. */
export const tensorMark = "tensorferry";

/**
 * A whole checkpoint as one dict: every tensor under its dotted path, and the object around them as metadata, so that
 * `write.ts` can put it together again. The pickle must have been read without folding its calls. Nothing is lost:
 * classes, calls and strings stay the inert records that they were, and are only written, never run.
 */
export function wholeObject(root: PickleValue, file: string, context: RunContext): TensorDict {
  const tensors = new Map<string, LazyTensor>();
  const standIns = new Map<PickleValue, PickleValue>();
  for (const { path, value } of tensorTuples(root)) {
    if (standIns.has(value)) continue;
    const name = freeName(path === "" ? "tensor" : path, tensors);
    const tensor = isKind(value, "tuple") ? strided(value, name, file) : bareStorage(value);
    tensors.set(name, openTensor(name, tensor, file, context));
    checkLimit(context.limits, "entries", tensors.size, "the number of tensors", { file });
    const { dtype } = tensor.storage;
    if (isKind(value, "tuple")) {
      const id = standIn(name, dtype?.storageClass ?? null);
      standIns.set(value, { kind: "tuple", items: [id, ...value.items.slice(4)] });
    } else standIns.set(value, standIn(name, dtype?.storageClass ?? untypedMark));
  }
  const pickle = encodePickle(root, (value) => standIns.get(value));
  return {
    tensors,
    metadata: new Map([[objectKey, toBase64(pickle)]]),
    aliases: new Map(),
    leftovers: [],
    extras: new Map(),
  };
}

function standIn(name: string, storageClass: string | null): PickleValue {
  return { kind: "persistent", id: { kind: "tuple", items: [tensorMark, name, storageClass] } };
}

/** A storage that stands by itself, as a tensor of all its elements. */
function bareStorage(value: PickleValue): TorchTensor {
  const storage = asStorage(value) as TorchStorage;
  const dtype = storage.dtype ?? (torchDTypeByName.get("uint8") as TorchDType);
  const count = storage.source.size / dtype.itemBytes;
  return { type: "tensor", storage, dtype, offset: 0, shape: [count], strides: [1] };
}

/** Arguments `(storage, offset, size, stride, …)`, which every call that makes a strided tensor starts with. */
function isTensorTuple(value: PickleValue): value is PickleTuple {
  if (!isKind(value, "tuple") || asStorage(value.items[0]) === undefined) return false;
  const [, offset, size, stride] = value.items;
  return typeof offset === "number" && sizesOf(size) !== undefined && sizesOf(stride) !== undefined;
}

/** The tensors of an object in order, each container entered once. */
function* tensorTuples(root: PickleValue): Iterable<PlacedValue> {
  const seen = new Set<PickleValue>();
  const pending: PlacedValue[] = [{ path: "", value: root }];
  for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
    const { value } = place;
    if (isTensorTuple(value)) {
      yield place;
      // Quantizers have tensors of their own.
      for (const rest of value.items.slice(4)) pending.push({ path: place.path, value: rest });
      continue;
    }
    if (typeof value !== "object" || value === null || seen.has(value)) continue;
    seen.add(value);
    if (asStorage(value)) yield place;
    for (const child of namedChildren(place).reverse()) pending.push(child);
  }
}

/** The arguments of torch's own calls add nothing to a path: a parameter is found where the call stands. */
function namedChildren(place: PlacedValue): PlacedValue[] {
  const { path, value } = place;
  const callable = isKind(value, "call") ? value.callable : undefined;
  if (isKind(callable, "global") && /^torch\.(_utils|_tensor|nn\.parameter)$/.test(callable.module)) {
    return childPlaces(place).flatMap((child) => flattened({ path, value: child.value }));
  }
  return childPlaces(place);
}

function flattened({ path, value }: PlacedValue): PlacedValue[] {
  const items: readonly PickleValue[] | undefined = isKind(value, "tuple") ? value.items : undefined;
  return items === undefined || isTensorTuple(value)
    ? [{ path, value }]
    : items.map((item) => ({ path, value: item }));
}

function freeName(path: string, taken: ReadonlyMap<string, unknown>): string {
  let name = path;
  for (let number = 2; taken.has(name); number++) name = `${path}#${number}`;
  return name;
}

/** The tensor that a tuple of arguments describes; a dtype stands among the rest where the storage has none. */
function strided({ items }: PickleTuple, name: string, file: string): TorchTensor {
  const storage = asStorage(items[0]);
  const named = items.slice(4).find((item) => isKind(item, "global") && item.module === "torch");
  const dtype = storage?.dtype ?? (isKind(named, "global") ? torchDTypeByName.get(named.name) : undefined);
  const shape = sizesOf(items[2]);
  const strides = sizesOf(items[3]);
  if (
    storage === undefined ||
    dtype === undefined ||
    shape === undefined ||
    strides?.length !== shape.length
  ) {
    throw new ConvertError("unsupported", `"${name}" is a kind of tensor that is not read`, {
      file,
      tensor: name,
    });
  }
  return { type: "tensor", storage, dtype, offset: items[1] as number, shape, strides };
}

function toBase64(bytes: Uint8Array): string {
  const parts: string[] = [];
  // A multiple of three, so that the parts can be joined.
  for (let at = 0; at < bytes.length; at += 24_576) {
    parts.push(btoa(String.fromCharCode(...bytes.subarray(at, at + 24_576))));
  }
  return parts.join("");
}
