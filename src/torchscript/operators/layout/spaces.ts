import type { DType } from "../../../core/dtype.ts";
import { ConvertError } from "../../../core/errors.ts";
import { constant, maxKnown, type Operand } from "../../emit/operand.ts";
import type { Scalar } from "../../values/promotion.ts";
import { type OperatorRule, rule } from "../rule.ts";

interface Space {
  readonly start: Scalar;
  readonly end: Scalar;
  readonly steps: number | undefined;
  readonly dtype: DType | undefined;
}

/** Numbers at equal distances, as torch computes them: from both ends towards the middle. `of` is applied to each. */
function evenly(
  { start, end, steps: given, dtype = "F32" }: Space,
  isOld: boolean,
  of: (value: number, round: (value: number) => number) => number,
): Operand {
  // Before versions 8 and 9 of the operators, 100 numbers were made where a program did not say how many.
  const steps = given ?? (isOld ? 100 : undefined);
  if (steps === undefined || steps < 0)
    throw new ConvertError("malformed", `${steps ?? "an unknown number of"} numbers at equal distances`);
  if (steps > maxKnown) throw new ConvertError("unsupported", `${steps} numbers at equal distances`);
  if (dtype !== "F32" && dtype !== "F64")
    throw new ConvertError("unsupported", `equal distances of ${dtype}`);
  if (typeof start === "object" || typeof end === "object")
    throw new ConvertError("unsupported", "equal distances between sizes that are open");
  const round = dtype === "F32" ? Math.fround : (value: number): number => value;
  const [from, to] = [round(Number(start)), round(Number(end))];
  const step = round(round(to - from) / (steps - 1));
  const values = Array.from({ length: steps }, (_, index) => {
    if (steps === 1) return of(from, round);
    const isFirstHalf = index < Math.floor(steps / 2);
    return of(
      round(isFirstHalf ? from + round(step * index) : to - round(step * (steps - index - 1))),
      round,
    );
  });
  return constant(dtype, [steps], values);
}

const options = "dtype? dtype=None, any layout=None, any device=None, any pin_memory=None";
type Linear = "a(Scalar start, Scalar end, int? steps=None, dtype? dtype=None)";
type Power = "a(Scalar start, Scalar end, int? steps=None, float base=10.0, dtype? dtype=None)";

/** Numbers at equal distances, and powers of them. */
export const spacedRules: readonly OperatorRule[] = [
  rule(
    `linspace(Scalar start, Scalar end, int? steps=None, *, ${options})` as Linear,
    (space, _, { version }) => evenly(space, version < 8, (value) => value),
  ),
  rule(
    `logspace(Scalar start, Scalar end, int? steps=None, float base=10.0, *, ${options})` as Power,
    (space, _, { version }) =>
      evenly(space, version < 9, (value, round) => round(round(space.base) ** value)),
  ),
];
