import type { DType } from "./dtype.ts";
import type { ByteSource } from "./source.ts";

/** What is known of a tensor without its bytes. */
export interface TensorInfo {
  readonly dtype: DType;
  /** Row-major extents; `[]` is a scalar with one element. Sub-byte types count elements, not bytes. */
  readonly shape: readonly number[];
}

/** Which bytes of which storage a tensor shows, and in which order. Tensors with equal views are tied. */
export interface StorageView {
  /** Identifies the storage within one dict. */
  readonly storage: string;
  /** The whole storage, little-endian. */
  readonly source: ByteSource;
  /** First byte the tensor touches, within the storage. */
  readonly start: number;
  /** Past the last byte it touches. */
  readonly end: number;
  /** Distance between neighbours of each dimension, in elements; as long as `shape` is in the file. */
  readonly strides: readonly number[];
  /** Whether the elements lie in the storage as the payload has them: row-major, without gaps. */
  readonly contiguous: boolean;
}

/** The strides of a tensor whose elements lie row-major, without gaps: in elements, and as torch has them where an extent is 0. */
export function rowMajorStrides(shape: readonly number[]): readonly number[] {
  const strides: number[] = new Array(shape.length);
  let step = 1;
  for (let index = shape.length - 1; index >= 0; index--) {
    strides[index] = step;
    step *= Math.max(1, shape[index] as number);
  }
  return strides;
}

/** A tensor whose bytes stay where they are until someone pulls them. */
export interface LazyTensor extends TensorInfo {
  /** The elements: contiguous, row-major, little-endian. */
  readonly payload: ByteSource;
  /** Set where the input has storages that tensors can share. */
  readonly view?: StorageView | undefined;
  /** Set where the elements are the integers of a quantized tensor. */
  readonly quantization?: Quantization | undefined;
  /** Set where it only says how another tensor's integers are meant; it means nothing once the numbers are there. */
  readonly partOf?: Quantization | undefined;
  /** Set where writing it would change what it is, so that somebody has to allow it. */
  readonly permission?: Permission | undefined;
}

/** How the integers of a quantized tensor stand for numbers: `(integer - zeroPoint) * scale`. */
export interface Quantization {
  /** One scale, or one for each slice along `axis`; F64 or F32. */
  readonly scale: LazyTensor;
  /** As many; I64, or F32 where they are no integers. */
  readonly zeroPoint: LazyTensor;
  readonly axis?: number | undefined;
}

/** A change that has to be allowed by a word: `--allow densify`. */
export interface Permission {
  readonly word: string;
  /** What would happen, as the end of a sentence that starts with the tensor. */
  readonly change: string;
}
