import type { DType } from "../../core/dtype.ts";
import { ConvertError } from "../../core/errors.ts";

/** libtorch's numbers of element types (c10/core/ScalarType.h); programs have them as plain ints. */
const byCode: ReadonlyMap<number, DType> = new Map<number, DType>([
  [0, "U8"],
  [1, "I8"],
  [2, "I16"],
  [3, "I32"],
  [4, "I64"],
  [5, "F16"],
  [6, "F32"],
  [7, "F64"],
  [9, "C64"],
  [10, "C128"],
  [11, "BOOL"],
  [15, "BF16"],
  [23, "F8_E5M2"],
  [24, "F8_E4M3"],
  [27, "U16"],
  [28, "U32"],
  [29, "U64"],
]);

const codes: ReadonlyMap<DType, number> = new Map([...byCode].map(([code, dtype]) => [dtype, code]));

/** The dtype of a program's number; throws kind `unsupported` for quantized and unknown ones. */
export function dtypeOfCode(code: number): DType {
  const dtype = byCode.get(code);
  if (dtype === undefined)
    throw new ConvertError(
      "unsupported",
      `the program uses the dtype number ${code}, which is not supported`,
    );
  return dtype;
}

/** The number that a program has for a dtype. */
export function codeOfDType(dtype: DType): bigint {
  return BigInt(codes.get(dtype) ?? -1);
}
