import { ConvertError } from "../../../core/errors.ts";
import { unary } from "../../emit/arithmetic.ts";
import { complexOf, isComplex, partsOf } from "../../emit/complex.ts";
import { fourier, fromHalfSpectrum, type Signal, type Transform } from "../../emit/fourier.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { axisOf, swapAxes } from "../../emit/layout.ts";
import type { Operand } from "../../emit/operand.ts";
import type { Dimension } from "../../shapes/dimension.ts";
import { asFloat } from "../../values/promotion.ts";
import { type OperatorRule, rule } from "../rule.ts";

/** Which way a transform goes, and of what: complex to complex, real to half a spectrum, and back. */
type Kind = "fft" | "ifft" | "rfft" | "irfft" | "hfft" | "ihfft";

/** What several axes share. */
interface Request {
  readonly kind: Kind;
  readonly axes: readonly number[];
  /** The length along each axis, where it is not that of the tensor. */
  readonly lengths: readonly (number | undefined)[];
  readonly norm: string | undefined;
}

/** A tensor as it is transformed: half precision is refused, as torch does; integers become float32. */
function signalOf(builder: GraphBuilder, x: Operand, kind: Kind): Signal {
  const takesReal = kind === "rfft" || kind === "ihfft";
  if (isComplex(x)) {
    if (takesReal) throw new ConvertError("malformed", `${kind} of complex numbers`);
    return partsOf(builder, x);
  }
  const real = asFloat(builder, x);
  if (real.dtype !== "F32" && real.dtype !== "F64")
    throw new ConvertError("unsupported", `Fourier transforms of ${x.dtype}`);
  return { real };
}

/** What the results are multiplied with, for all axes together; `hfft` counts as forward. */
function scaleOf(isInverse: boolean, norm: string | undefined, count: number): number {
  switch (norm ?? "backward") {
    case "backward":
      return isInverse ? 1 / count : 1;
    case "forward":
      return isInverse ? 1 : 1 / count;
    case "ortho":
      return 1 / Math.sqrt(count);
    default:
      throw new ConvertError("malformed", `a Fourier transform has no norm "${norm}"`);
  }
}

/** Runs `make` with an axis as the last one. */
function alongAxis(
  builder: GraphBuilder,
  signal: Signal,
  axis: number,
  make: (signal: Signal) => Signal,
): Signal {
  const turn = ({ real, imaginary }: Signal): Signal => ({
    real: swapAxes(builder, real, axis, -1),
    imaginary: imaginary && swapAxes(builder, imaginary, axis, -1),
  });
  return turn(make(turn(signal)));
}

/** The length of an axis, which has to be known: the waves depend on it. */
function lengthOf(
  builder: GraphBuilder,
  extent: Dimension,
  wanted: number | undefined,
  halves: boolean,
): number {
  const own = builder.guards.settle(extent, "an axis that is Fourier transformed");
  const length = wanted ?? (halves ? 2 * (own - 1) : own);
  if (length < 1 || own < 1)
    throw new ConvertError("malformed", `a Fourier transform of ${length} numbers, from ${own}`);
  return length;
}

function transformed(builder: GraphBuilder, x: Operand, request: Request): Operand {
  const { kind, axes, norm } = request;
  const isInverse = kind === "ifft" || kind === "irfft" || kind === "ihfft";
  const given = signalOf(builder, x, kind);
  const takesHalf = kind === "irfft" || kind === "hfft";
  const givesHalf = kind === "rfft" || kind === "ihfft";
  const last = axes.length - 1;
  const lengths = axes.map((axis, index) =>
    lengthOf(
      builder,
      given.real.shape[axis] as Dimension,
      request.lengths[index],
      takesHalf && index === last,
    ),
  );
  // All axes' scales at once, with the last one that is transformed.
  const scale = scaleOf(
    isInverse,
    norm,
    lengths.reduce((product, own) => product * own, 1),
  );
  const order = takesHalf ? [...axes.keys()] : [...axes.keys()].reverse();
  let signal = given;
  for (const [step, index] of order.entries()) {
    const transform: Transform = {
      length: lengths[index] as number,
      isInverse,
      scale: step === last ? scale : 1,
    };
    signal = alongAxis(builder, signal, axes[index] as number, (own) =>
      oneAxis(builder, own, transform, kind, index === last && (takesHalf || givesHalf)),
    );
  }
  if (takesHalf) return signal.real;
  const { real, imaginary } = signal;
  return complexOf({ real, imaginary: imaginary ?? partsOf(builder, real).imaginary });
}

function oneAxis(
  builder: GraphBuilder,
  signal: Signal,
  transform: Transform,
  kind: Kind,
  isHalf: boolean,
): Signal {
  if (!isHalf) return fourier(builder, signal, transform, transform.length);
  const bins = Math.floor(transform.length / 2) + 1;
  if (kind === "rfft" || kind === "ihfft") return fourier(builder, signal, transform, bins);
  const { real } = signal;
  const imaginary = signal.imaginary ?? partsOf(builder, real).imaginary;
  // The spectrum of what is its own mirror image is that of the conjugates, backward.
  const own = kind === "hfft" ? unary(builder, "Neg", imaginary) : imaginary;
  return { real: fromHalfSpectrum(builder, { real, imaginary: own }, transform) };
}

/** The axes of transforms over several: those given, or as many of the last as there are lengths, or all. */
function severalAxes(
  x: Operand,
  lengths: readonly number[] | undefined,
  dims: readonly number[] | undefined,
): readonly number[] {
  const rank = x.shape.length;
  if (dims === undefined && lengths !== undefined && lengths.length > rank)
    throw new ConvertError("malformed", `${lengths.length} lengths for ${rank} axes`);
  const axes =
    dims?.map((dim) => axisOf(dim, rank)) ??
    [...x.shape.keys()].slice(lengths === undefined ? 0 : rank - lengths.length);
  if (new Set(axes).size < axes.length || axes.some((axis) => axis >= rank))
    throw new ConvertError("malformed", `a Fourier transform over the axes [${axes.join(", ")}] of ${rank}`);
  if (lengths !== undefined && lengths.length !== axes.length)
    throw new ConvertError("malformed", `${lengths.length} lengths for ${axes.length} axes`);
  return axes;
}

type Single = "a(Tensor self, int? n=None, int dim=-1, str? norm=None)";
type Several = "a(Tensor self, int[1]? s=None, int[1]? dim=None, str? norm=None)";

const any = (own: OperatorRule): OperatorRule => ({ ...own, numbers: "any" });

const single: readonly OperatorRule[] = (["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"] as const).map(
  (kind) =>
    any(
      rule(
        `fft_${kind}(Tensor self, int? n=None, int dim=-1, str? norm=None)` as Single,
        ({ self, n, dim, norm }, builder) => {
          if (self.shape.length === 0) throw new ConvertError("malformed", `${kind} of a 0-d tensor`);
          return transformed(builder, self, {
            kind,
            axes: [axisOf(dim, self.shape.length)],
            lengths: [n],
            norm,
          });
        },
      ),
    ),
);

const several: readonly OperatorRule[] = (["fft", "ifft", "rfft", "irfft"] as const).flatMap((kind) =>
  ["2", "n"].map((name) =>
    any(
      rule(
        `fft_${kind}${name}(Tensor self, int[1]? s=None, int[1]? dim=None, str? norm=None)` as Several,
        ({ self, s, dim, norm }, builder) => {
          const dims = dim ?? (name === "2" ? [-2, -1] : undefined);
          const axes = severalAxes(self, s, dims);
          if (axes.length === 0) {
            if (kind === "rfft" || kind === "irfft")
              throw new ConvertError("malformed", `${kind}n over no axes`);
            throw new ConvertError("unsupported", "a Fourier transform over no axes");
          }
          const lengths = axes.map((_, index) => (s?.[index] === -1 ? undefined : s?.[index]));
          return transformed(builder, self, { kind, axes, lengths, norm });
        },
      ),
    ),
  ),
);

/** Discrete Fourier transforms. */
export const fourierRules: readonly OperatorRule[] = [...single, ...several];
