import type { DType } from "../../core/dtype.ts";

/** An element type as PyTorch has it. */
export interface TorchDType {
  /** The name in `torch.`: `float32`. */
  readonly name: string;
  readonly dtype: DType;
  /** Bytes of one element of a torch tensor; a `_x2` element is a byte that holds two. */
  readonly itemBytes: number;
  /** How many elements of `dtype` one torch element holds, along the last dimension. */
  readonly packed: number;
}

function plain(name: string, dtype: DType, itemBytes: number): TorchDType {
  return { name, dtype, itemBytes, packed: 1 };
}

const torchDTypes: readonly TorchDType[] = [
  plain("bool", "BOOL", 1),
  plain("uint8", "U8", 1),
  plain("int8", "I8", 1),
  plain("int16", "I16", 2),
  plain("int32", "I32", 4),
  plain("int64", "I64", 8),
  plain("uint16", "U16", 2),
  plain("uint32", "U32", 4),
  plain("uint64", "U64", 8),
  plain("float16", "F16", 2),
  plain("bfloat16", "BF16", 2),
  plain("float32", "F32", 4),
  plain("float64", "F64", 8),
  plain("complex32", "C32", 4),
  plain("complex64", "C64", 8),
  plain("complex128", "C128", 16),
  plain("float8_e4m3fn", "F8_E4M3", 1),
  plain("float8_e5m2", "F8_E5M2", 1),
  plain("float8_e4m3fnuz", "F8_E4M3FNUZ", 1),
  plain("float8_e5m2fnuz", "F8_E5M2FNUZ", 1),
  plain("float8_e8m0fnu", "F8_E8M0", 1),
  { name: "float4_e2m1fn_x2", dtype: "F4", itemBytes: 1, packed: 2 },
];

/** By the name of the global `torch.<name>`, which is how `_rebuild_tensor_v3` gives a dtype. */
export const torchDTypeByName: ReadonlyMap<string, TorchDType> = new Map(
  torchDTypes.map((type) => [type.name, type]),
);

const storageClasses: Readonly<Record<string, string>> = {
  BoolStorage: "bool",
  ByteStorage: "uint8",
  CharStorage: "int8",
  ShortStorage: "int16",
  IntStorage: "int32",
  LongStorage: "int64",
  HalfStorage: "float16",
  BFloat16Storage: "bfloat16",
  FloatStorage: "float32",
  DoubleStorage: "float64",
  ComplexFloatStorage: "complex64",
  ComplexDoubleStorage: "complex128",
};

/** By the name of the storage class in a persistent id (FORMAT.md, "Storages"). */
export const torchDTypeByStorageClass: ReadonlyMap<string, TorchDType> = new Map(
  Object.entries(storageClasses).map(([name, dtype]) => [name, torchDTypeByName.get(dtype) as TorchDType]),
);
