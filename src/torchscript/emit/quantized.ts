import type { DType } from "../../core/dtype.ts";
import { ConvertError } from "../../core/errors.ts";
import { intAttribute } from "../../core/graph.ts";
import { add, cast, multiply, number, subtract, unary } from "./arithmetic.ts";
import type { Attributes, GraphBuilder } from "./graph-builder.ts";
import { reshape } from "./layout.ts";
import { constant, type Operand, type Origin, type QuantizationScheme, scalar } from "./operand.ts";

/** A quantized tensor: its dtype and shape are those of its integers. */
export interface QuantizedOperand extends Operand {
  readonly origin: Extract<Origin, { kind: "quantized" }>;
}

/** Whether graphs take quantized tensors of these integers. */
export function isQuantizable(dtype: DType): boolean {
  return ["U8", "I8", "I32"].includes(dtype);
}

/** Whether an operand is a quantized tensor. */
export function isQuantized(operand: Operand): operand is QuantizedOperand {
  return operand.origin.kind === "quantized";
}

/** Integers with what they stand for. */
export function quantizedOperand(integers: Operand, scheme: QuantizationScheme): QuantizedOperand {
  const { dtype, shape } = integers;
  return {
    kind: "operand",
    dtype,
    shape,
    known: undefined,
    origin: { kind: "quantized", integers, scheme },
  };
}

const ranges: Partial<Record<DType, readonly [number, number]>> = { U8: [0, 255], I8: [-128, 127] };

/** One scale and one zero point for a whole tensor. Throws kind `malformed` for a zero point that its integers do not reach. */
export function wholeScheme(dtype: DType, scale: number, zeroPoint: number): QuantizationScheme {
  checkScheme(dtype, scale, zeroPoint);
  return { scales: [scale], zeroPoints: [zeroPoint], axis: undefined };
}

/** Throws kind `malformed` or `unsupported` for steps that integers of the dtype cannot have. */
export function checkScheme(dtype: DType, scale: number, zeroPoint: number): void {
  const [least, most] = ranges[dtype] ?? [-(2 ** 31), 2 ** 31 - 1];
  if (zeroPoint < least || zeroPoint > most)
    throw new ConvertError("malformed", `a zero point of ${zeroPoint} in a quantized tensor of ${dtype}`);
  const single = Math.fround(scale);
  if (!(single > 0) || !Number.isFinite(single) || !Number.isFinite(Math.fround(1 / single)))
    throw new ConvertError("unsupported", `a quantized tensor with a scale of ${scale}`);
}

/** Whether two schemes have the same numbers. */
function isSameScheme(left: QuantizationScheme, right: QuantizationScheme): boolean {
  const same = (a: readonly number[], b: readonly number[]): boolean =>
    a.length === b.length && a.every((item, index) => item === b[index]);
  return (
    left.axis === right.axis && same(left.scales, right.scales) && same(left.zeroPoints, right.zeroPoints)
  );
}

/** Whether two operands are both not quantized, or both by the same steps. */
export function hasSameSteps(left: Operand, right: Operand): boolean {
  if (!isQuantized(left) || !isQuantized(right)) return isQuantized(left) === isQuantized(right);
  return isSameScheme(left.origin.scheme, right.origin.scheme);
}

/** The one scheme of a whole tensor. Throws kind `unsupported` where each channel has its own. */
export function wholeOf({ origin }: QuantizedOperand): QuantizationScheme {
  if (origin.scheme.axis === undefined) return origin.scheme;
  throw new ConvertError("unsupported", "a tensor with a scale for each channel");
}

function attributesOf({ axis }: QuantizationScheme): Attributes {
  return axis === undefined ? {} : { axis: intAttribute(axis) };
}

/** A number, or a row of them along the axis. */
function part({ axis }: QuantizationScheme, dtype: DType, values: readonly number[]): Operand {
  const held = dtype === "F32" ? values.map(Math.fround) : values;
  return constant(dtype, axis === undefined ? [] : [values.length], held);
}

/** The same, ready to be broadcast to the tensor. */
function spread(
  builder: GraphBuilder,
  { shape }: Operand,
  scheme: QuantizationScheme,
  row: Operand,
): Operand {
  const { axis } = scheme;
  return axis === undefined
    ? row
    : reshape(
        builder,
        row,
        shape.map((extent, index) => (index === axis ? extent : 1)),
      );
}

/** The numbers that the integers stand for, F32. */
export function dequantized(builder: GraphBuilder, { origin }: QuantizedOperand): Operand {
  const { integers, scheme } = origin;
  const scale = part(scheme, "F32", scheme.scales);
  const zeroPoint = part(scheme, integers.dtype, scheme.zeroPoints);
  if (integers.dtype !== "I32")
    return builder.node(
      "DequantizeLinear",
      [integers, scale, zeroPoint],
      { dtype: "F32", shape: integers.shape },
      attributesOf(scheme),
    );
  // ONNX knows no zero points of 32 bits.
  const distance = subtract(builder, integers, spread(builder, integers, scheme, zeroPoint));
  return multiply(builder, cast(builder, distance, "F32"), spread(builder, integers, scheme, scale));
}

/** The nearest steps, as ONNX's operator rounds: after a division by the scale. For what a layer computes, where torch's kernels differ in ties too. */
export function quantized(
  builder: GraphBuilder,
  x: Operand,
  dtype: DType,
  scheme: QuantizationScheme,
): QuantizedOperand {
  if (dtype === "I32") return quantizedExactly(builder, x, dtype, scheme);
  const scale = part(scheme, "F32", scheme.scales);
  const zeroPoint = part(scheme, dtype, scheme.zeroPoints);
  const type = { dtype, shape: x.shape };
  const integers = builder.node("QuantizeLinear", [x, scale, zeroPoint], type, attributesOf(scheme));
  return quantizedOperand(integers, scheme);
}

/**
 * The steps that torch itself rounds floats to: it multiplies by the inverse of the scale, adds the zero point and rounds
 * then, so that other halves come up than by QuantizeLinear. That operator rounds here what is counted in steps already.
 */
export function quantizedExactly(
  builder: GraphBuilder,
  x: Operand,
  dtype: DType,
  scheme: QuantizationScheme,
): QuantizedOperand {
  const inverses = scheme.scales.map((scale) => Math.fround(1 / Math.fround(scale)));
  const factor = spread(builder, x, scheme, part(scheme, "F32", inverses));
  const zeroPoint = spread(builder, x, scheme, part(scheme, "F32", scheme.zeroPoints));
  const distance = multiply(builder, x, factor);
  const isCentred = scheme.zeroPoints.every((own) => own === 0);
  const steps = isCentred ? distance : add(builder, distance, zeroPoint);
  if (dtype !== "I32") {
    const inputs = [steps, scalar("F32", 1), scalar(dtype, 0)];
    return quantizedOperand(builder.node("QuantizeLinear", inputs, { dtype, shape: x.shape }), scheme);
  }
  const wide = cast(builder, unary(builder, "Round", steps), "F64");
  const kept = builder.node("Clip", [wide, number("F64", -(2 ** 31)), scalar("F64", 2 ** 31 - 1)], wide);
  return quantizedOperand(cast(builder, kept, "I32"), scheme);
}
