import type { DType } from "../../../core/dtype.ts";
import { ConvertError } from "../../../core/errors.ts";
import { binary, cast, not, number, subtract } from "../../emit/arithmetic.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import type { Operand } from "../../emit/operand.ts";
import { isFloat } from "../../emit/types.ts";
import { asOperand, promoted, promotedType, type TensorOrScalar } from "../../values/promotion.ts";
import { alias, type OperatorRule, rule } from "../rule.ts";

/** A comparison in the promoted dtype; bools are compared as integers where ONNX wants numbers. */
function compared(
  builder: GraphBuilder,
  opType: string,
  left: TensorOrScalar,
  right: TensorOrScalar,
): Operand {
  const [a, b] = promoted(builder, left, right) as [Operand, Operand];
  if (a.dtype !== "BOOL" || opType === "Equal") return binary(builder, opType, a, b);
  return binary(builder, opType, cast(builder, a, "I32"), cast(builder, b, "I32"));
}

const comparisonTypes: Readonly<Record<string, string>> = {
  eq: "Equal",
  lt: "Less",
  le: "LessOrEqual",
  gt: "Greater",
  ge: "GreaterOrEqual",
};

/** The names in full, which programs have where their authors wrote them. */
const fullNames: Readonly<Record<string, string>> = {
  lt: "less",
  le: "less_equal",
  gt: "greater",
  ge: "greater_equal",
};

const comparisons: readonly OperatorRule[] = [
  ...Object.entries(comparisonTypes).flatMap(([name, opType]) => {
    const short = rule(
      `${name}(Tensor|Scalar self, Tensor|Scalar other)` as "eq(Tensor|Scalar self, Tensor|Scalar other)",
      ({ self, other }, builder) => compared(builder, opType, self, other),
    );
    const full = fullNames[name];
    return full === undefined ? [short] : [short, ...alias(short, full)];
  }),
  ...alias(
    rule("ne(Tensor|Scalar self, Tensor|Scalar other)", ({ self, other }, builder) =>
      not(builder, compared(builder, "Equal", self, other)),
    ),
    "ne",
    "not_equal",
  ),
];

/** A logical operator: any numbers count as whether they differ from 0. */
function logical(
  builder: GraphBuilder,
  opType: string,
  left: TensorOrScalar,
  right: TensorOrScalar,
): Operand {
  return binary(builder, opType, asOperand(builder, left, "BOOL"), asOperand(builder, right, "BOOL"));
}

/** A bitwise operator, which of bools is the logical one. */
function bitwise(builder: GraphBuilder, name: string, left: TensorOrScalar, right: TensorOrScalar): Operand {
  const [a, b] = promoted(builder, left, right) as [Operand, Operand];
  if (a.dtype === "BOOL") return binary(builder, name, a, b);
  if (isFloat(a.dtype)) throw new ConvertError("malformed", "bits of floats are combined");
  if (builder.opset < 18)
    throw new ConvertError("unsupported", "bits of integers are combined, which needs opset 18");
  return binary(builder, `Bitwise${name}`, a, b);
}

const logic: readonly OperatorRule[] = [
  ...["And", "Or", "Xor"].flatMap((opType) => {
    const word = opType.toLowerCase();
    const bits = rule(
      `bitwise_${word}(Tensor|Scalar self, Tensor|Scalar other)` as "a(Tensor|Scalar self, Tensor|Scalar other)",
      ({ self, other }, builder) => bitwise(builder, opType, self, other),
    );
    const truth = rule(
      `logical_${word}(Tensor self, Tensor other)` as "a(Tensor self, Tensor other)",
      ({ self, other }, builder) => logical(builder, opType, self, other),
    );
    return [bits, truth, ...alias(bits, `__${word}__`)];
  }),
  rule("logical_not(Tensor self)", ({ self }, builder) => not(builder, cast(builder, self, "BOOL"))),
  // `__not__` is what a script has of `not` where a branch made the truth a tensor.
  ...alias(
    rule("bitwise_not(Tensor self)", ({ self }, builder) => {
      if (self.dtype === "BOOL") return not(builder, self);
      if (isFloat(self.dtype)) throw new ConvertError("malformed", "bits of floats are turned");
      return subtract(builder, number(self.dtype, -1), self);
    }),
    "bitwise_not",
    "__not__",
  ),
];

/** The larger or smaller of two. */
export function extreme(
  builder: GraphBuilder,
  opType: "Max" | "Min",
  left: TensorOrScalar,
  right: TensorOrScalar,
): Operand {
  const [a, b] = promoted(builder, left, right) as [Operand, Operand];
  if (a.dtype === "BOOL") return binary(builder, opType === "Max" ? "Or" : "And", a, b);
  return binary(builder, opType, a, b);
}

/** Between two bounds, of which the upper one wins; a float bound makes floats of integers. */
function clamped(
  builder: GraphBuilder,
  self: Operand,
  low: TensorOrScalar | undefined,
  high: TensorOrScalar | undefined,
): Operand {
  const bounds = [low, high].filter((bound) => bound !== undefined);
  const dtype: DType = promotedType([self, ...bounds]);
  const x = cast(builder, self, dtype);
  const raised = low === undefined ? x : extreme(builder, "Max", x, asOperand(builder, low, dtype));
  return high === undefined ? raised : extreme(builder, "Min", raised, asOperand(builder, high, dtype));
}

const bounds: readonly OperatorRule[] = [
  rule("clamp(Tensor self, Scalar? min=None, Scalar? max=None)", ({ self, min, max }, builder) =>
    clamped(builder, self, min, max),
  ),
  rule("clamp(Tensor self, Tensor? min=None, Tensor? max=None)", ({ self, min, max }, builder) =>
    clamped(builder, self, min, max),
  ),
  rule("clip(Tensor self, Scalar? min=None, Scalar? max=None)", ({ self, min, max }, builder) =>
    clamped(builder, self, min, max),
  ),
  rule("clamp_min(Tensor self, Tensor|Scalar min)", ({ self, min }, builder) =>
    clamped(builder, self, min, undefined),
  ),
  rule("clamp_max(Tensor self, Tensor|Scalar max)", ({ self, max }, builder) =>
    clamped(builder, self, undefined, max),
  ),
  ...["max", "maximum"].map((name) =>
    rule(`${name}(Tensor self, Tensor other)` as "a(Tensor self, Tensor other)", ({ self, other }, builder) =>
      extreme(builder, "Max", self, other),
    ),
  ),
  ...["min", "minimum"].map((name) =>
    rule(`${name}(Tensor self, Tensor other)` as "a(Tensor self, Tensor other)", ({ self, other }, builder) =>
      extreme(builder, "Min", self, other),
    ),
  ),
];

/** Comparisons, logic and bounds. */
export const comparisonRules: readonly OperatorRule[] = [...comparisons, ...logic, ...bounds];
