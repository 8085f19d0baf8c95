import type { DType } from "../../../core/dtype.ts";
import { ConvertError } from "../../../core/errors.ts";
import { add, cast, divide, multiply, number, subtract, unary } from "../../emit/arithmetic.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { reshape } from "../../emit/layout.ts";
import { constant, knownNumbers, type Operand, scalar, writtenNumbers } from "../../emit/operand.ts";
import { isFloat } from "../../emit/types.ts";
import { isSameDimension, shapeText } from "../../shapes/dimension.ts";
import { type OperatorRule, rule } from "../rule.ts";
import { chooseParameters } from "./quantization-parameters.ts";

/** How floats are rounded to steps: scale and zero point, F32, one each or ready to be broadcast along an axis. */
interface Steps {
  readonly scale: Operand;
  readonly zeroPoint: Operand;
  readonly least: number;
  readonly most: number;
}

/**
 * `(clamp(round(x · (1 / scale)) + zero_point) - zero_point) · scale`. Torch multiplies by the inverse of the scale, where
 * QuantizeLinear divides: at ties the two differ by a step.
 */
function fakeQuantized(builder: GraphBuilder, self: Operand, steps: Steps): Operand {
  const { least, most } = steps;
  if (least > most) throw new ConvertError("malformed", `a range from ${least} to ${most} is empty`);
  if (!isFloat(self.dtype)) throw new ConvertError("malformed", `"fake_quantize" of ${self.dtype}`);
  const dtype: DType = self.dtype === "F64" ? "F64" : "F32";
  const inverse = inverseOf(builder, steps.scale);
  const [zeroPoint, factor] = [steps.zeroPoint, inverse].map((part) => cast(builder, part, dtype)) as [
    Operand,
    Operand,
  ];
  const whole = unary(builder, "Round", multiply(builder, cast(builder, self, dtype), factor));
  const placed = add(builder, whole, zeroPoint);
  const kept = builder.node("Clip", [placed, number(dtype, least), number(dtype, most)], placed);
  // The numbers that come back are float32, also of float64.
  const distance = cast(builder, subtract(builder, kept, zeroPoint), "F32");
  return cast(builder, multiply(builder, distance, steps.scale), self.dtype);
}

/** Computed in float64, from which it is rounded rightly: a runtime may make one division of a product with `1 / scale`. */
function inverseOf(builder: GraphBuilder, scale: Operand): Operand {
  return cast(builder, divide(builder, scalar("F64", 1), cast(builder, scale, "F64")), "F32");
}

/** A scale that torch's arithmetic gives a meaning. */
function knownScale(scale: number): Operand {
  const single = Math.fround(scale);
  if (Number.isFinite(single) && single !== 0) return scalar("F32", single);
  throw new ConvertError("unsupported", `a scale of ${scale}`);
}

/** A tensor of one element as a 0-d one. */
function single(builder: GraphBuilder, operand: Operand, what: string): Operand {
  if (operand.shape.every((extent) => extent === 1)) return reshape(builder, operand, []);
  throw new ConvertError("malformed", `${what} has the shape ${shapeText(operand.shape)}`);
}

/** Torch takes the whole part of a zero point. */
function wholeZero(builder: GraphBuilder, zeroPoint: Operand): Operand {
  return cast(builder, isFloat(zeroPoint.dtype) ? cast(builder, zeroPoint, "I32") : zeroPoint, "F32");
}

interface ByTensor {
  readonly scale: Operand;
  readonly zeroPoint: Operand;
  readonly least: number;
  readonly most: number;
}

function perTensor(builder: GraphBuilder, self: Operand, how: ByTensor): Operand {
  return fakeQuantized(builder, self, {
    ...how,
    scale: cast(builder, single(builder, how.scale, "a scale"), "F32"),
    zeroPoint: wholeZero(builder, single(builder, how.zeroPoint, "a zero point")),
  });
}

function perChannel(builder: GraphBuilder, self: Operand, how: ByTensor, axis: number): Operand {
  const { scale, zeroPoint } = how;
  const extent = self.shape[axis];
  if (axis < 0 || extent === undefined)
    throw new ConvertError("malformed", `there is no dimension ${axis} in ${shapeText(self.shape)}`);
  for (const part of [scale, zeroPoint])
    if (part.shape.length !== 1 || !isSameDimension(part.shape[0] ?? 0, extent))
      throw new ConvertError(
        "malformed",
        `scales of shape ${shapeText(part.shape)} along dimension ${axis} of ${shapeText(self.shape)}`,
      );
  if (scale.dtype !== "F32") throw new ConvertError("unsupported", `scales of ${scale.dtype}`);
  if (zeroPoint.dtype !== "I32") throw new ConvertError("unsupported", `zero points of ${zeroPoint.dtype}`);
  const shape = self.shape.map((own, index) => (index === axis ? own : 1));
  return fakeQuantized(builder, self, {
    ...how,
    scale: reshape(builder, scale, shape),
    zeroPoint: cast(builder, reshape(builder, zeroPoint, shape), "F32"),
  });
}

/** Whether a switch of a module is on; a switch that data set is refused. */
function isOn(flag: Operand, name: string): boolean {
  const [value] = knownNumbers(flag) ?? [];
  if (value === undefined) throw new ConvertError("unsupported", `data decide about "${name}"`);
  return value !== 0;
}

interface Observed {
  readonly running_min: Operand;
  readonly running_max: Operand;
  readonly quant_min: number;
  readonly quant_max: number;
  readonly symmetric_quant: boolean;
}

/** The steps of what was observed: torch chooses them anew in each call, and so takes no notice of the scale that it is given. */
function observedSteps(args: Observed): ByTensor {
  const { quant_min: least, quant_max: most } = args;
  const [lows, highs] = [args.running_min, args.running_max].map(writtenNumbers);
  if (lows === undefined || highs === undefined || lows.length !== highs.length)
    throw new ConvertError(
      "unsupported",
      "the smallest and the largest values were not written into the archive",
    );
  if (least >= most) throw new ConvertError("malformed", `a range from ${least} to ${most} has no steps`);
  if (![...lows, ...highs].every(Number.isFinite))
    throw new ConvertError("unsupported", "the model was saved before it observed any values");
  const steps = lows.map((low, index) =>
    chooseParameters(low, highs[index] as number, least, most, args.symmetric_quant),
  );
  const { shape } = args.running_min;
  const scale = constant(
    "F32",
    shape,
    steps.map((own) => own.scale),
  );
  const zeroPoint = constant(
    "I32",
    shape,
    steps.map((own) => own.zeroPoint),
  );
  return { scale, zeroPoint, least, most };
}

/** Rounding to the steps of a quantized tensor that stays in floats, as models have it after training for quantization. */
export const fakeQuantizeRules: readonly OperatorRule[] = [
  rule(
    "fake_quantize_per_tensor_affine(Tensor self, Tensor scale, Tensor zero_point, int quant_min, int quant_max)",
    ({ self, scale, zero_point, quant_min, quant_max }, builder) =>
      perTensor(builder, self, { scale, zeroPoint: zero_point, least: quant_min, most: quant_max }),
  ),
  rule(
    "fake_quantize_per_tensor_affine(Tensor self, float scale, int zero_point, int quant_min, int quant_max)",
    ({ self, scale, zero_point, quant_min, quant_max }, builder) => {
      if (zero_point < quant_min || zero_point > quant_max)
        throw new ConvertError(
          "malformed",
          `a zero point of ${zero_point}, from ${quant_min} to ${quant_max}`,
        );
      return fakeQuantized(builder, self, {
        scale: knownScale(scale),
        zeroPoint: constant("F32", [], [zero_point]),
        least: quant_min,
        most: quant_max,
      });
    },
  ),
  rule(
    "fake_quantize_per_channel_affine(Tensor self, Tensor scale, Tensor zero_point, int axis, int quant_min, int quant_max)",
    ({ self, scale, zero_point, axis, quant_min, quant_max }, builder) =>
      perChannel(builder, self, { scale, zeroPoint: zero_point, least: quant_min, most: quant_max }, axis),
  ),
  rule(
    "fused_moving_avg_obs_fake_quant(Tensor self, Tensor observer_on, Tensor fake_quant_on, Tensor running_min, Tensor running_max, Tensor scale, Tensor zero_point, float averaging_const, int quant_min, int quant_max, int ch_axis, bool per_row_fake_quant=False, bool symmetric_quant=False)",
    (args, builder) => {
      if (isOn(args.observer_on, "observer_on"))
        throw new ConvertError(
          "unsupported",
          "the model still observes its values: apply torch.ao.quantization.disable_observer to it before it is saved",
        );
      if (!isOn(args.fake_quant_on, "fake_quant_on")) return args.self;
      const how = observedSteps(args);
      return args.per_row_fake_quant
        ? perChannel(builder, args.self, how, args.ch_axis)
        : perTensor(builder, args.self, how);
    },
  ),
];
