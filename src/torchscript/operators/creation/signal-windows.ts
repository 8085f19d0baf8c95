import type { DType } from "../../../core/dtype.ts";
import { ConvertError } from "../../../core/errors.ts";
import { constant, maxKnown, type Operand } from "../../emit/operand.ts";
import { type OperatorRule, rule } from "../rule.ts";

type Round = (value: number) => number;

/** Sample number `index` of `length` ones, from 0 to `length - 1`, with each step rounded as the dtype does. */
type Sample = (index: number, length: number, round: Round) => number;

/** A window of that many samples. A periodic one is the longer window without its last sample. */
function windowOf(count: number, periodic: boolean, dtype: DType = "F32", sample: Sample): Operand {
  if (count < 0) throw new ConvertError("malformed", `a window of ${count} samples`);
  if (count > maxKnown) throw new ConvertError("unsupported", `a window of ${count} samples`);
  if (dtype !== "F32" && dtype !== "F64") throw new ConvertError("unsupported", `a window of ${dtype}`);
  const round = dtype === "F32" ? Math.fround : (value: number): number => value;
  const length = periodic ? count + 1 : count;
  const values = Array.from({ length: count }, (_, index) =>
    count === 1 ? 1 : sample(index, length, round),
  );
  return constant(dtype, [count], values);
}

/** `alpha - beta * cos(2πi / (n - 1))`. */
function raised(alpha: number, beta: number): Sample {
  return (index, length, round) => {
    const turn = round(Math.cos(round(index * round((2 * Math.PI) / (length - 1)))));
    return round(round(turn * round(-beta)) + round(alpha));
  };
}

const blackman: Sample = (index, length, round) => {
  const half = round(index * round(Math.PI / (length - 1)));
  const [twice, once] = [4, 2].map((factor) => round(Math.cos(round(half * factor)))) as [number, number];
  return round(round(round(twice * round(0.08)) - round(once * 0.5)) + round(0.42));
};

const bartlett: Sample = (index, length, round) => {
  const slope = round(index * round(2 / (length - 1)));
  return index <= (length - 1) >> 1 ? slope : round(2 - slope);
};

/** The modified Bessel function of the first kind and order 0, by its series. */
function bessel(x: number): number {
  let [sum, term] = [1, 1];
  for (let k = 1; term > sum * 1e-18; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function kaiser(beta: number): Sample {
  return (index, length) => {
    const place = (2 * index) / (length - 1) - 1;
    return bessel(beta * Math.sqrt(Math.max(0, 1 - place * place))) / bessel(beta);
  };
}

const options = "dtype? dtype=None, any layout=None, any device=None, any pin_memory=None";

/** A window by name, with the parameters beyond its length that some of its overloads have. */
function rulesOf(
  name: string,
  parameters: readonly string[],
  sampleOf: (...numbers: readonly number[]) => Sample,
): readonly OperatorRule[] {
  const lists = [
    "",
    ", bool periodic",
    ...parameters.map((_, index) => `, bool periodic, ${parameters.slice(0, index + 1).join(", ")}`),
  ];
  return lists.map((list) =>
    rule(
      `${name}(int window_length${list}, *, ${options})` as "a(int window_length, bool periodic, float alpha, float beta, dtype? dtype=None)",
      (args) => {
        const numbers = parameters
          .map((parameter) => (args as Readonly<Record<string, unknown>>)[parameter.slice("float ".length)])
          .filter((value) => typeof value === "number");
        return windowOf(args.window_length, args.periodic ?? true, args.dtype, sampleOf(...numbers));
      },
    ),
  );
}

/** The windows of signal processing, which are known with their length. */
export const signalWindowRules: readonly OperatorRule[] = [
  ...rulesOf("hann_window", [], () => raised(0.5, 0.5)),
  ...rulesOf("hamming_window", ["float alpha", "float beta"], (alpha = 0.54, beta = 0.46) =>
    raised(alpha, beta),
  ),
  ...rulesOf("blackman_window", [], () => blackman),
  ...rulesOf("bartlett_window", [], () => bartlett),
  ...rulesOf("kaiser_window", ["float beta"], (beta = 12) => kaiser(beta)),
];
