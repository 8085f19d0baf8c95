import type { DType } from "../../core/dtype.ts";
import { ConvertError } from "../../core/errors.ts";
import { number } from "./arithmetic.ts";
import type { GraphBuilder } from "./graph-builder.ts";
import { concat, expand, gather, unsqueeze } from "./layout.ts";
import { type Operand, scalar } from "./operand.ts";
import { categoryOf } from "./types.ts";

/** The two real tensors that a complex one consists of. */
export interface ComplexParts {
  readonly real: Operand;
  readonly imaginary: Operand;
}

/** The dtypes of complex numbers with those of their parts. */
const partTypes: Partial<Record<DType, DType>> = { C64: "F32", C128: "F64" };

/** Of which dtype the parts are; a real dtype is its own. */
export function partType(dtype: DType): DType {
  return partTypes[dtype] ?? dtype;
}

/** Whether it is complex. */
export function isComplex({ dtype }: Operand): boolean {
  return categoryOf(dtype) === "complex";
}

/** A complex tensor of two real ones of one dtype and shape. Throws kind `unsupported` for parts of other dtypes than float32 and float64. */
export function complexOf({ real, imaginary }: ComplexParts): Operand {
  const dtype = (Object.keys(partTypes) as DType[]).find((own) => partTypes[own] === real.dtype);
  if (dtype === undefined || imaginary.dtype !== real.dtype)
    throw new ConvertError("unsupported", `complex numbers of ${real.dtype} are not supported`);
  const origin = { kind: "complex", real, imaginary } as const;
  return { kind: "operand", dtype, shape: real.shape, known: undefined, origin };
}

/** The parts of a tensor; the imaginary one of a real tensor is zeros of its dtype. */
export function partsOf(builder: GraphBuilder, x: Operand): ComplexParts {
  const { origin } = x;
  if (origin.kind === "complex") return origin;
  if (!isComplex(x)) return { real: x, imaginary: expand(builder, number(x.dtype, 0), x.shape) };
  if (origin.kind !== "weight")
    throw new ConvertError("unsupported", "a complex tensor that the graph would be given");
  return pairParts(builder, weightPairs(x, origin));
}

/** Weights keep real and imaginary parts side by side, as a last axis of two. */
function weightPairs(x: Operand, { name, tensor }: Extract<Operand["origin"], { kind: "weight" }>): Operand {
  const dtype = partType(x.dtype);
  const shape = [...tensor.shape, 2];
  const pairs = { dtype, shape, payload: tensor.payload };
  return { kind: "operand", dtype, shape, known: undefined, origin: { kind: "weight", name, tensor: pairs } };
}

/** The parts that stand side by side along a last axis of two. */
export function pairParts(builder: GraphBuilder, pairs: Operand): ComplexParts {
  const last = pairs.shape.length - 1;
  const part = (index: number): Operand => gather(builder, pairs, scalar("I64", index), last);
  return { real: part(0), imaginary: part(1) };
}

/** A complex tensor as a real one with real and imaginary parts along a last axis of two. */
export function asPairs(builder: GraphBuilder, x: Operand): Operand {
  const { real, imaginary } = partsOf(builder, x);
  const rank = x.shape.length;
  const parts = [real, imaginary].map((part) => unsqueeze(builder, part, [rank]));
  return concat(builder, parts, rank);
}
