import { isKind, type PickleHost, type PickleValue } from "../../containers/pickle/values.ts";
import type { ByteSource } from "../../core/source.ts";
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
}

/** A value that stands in a pickle for one of ours. */
export function host(value: TorchStorage | TorchTensor): PickleHost {
  return { kind: "host", value, state: undefined };
}

/** The tensor that a value is, if it is one. */
export function asTensor(value: PickleValue | undefined): TorchTensor | undefined {
  if (!isKind(value, "host")) return undefined;
  const inner = value.value as TorchStorage | TorchTensor;
  return inner.type === "tensor" ? inner : undefined;
}

/** The storage that a value is, if it is one. */
export function asStorage(value: PickleValue | undefined): TorchStorage | undefined {
  if (!isKind(value, "host")) return undefined;
  const inner = value.value as TorchStorage | TorchTensor;
  return inner.type === "storage" ? inner : undefined;
}
