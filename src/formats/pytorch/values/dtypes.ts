import type { DType } from "../../../core/dtype.ts";

/** An element type as PyTorch has it. */
export interface TorchDType {
  /** The name in `torch.`: `float32`. */
  readonly name: string;
  readonly dtype: DType;
  /** Bytes of one element of a torch tensor; a `_x2` element is a byte that holds two. */
  readonly itemBytes: number;
  /** How many elements of `dtype` one torch element holds, along the last dimension. */
  readonly packed: number;
  /** Name of the class of its typed storages; newer types have none. */
  readonly storageClass?: string | undefined;
}

function plain(name: string, dtype: DType, itemBytes: number, storageClass?: string): TorchDType {
  return { name, dtype, itemBytes, packed: 1, storageClass };
}

const torchDTypes: readonly TorchDType[] = [
  plain("bool", "BOOL", 1, "BoolStorage"),
  plain("uint8", "U8", 1, "ByteStorage"),
  plain("int8", "I8", 1, "CharStorage"),
  plain("int16", "I16", 2, "ShortStorage"),
  plain("int32", "I32", 4, "IntStorage"),
  plain("int64", "I64", 8, "LongStorage"),
  plain("uint16", "U16", 2),
  plain("uint32", "U32", 4),
  plain("uint64", "U64", 8),
  plain("float16", "F16", 2, "HalfStorage"),
  plain("bfloat16", "BF16", 2, "BFloat16Storage"),
  plain("float32", "F32", 4, "FloatStorage"),
  plain("float64", "F64", 8, "DoubleStorage"),
  plain("complex32", "C32", 4),
  plain("complex64", "C64", 8, "ComplexFloatStorage"),
  plain("complex128", "C128", 16, "ComplexDoubleStorage"),
  plain("float8_e4m3fn", "F8_E4M3", 1),
  plain("float8_e5m2", "F8_E5M2", 1),
  plain("float8_e4m3fnuz", "F8_E4M3FNUZ", 1),
  plain("float8_e5m2fnuz", "F8_E5M2FNUZ", 1),
  plain("float8_e8m0fnu", "F8_E8M0", 1),
  { name: "float4_e2m1fn_x2", dtype: "F4", itemBytes: 1, packed: 2 },
  // Quantized types: their integers, which only a quantizer gives a meaning. Last, so that plain types are found first.
  plain("qint8", "I8", 1, "QInt8Storage"),
  plain("quint8", "U8", 1, "QUInt8Storage"),
  plain("qint32", "I32", 4, "QInt32Storage"),
];

/** By the name of the global `torch.<name>`, which is how `_rebuild_tensor_v3` gives a dtype. */
export const torchDTypeByName: ReadonlyMap<string, TorchDType> = new Map(
  torchDTypes.map((type) => [type.name, type]),
);

/** Storage classes that only libtorch's pickler names; Python has none of them (FORMAT.md, "TorchScript"). */
const scriptStorageClasses = new Map([
  ["uint16", "UInt16Storage"],
  ["uint32", "UInt32Storage"],
  ["uint64", "UInt64Storage"],
  ["complex32", "ComplexHalfStorage"],
  ["float8_e4m3fn", "Float8_e4m3fnStorage"],
  ["float8_e5m2", "Float8_e5m2Storage"],
  ["float8_e4m3fnuz", "Float8_e4m3fnuzStorage"],
  ["float8_e5m2fnuz", "Float8_e5m2fnuzStorage"],
  ["float8_e8m0fnu", "Float8_e8m0fnuStorage"],
  ["float4_e2m1fn_x2", "Float4_e2m1fn_x2Storage"],
]);

/** By the name of the storage class in a persistent id (FORMAT.md, "Storages"). */
export const torchDTypeByStorageClass: ReadonlyMap<string, TorchDType> = new Map(
  torchDTypes.flatMap((type) => {
    const storageClass = type.storageClass ?? scriptStorageClasses.get(type.name);
    return storageClass === undefined ? [] : [[storageClass, type] as const];
  }),
);

/** The torch type that holds one of ours, if there is one. */
export function torchDTypeFor(dtype: DType): TorchDType | undefined {
  return torchDTypes.find((type) => type.dtype === dtype);
}
