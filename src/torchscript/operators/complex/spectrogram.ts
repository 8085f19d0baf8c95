import { ConvertError } from "../../../core/errors.ts";
import { add, multiply, number } from "../../emit/arithmetic.ts";
import { asPairs, complexOf } from "../../emit/complex.ts";
import { fourier } from "../../emit/fourier.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { concat, expand, gather, reshape, swapAxes } from "../../emit/layout.ts";
import { constant, integers, type Operand, tableOf } from "../../emit/operand.ts";
import { isFloat } from "../../emit/types.ts";
import { type Dimension, shapeText } from "../../shapes/dimension.ts";
import { promoted } from "../../values/promotion.ts";
import { windowCount } from "../layout/windows.ts";
import { type OperatorRule, rule } from "../rule.ts";

/** Frames of a signal: `size` numbers each, `step` apart, along a new last axis. */
function frames(builder: GraphBuilder, x: Operand, size: number, step: number): Operand {
  const axis = x.shape.length - 1;
  const extent = x.shape[axis] as Dimension;
  if (step < 1 || size < 1 || !builder.guards.permits(extent, ">=", size))
    throw new ConvertError(
      "malformed",
      `frames of ${size} numbers, ${step} apart, of a signal of shape ${shapeText(x.shape)}`,
    );
  const count = windowCount(extent, 0, size, step, 1);
  const within = integers(tableOf(size, (at) => at));
  if (typeof count === "number") {
    const starts = constant(
      "I64",
      [count, 1],
      tableOf(count, (at) => at * step),
    );
    return gather(builder, x, add(builder, starts, within), axis);
  }
  const bounds = [0, count, 1].map((bound) => constant("I64", [], [bound]));
  const places = builder.node("Range", bounds, { dtype: "I64", shape: [count] });
  const starts = multiply(builder, reshape(builder, places, [count, 1]), number("I64", step));
  return gather(builder, x, add(builder, starts, within), axis);
}

/** A window of fewer numbers than a frame has stands in the middle of it. */
function centred(builder: GraphBuilder, window: Operand, size: number): Operand {
  const own = window.shape[0] as number;
  const before = Math.floor((size - own) / 2);
  const zeros = (count: number): Operand => expand(builder, number(window.dtype, 0), [count]);
  return own === size ? window : concat(builder, [zeros(before), window, zeros(size - own - before)], 0);
}

interface Request {
  readonly size: number;
  readonly step: number;
  readonly width: number;
  readonly window: Operand | undefined;
}

/** The frames as they are transformed: each times the window. */
function windowed(builder: GraphBuilder, x: Operand, { size, step, width, window }: Request): Operand {
  if (width < 1 || width > size)
    throw new ConvertError("malformed", `a window of ${width} numbers for frames of ${size}`);
  if (window !== undefined && !(window.shape.length === 1 && window.shape[0] === width))
    throw new ConvertError(
      "malformed",
      `a window of shape ${shapeText(window.shape)} is to have ${width} numbers`,
    );
  const cut = frames(builder, x, size, step);
  const own = window ?? (width < size ? expand(builder, number(x.dtype, 1), [width]) : undefined);
  if (own === undefined) return cut;
  const [left, right] = promoted(builder, cut, centred(builder, own, size)) as [Operand, Operand];
  return multiply(builder, left, right);
}

/** Spectra of windows that move along a signal. */
export const spectrogramRules: readonly OperatorRule[] = [
  rule(
    "stft(Tensor self, int n_fft, int? hop_length=None, int? win_length=None, Tensor? window=None, bool normalized=False, bool? onesided=None, bool? return_complex=None, bool? align_to_window=None)",
    (
      { self, n_fft, hop_length, win_length, window, normalized, onesided, return_complex, align_to_window },
      builder,
    ) => {
      const rank = self.shape.length;
      if (!isFloat(self.dtype) || rank < 1 || rank > 2)
        throw new ConvertError("malformed", `stft of ${self.dtype} of shape ${shapeText(self.shape)}`);
      if (self.dtype === "F16") throw new ConvertError("unsupported", "stft of half precision");
      if (align_to_window)
        throw new ConvertError("unsupported", "stft with frames that are aligned to the window");
      const request = {
        size: n_fft,
        step: hop_length ?? Math.floor(n_fft / 4),
        width: win_length ?? n_fft,
        window,
      };
      const transform = { length: n_fft, isInverse: false, scale: normalized ? 1 / Math.sqrt(n_fft) : 1 };
      const bins = (onesided ?? true) ? Math.floor(n_fft / 2) + 1 : n_fft;
      const signal = { real: windowed(builder, self, request) };
      const { real, imaginary } = fourier(builder, signal, transform, bins);
      const spectrum = complexOf({
        real: swapAxes(builder, real, -1, -2),
        imaginary: swapAxes(builder, imaginary, -1, -2),
      });
      return return_complex ? spectrum : asPairs(builder, spectrum);
    },
  ),
];
