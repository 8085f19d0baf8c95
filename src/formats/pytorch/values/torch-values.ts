import {
  isGlobal,
  isKind,
  type PickleCall,
  type PickleHost,
  type PickleValue,
} from "../../../containers/pickle/values.ts";
import type { ByteSource } from "../../../core/source.ts";
import type { TorchDType } from "./dtypes.ts";
import type { LazyBits } from "./lazy-bits.ts";

/** A storage that a pickle refers to: a run of bytes that tensors show parts of. */
export interface TorchStorage {
  readonly type: "storage";
  readonly key: string;
  /** The element type of a typed storage; an untyped one counts bytes and leaves the type to its tensors. */
  readonly dtype: TorchDType | undefined;
  readonly source: ByteSource;
}

/** A tensor as a pickle describes it; offset and strides count elements, and are unchecked until it is opened. */
export interface TorchTensor {
  readonly type: "tensor";
  readonly storage: TorchStorage;
  readonly dtype: TorchDType;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly bits?: LazyBits | undefined;
  readonly quantizer?: Quantizer | undefined;
}

/** How the integers of a quantized tensor stand for numbers: `(integer - zeroPoint) * scale`. */
export type Quantizer =
  | { readonly scale: number; readonly zeroPoint: number }
  /** One pair for each slice along `axis`. */
  | { readonly scales: TorchTensor; readonly zeroPoints: TorchTensor; readonly axis: number };

/** A tensor of which only some elements are stored. */
export interface TorchSparse {
  readonly type: "sparse";
  readonly layout: SparseLayout;
  readonly shape: readonly number[];
  /** COO: indices of shape [dimensions, count]. Else the compressed pointers, then the plain indices. */
  readonly indices: readonly TorchTensor[];
  readonly values: TorchTensor;
}

/** The layouts of torch, by the names in `torch.` without `sparse_`. */
export type SparseLayout = "coo" | "csr" | "csc" | "bsr" | "bsc";

/** Elements of a NumPy array as they lie in the pickle. */
export interface ArrayBytes {
  readonly type: "array-bytes";
  readonly source: ByteSource;
  /** Whether each byte was written as the character of that number, in UTF-8. */
  readonly isText: boolean;
}

/** What should be a tensor and cannot be. */
export interface UnreadTensor {
  readonly type: "unread";
  /** The end of a sentence that starts with its name. */
  readonly problem: string;
}

/** A legacy stream within a pickle, left where it is. */
export interface StreamBytes {
  readonly type: "stream-bytes";
  /** Its pickles, without the elements behind them. */
  readonly head: Uint8Array;
  /** What it holds. */
  readonly storage: PickleHost;
}

type HostValue = TorchStorage | TorchTensor | TorchSparse | ArrayBytes | StreamBytes | UnreadTensor;

/** A value that stands in a pickle for one of ours. */
export function host(value: HostValue): PickleHost {
  return { kind: "host", value, state: undefined };
}

function hostOf<Type extends HostValue["type"]>(
  value: PickleValue | undefined,
  type: Type,
): Extract<HostValue, { readonly type: Type }> | undefined {
  if (!isKind(value, "host")) return undefined;
  const inner = value.value as HostValue;
  return inner.type === type ? (inner as Extract<HostValue, { readonly type: Type }>) : undefined;
}

/** The tensor that a value is, if it is one, in whatever way its release of torch put it. */
export function asTensor(value: PickleValue | undefined): TorchTensor | undefined {
  const stored = dataOf(value);
  if (isKind(stored, "call")) return tensorOfFirstReleases(stored);
  return hostOf(stored, "tensor");
}

/** Parameters of 0.2 and 0.3 carry their data in BUILD: (data, grad, hooks, requires_grad, volatile). */
function dataOf(value: PickleValue | undefined): PickleValue | undefined {
  const state = isKind(value, "host") ? value.state : undefined;
  return isKind(state, "tuple") && state.items.length === 5 ? state.items[0] : value;
}

/** Releases before 0.2 made an empty tensor and set it by BUILD: (storage, offset, size, strides). */
function tensorOfFirstReleases({ callable, state }: PickleCall): TorchTensor | undefined {
  if (!isKind(callable, "global") || !/^torch(\.cuda)?$/.test(callable.module)) return undefined;
  if (!/^[A-Z][a-zA-Z]*Tensor$/.test(callable.name) || !isKind(state, "tuple")) return undefined;
  const [storageValue, offset, shapeValue, stridesValue] = state.items;
  const storage = asStorage(storageValue);
  const shape = sizesOf(shapeValue);
  const strides = sizesOf(stridesValue);
  if (storage?.dtype === undefined || typeof offset !== "number" || offset < 0) return undefined;
  if (shape === undefined || strides === undefined || shape.length !== strides.length) return undefined;
  return { type: "tensor", storage, dtype: storage.dtype, offset, shape, strides };
}

/** torch itself stops at 64; a longer tuple, recalled for every tensor, would only cost time. */
const maxRank = 1000;

/** Sizes or strides, which come as a tuple, a list, or `torch.Size(tuple)`; `undefined` for anything else. */
export function sizesOf(value: PickleValue | undefined): readonly number[] | undefined {
  if (isKind(value, "call")) {
    const isSize = isGlobal(value.callable, "torch", "Size") && isKind(value.args, "tuple");
    const inner = isSize ? value.args.items[0] : undefined;
    return isKind(inner, "call") ? undefined : sizesOf(inner);
  }
  if (!isKind(value, "tuple") && !isKind(value, "list")) return undefined;
  const items: readonly PickleValue[] = value.items;
  if (items.length > maxRank) return undefined;
  return items.every((item) => typeof item === "number" && item >= 0)
    ? (items as readonly number[])
    : undefined;
}

/** The sparse tensor that a value is, if it is one. */
export function asSparse(value: PickleValue | undefined): TorchSparse | undefined {
  return hostOf(value, "sparse");
}

/** The bytes of an array that a value is, if it is that. */
export function asArrayBytes(value: PickleValue | undefined): ArrayBytes | undefined {
  return hostOf(value, "array-bytes");
}

/** The stream that a value is, if it is one that was left in its file. */
export function asStreamBytes(value: PickleValue | undefined): StreamBytes | undefined {
  return hostOf(value, "stream-bytes");
}

/** What is wrong with a value that should be a tensor, where a reader has said so. */
export function problemOf(value: PickleValue | undefined): string | undefined {
  return hostOf(value, "unread")?.problem;
}

/** The storage that a value is, if it is one. */
export function asStorage(value: PickleValue | undefined): TorchStorage | undefined {
  return hostOf(value, "storage");
}
