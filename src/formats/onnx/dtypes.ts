import type { DType } from "../../core/dtype.ts";
import { tensorField } from "./schema.ts";

/** An element type of ONNX. */
export interface OnnxDType {
  /** `TensorProto.DataType`. */
  readonly code: number;
  /** The name in the specification: `FLOAT8E4M3FN`. */
  readonly name: string;
  readonly dtype: DType;
  /** Number of the field that holds its values where they are not in `raw_data` (FORMAT.md, "Types"). */
  readonly field: number;
  /** The first IR version that has it. */
  readonly irVersion: number;
}

const { floatData, int32Data, int64Data, doubleData, uint64Data } = tensorField;

function type(code: number, name: string, dtype: DType, field: number, irVersion = 3): OnnxDType {
  return { code, name, dtype, field, irVersion };
}

/** Every type that holds numbers; strings (8) have no counterpart here. */
const onnxDTypes: readonly OnnxDType[] = [
  type(1, "FLOAT", "F32", floatData),
  type(2, "UINT8", "U8", int32Data),
  type(3, "INT8", "I8", int32Data),
  type(4, "UINT16", "U16", int32Data),
  type(5, "INT16", "I16", int32Data),
  type(6, "INT32", "I32", int32Data),
  type(7, "INT64", "I64", int64Data),
  type(9, "BOOL", "BOOL", int32Data),
  type(10, "FLOAT16", "F16", int32Data),
  type(11, "DOUBLE", "F64", doubleData),
  type(12, "UINT32", "U32", uint64Data),
  type(13, "UINT64", "U64", uint64Data),
  type(14, "COMPLEX64", "C64", floatData),
  type(15, "COMPLEX128", "C128", doubleData),
  type(16, "BFLOAT16", "BF16", int32Data, 4),
  type(17, "FLOAT8E4M3FN", "F8_E4M3", int32Data, 9),
  type(18, "FLOAT8E4M3FNUZ", "F8_E4M3FNUZ", int32Data, 9),
  type(19, "FLOAT8E5M2", "F8_E5M2", int32Data, 9),
  type(20, "FLOAT8E5M2FNUZ", "F8_E5M2FNUZ", int32Data, 9),
  type(21, "UINT4", "U4", int32Data, 10),
  type(22, "INT4", "I4", int32Data, 10),
  type(23, "FLOAT4E2M1", "F4", int32Data, 11),
  type(24, "FLOAT8E8M0", "F8_E8M0", int32Data, 12),
  type(25, "UINT2", "U2", int32Data, 13),
  type(26, "INT2", "I2", int32Data, 13),
  type(27, "FLOAT6E2M3", "F6_E2M3", int32Data, 14),
  type(28, "FLOAT6E3M2", "F6_E3M2", int32Data, 14),
];

/** By its code. */
export const onnxDTypeByCode: ReadonlyMap<number, OnnxDType> = new Map(
  onnxDTypes.map((type) => [type.code, type]),
);

/** The type for one of ours, if ONNX has it. */
export const onnxDTypeFor: ReadonlyMap<DType, OnnxDType> = new Map(
  onnxDTypes.map((type) => [type.dtype, type]),
);
