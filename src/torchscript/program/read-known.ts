import type { RunContext } from "../../core/context.ts";
import type { DType } from "../../core/dtype.ts";
import { readBytes } from "../../core/source.ts";
import type { LazyTensor, Quantization } from "../../core/tensor.ts";
import { constant, type Operand, type Origin } from "../emit/operand.ts";
import { isQuantizable, quantizedOperand } from "../emit/quantized.ts";
import { isFloat } from "../emit/types.ts";
import type { Tensor } from "../values/tensor.ts";

/** Up to here, integers and bools are read at compile time: indices, masks, sizes. */
const maxIntegers = 4096;
/** Floats count as weights, unless they are numbers. */
const maxFloats = 1;

type Read = (view: DataView, at: number) => number;

const readers: Partial<Record<DType, { readonly bytes: number; readonly read: Read }>> = {
  BOOL: { bytes: 1, read: (view, at) => view.getUint8(at) },
  U8: { bytes: 1, read: (view, at) => view.getUint8(at) },
  I8: { bytes: 1, read: (view, at) => view.getInt8(at) },
  I16: { bytes: 2, read: (view, at) => view.getInt16(at, true) },
  I32: { bytes: 4, read: (view, at) => view.getInt32(at, true) },
  I64: { bytes: 8, read: (view, at) => Number(view.getBigInt64(at, true)) },
  F32: { bytes: 4, read: (view, at) => view.getFloat32(at, true) },
  F64: { bytes: 8, read: (view, at) => view.getFloat64(at, true) },
};

/** Reads the elements of tensors that the program may need to know: few integers, and single numbers. */
export async function readKnown(tensors: readonly Tensor[], context: RunContext): Promise<void> {
  for (const tensor of tensors) {
    const { origin } = tensor.held;
    if (origin.kind !== "weight") continue;
    if (origin.tensor.quantization !== undefined) {
      tensor.held = await withScheme(tensor.held, origin, origin.tensor.quantization, context);
      continue;
    }
    const known = await elements(origin.tensor, context);
    if (known !== undefined) tensor.held = withKnown(tensor.held, known);
  }
}

/** The integers of a quantized tensor with what they stand for; nothing can be made of those that graphs do not take. */
async function withScheme(
  { dtype, shape }: Operand,
  { name, tensor }: Extract<Origin, { kind: "weight" }>,
  { scale, zeroPoint, axis }: Quantization,
  context: RunContext,
): Promise<Operand> {
  const scales = await numbersOf(scale, maxRow, context);
  const zeroPoints = zeroPoint.dtype === "I64" ? await numbersOf(zeroPoint, maxRow, context) : undefined;
  if (
    !isQuantizable(dtype) ||
    scales === undefined ||
    zeroPoints === undefined ||
    scales.length !== zeroPoints.length
  ) {
    const origin = { kind: "opaque", operator: `the quantization of "${name}"` } as const;
    return { kind: "operand", dtype, shape, known: undefined, origin };
  }
  const plain = { dtype: tensor.dtype, shape: tensor.shape, payload: tensor.payload };
  const origin = { kind: "weight", name, tensor: plain } as const;
  return quantizedOperand(
    { kind: "operand", dtype, shape, known: undefined, origin },
    { scales, zeroPoints, axis },
  );
}

/** How long the rows of floats may be that rules have to know. */
const maxRow = 65_536;

/** Reads rows of floats, which stay weights: what a model has observed of each channel. */
export async function readRows(tensors: readonly Tensor[], context: RunContext): Promise<void> {
  for (const tensor of tensors) {
    const { origin } = tensor.held;
    if (origin.kind !== "weight" || origin.tensor.shape.length !== 1 || !isFloat(origin.tensor.dtype))
      continue;
    const row = await numbersOf(origin.tensor, maxRow, context);
    if (row !== undefined) tensor.held = { ...tensor.held, origin: { ...origin, elements: row } };
  }
}

/** A single number is written into the graph as it is; what has a shape stays a weight. */
function withKnown(held: Operand, known: readonly number[]): Operand {
  return held.shape.length === 0 ? constant(held.dtype, [], known) : { ...held, known };
}

function elements(tensor: LazyTensor, context: RunContext): Promise<readonly number[] | undefined> {
  return numbersOf(tensor, isFloat(tensor.dtype) ? maxFloats : maxIntegers, context);
}

/** All elements of a tensor of up to `most`; `undefined` for longer ones, and for numbers that a double does not hold. */
async function numbersOf(
  { dtype, shape, payload }: LazyTensor,
  most: number,
  context: RunContext,
): Promise<readonly number[] | undefined> {
  const count = shape.reduce((product, extent) => product * extent, 1);
  const reader = readers[dtype];
  if (reader === undefined || count > most) return undefined;
  const bytes = await readBytes(payload, 0, payload.size, context);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const values = Array.from({ length: count }, (_, index) => reader.read(view, index * reader.bytes));
  // Integers beyond a double's stay in the file.
  return dtype === "I64" && !values.every(Number.isSafeInteger) ? undefined : values;
}
