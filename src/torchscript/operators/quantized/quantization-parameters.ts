/** The steps of a quantized tensor: a float of 32 bits and an integer. */
interface Parameters {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** Torch makes no smaller steps (SMALL_SCALE_THRESHOLD in ATen/native/quantized/cpu/QuantUtils.h). */
const leastScale = Math.fround(6.1e-5);

/** Halves to even. */
function rounded(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** The interval that symmetric steps cover; one that does not reach to both sides of zero stays. */
function symmetricRange(low: number, high: number, qmin: number, qmax: number): readonly [number, number] {
  const [below, above] = [-(Math.trunc((qmax - qmin) / 2) + 1), Math.trunc((qmax - qmin) / 2)];
  const largest = Math.max(Math.abs(Math.fround(low / below)), Math.abs(Math.fround(high / above)));
  return [Math.fround(largest * below), Math.fround(largest * above)];
}

function stretched(low: number, high: number, scale: number, span: number): readonly [number, number] {
  if (low === 0) return [low, Math.fround(leastScale * span)];
  if (high === 0) return [Math.fround(-leastScale * span), high];
  const factor = Math.fround(leastScale / Math.fround(scale));
  return [Math.fround(low * factor), Math.fround(high * factor)];
}

/**
 * The steps that torch chooses for floats between two numbers (`ChooseQuantizationParams`, QuantUtils.h): the interval is
 * stretched to hold zero, which is to be one of the steps. `qmin` has to be smaller than `qmax`.
 */
export function chooseParameters(
  observedMin: number,
  observedMax: number,
  qmin: number,
  qmax: number,
  isSymmetric: boolean,
): Parameters {
  const isBalanced = isSymmetric && observedMin < 0 && observedMax > 0;
  const [min, max] = isBalanced
    ? symmetricRange(observedMin, observedMax, qmin, qmax)
    : [observedMin, observedMax];
  let [low, high] = [Math.min(min, 0), Math.max(max, 0)];
  let scale = (high - low) / (qmax - qmin);
  if (Math.fround(scale) === 0 || !Number.isFinite(Math.fround(1 / Math.fround(scale)))) scale = 0.1;
  if (scale < leastScale) {
    [low, high] = stretched(low, high, scale, qmax - qmin);
    scale = leastScale;
  }
  const fromMin = qmin - low / scale;
  const fromMax = qmax - high / scale;
  const errorOfMin = Math.abs(qmin) - Math.abs(low / scale);
  const errorOfMax = Math.abs(qmax) - Math.abs(high / scale);
  const exact = isBalanced ? (qmin + qmax) / 2 : errorOfMin < errorOfMax ? fromMin : fromMax;
  return { scale: Math.fround(scale), zeroPoint: rounded(Math.min(Math.max(exact, qmin), qmax)) + 0 };
}
