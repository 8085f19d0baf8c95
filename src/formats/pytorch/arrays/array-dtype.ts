import { isGlobal, isKind, type PickleValue } from "../../../containers/pickle/values.ts";
import type { ByteOrder } from "../values/byte-order.ts";
import { type TorchDType, torchDTypeByName } from "../values/dtypes.ts";

/** An element type of NumPy as a pickle has it. */
export interface ArrayDType {
  /** As NumPy spells it, with the byte order: `<f4`, `O8`, `bfloat16`. */
  readonly name: string;
  /** The type of torch with the same elements; `undefined` where it has none. */
  readonly type: TorchDType | undefined;
  readonly order: ByteOrder;
}

/** By NumPy's letter and the bytes of an element. */
const torchNames: ReadonlyMap<string, string> = new Map([
  ["b1", "bool"],
  ["u1", "uint8"],
  ["u2", "uint16"],
  ["u4", "uint32"],
  ["u8", "uint64"],
  ["i1", "int8"],
  ["i2", "int16"],
  ["i4", "int32"],
  ["i8", "int64"],
  ["f2", "float16"],
  ["f4", "float32"],
  ["f8", "float64"],
  ["c8", "complex64"],
  ["c16", "complex128"],
]);

/** Classes of the package ml_dtypes, as JAX has them, that torch calls the same; its smaller types fill a byte each. */
const extensionName = /^(bfloat16|float8_(e4m3fn|e5m2|e4m3fnuz|e5m2fnuz|e8m0fnu))$/;

/** What `numpy.dtype(code, …)` with the state `(version, order, …)` means; `undefined` for anything else (FORMAT.md, "NumPy arrays"). */
export function arrayDType(value: PickleValue | undefined): ArrayDType | undefined {
  if (!isKind(value, "call") || !isGlobal(value.callable, "numpy", "dtype") || !isKind(value.args, "tuple"))
    return undefined;
  const [code] = value.args.items;
  const mark = isKind(value.state, "tuple") ? value.state.items[1] : undefined;
  const order = mark === ">" ? "big" : "little";
  if (isKind(code, "global")) {
    const known = /^ml_dtypes\b/.test(code.module) && extensionName.test(code.name);
    return { name: code.name, type: known ? torchDTypeByName.get(code.name) : undefined, order };
  }
  if (typeof code !== "string") return undefined;
  const name = mark === "<" || mark === ">" ? mark + code : code;
  return { name, type: torchDTypeByName.get(torchNames.get(code) ?? ""), order };
}
