import type { DType } from "../../core/dtype.ts";
import { ConvertError } from "../../core/errors.ts";
import type { Operand } from "../emit/operand.ts";
import { isQuantized } from "../emit/quantized.ts";

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

/** libtorch's numbers of the dtypes of quantized tensors, by those of their integers. */
const quantizedCodes: ReadonlyMap<DType, bigint> = new Map([
  ["I8", 12n],
  ["U8", 13n],
  ["I32", 14n],
]);

/** The dtype of the integers of a quantized tensor; throws kind `unsupported` for numbers of other dtypes. */
export function integersOfCode(code: number): DType {
  const found = [...quantizedCodes].find(([, own]) => own === BigInt(code));
  if (found !== undefined) return found[0];
  throw new ConvertError("unsupported", `a quantized tensor of the dtype number ${code}`);
}

/** The number that a program has for the dtype of a tensor. */
export function dtypeCode(operand: Operand): bigint {
  const quantized = isQuantized(operand) ? quantizedCodes.get(operand.dtype) : undefined;
  return quantized ?? codeOfDType(operand.dtype);
}

/** The number that a program has for a dtype. */
function codeOfDType(dtype: DType): bigint {
  return BigInt(codes.get(dtype) ?? -1);
}
