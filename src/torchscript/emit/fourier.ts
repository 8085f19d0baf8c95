import type { DType } from "../../core/dtype.ts";
import { intAttribute } from "../../core/graph.ts";
import type { Dimension } from "../shapes/dimension.ts";
import { add, cast, scaled, subtract, unary } from "./arithmetic.ts";
import { type ComplexParts, pairParts } from "./complex.ts";
import type { GraphBuilder } from "./graph-builder.ts";
import { concat, slice, squeeze, unsqueeze } from "./layout.ts";
import { matmul } from "./linear.ts";
import { constant, type Operand, scalar, tableOf } from "./operand.ts";

/** A Fourier transform along the last axis. */
export interface Transform {
  /** Of how many numbers. */
  readonly length: number;
  readonly isInverse: boolean;
  /** What the result is multiplied with. */
  readonly scale: number;
}

/** A tensor of which the imaginary part may be absent: zero. */
export interface Signal {
  readonly real: Operand;
  readonly imaginary?: Operand | undefined;
}

/** Up to how many numbers a matrix has; longer transforms of powers of two are left to the runtime's own. */
const maxMatrix = 2 ** 22;

/** `cos(π/2 · count / length)`, exact where it is 0 or 1, and of equal size for angles that mirror each other. */
function cosineOfQuarters(count: number, length: number): number {
  const turned = Math.abs(count) % (4 * length);
  const half = turned > 2 * length ? 4 * length - turned : turned;
  if (half > length) return -cosineOfQuarters(2 * length - half, length);
  return 2 * half > length
    ? Math.sin(((Math.PI / 2) * (length - half)) / length)
    : Math.cos(((Math.PI / 2) * half) / length);
}

interface Waves {
  readonly cosines: Operand;
  readonly sines: Operand;
}

/** One pair of matrices for all transforms of a graph that are alike; constants are told apart by identity. */
const wavesOf = new WeakMap<GraphBuilder, Map<string, Waves>>();

/** `weight(row, column) * cos(2π · row · column / length)`, and the sines. */
function waves(
  builder: GraphBuilder,
  key: string,
  dtype: DType,
  [rows, columns]: readonly [number, number],
  length: number,
  weight: (row: number) => number,
): Waves {
  const own = wavesOf.get(builder) ?? new Map<string, Waves>();
  wavesOf.set(builder, own);
  const name = [key, dtype, rows, columns, length].join(" ");
  const existing = own.get(name);
  if (existing !== undefined) return existing;
  const table = (shift: number): Operand =>
    constant(
      dtype,
      [rows, columns],
      tableOf(rows * columns, (at) => {
        const row = Math.floor(at / columns);
        const turn = (row * (at % columns)) % length;
        return weight(row) * cosineOfQuarters(4 * turn - shift, length);
      }),
    );
  const made = { cosines: table(0), sines: table(length) };
  own.set(name, made);
  return made;
}

/** The first `count` elements of the last axis, or all of fewer: what is absent counts as zeros. */
function cut(builder: GraphBuilder, x: Operand, count: number): Operand {
  const extent = x.shape.at(-1) as Dimension;
  return typeof extent === "number" && extent > count ? slice(builder, x, x.shape.length - 1, 0, count) : x;
}

/**
 * The transform of the last axis, cut or filled up with zeros to its length; `bins` says how many numbers of the result are
 * wanted, from the first one on. By matrices, which are as exact as torch is, where ONNX Runtime's own transform is not
 * for lengths that are no powers of two. Throws kind `unsupported` for long ones of these.
 */
export function fourier(
  builder: GraphBuilder,
  signal: Signal,
  transform: Transform,
  bins: number,
): ComplexParts {
  const { length, isInverse, scale } = transform;
  const real = cut(builder, signal.real, length);
  const imaginary = signal.imaginary && cut(builder, signal.imaginary, length);
  const rows = real.shape.at(-1) as number;
  const isPower = Number.isInteger(Math.log2(length));
  if (rows * bins > maxMatrix && isPower && rows === length)
    return byRuntime(builder, { real, imaginary }, transform, bins);
  const { cosines, sines } = waves(builder, `c ${scale}`, real.dtype, [rows, bins], length, () => scale);
  const times = (x: Operand, matrix: Operand): Operand => matmul(builder, x, matrix);
  // Forward the waves turn one way, backward the other.
  const plus = isInverse ? subtract : add;
  const minus = isInverse ? add : subtract;
  if (imaginary === undefined) {
    const turned = times(real, sines);
    return { real: times(real, cosines), imaginary: isInverse ? turned : unary(builder, "Neg", turned) };
  }
  return {
    real: plus(builder, times(real, cosines), times(imaginary, sines)),
    imaginary: minus(builder, times(imaginary, cosines), times(real, sines)),
  };
}

/** The real numbers that a half spectrum comes of: its other half mirrors this one. */
export function fromHalfSpectrum(
  builder: GraphBuilder,
  { real, imaginary }: ComplexParts,
  { length, scale }: Transform,
): Operand {
  const half = Math.floor(length / 2) + 1;
  const [re, im] = [cut(builder, real, half), cut(builder, imaginary, half)];
  const rows = re.shape.at(-1) as number;
  // The ends of the spectrum are there once, and their imaginary parts count for nothing.
  const weight = (row: number): number => (row === 0 || 2 * row === length ? scale : 2 * scale);
  const { cosines, sines } = waves(builder, `h ${scale}`, re.dtype, [rows, length], length, weight);
  return subtract(builder, matmul(builder, re, cosines), matmul(builder, im, sines));
}

/** ONNX's own node, for lengths that are powers of two; in double precision, as in single its result is worse than torch's. */
function byRuntime(
  builder: GraphBuilder,
  { real, imaginary }: Signal,
  { isInverse, length, scale }: Transform,
  bins: number,
): ComplexParts {
  const axis = real.shape.length;
  const parts = [real, imaginary]
    .filter((part) => part !== undefined)
    .map((part) => cast(builder, part, "F64"));
  // A batch axis in front: the runtime takes no signal without one.
  const pairs = unsqueeze(
    builder,
    concat(
      builder,
      parts.map((part) => unsqueeze(builder, part, [axis])),
      axis,
    ),
    [0],
  );
  const result = { dtype: "F64", shape: [1, ...real.shape, 2] } as const;
  const inverse = { inverse: intAttribute(isInverse ? 1 : 0) };
  const made =
    builder.opset >= 20
      ? builder.node("DFT", [pairs, undefined, scalar("I64", axis)], result, inverse)
      : builder.node("DFT", [pairs], result, { ...inverse, axis: intAttribute(axis) });
  // The runtime's inverse divides by the length.
  const factor = isInverse ? scale * length : scale;
  const whole = pairParts(builder, squeeze(builder, made, [0]));
  const kept = (part: Operand): Operand =>
    cast(builder, scaled(builder, slice(builder, part, axis - 1, 0, bins), factor), real.dtype);
  return { real: kept(whole.real), imaginary: kept(whole.imaginary) };
}
