import { ConvertError } from "../../../core/errors.ts";
import { add, divide, multiply, number, subtract, unary } from "../../emit/arithmetic.ts";
import { floatAttribute, intAttribute } from "../../emit/attributes.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { reshape } from "../../emit/layout.ts";
import { constant, type Operand, tableOf } from "../../emit/operand.ts";
import { reduce } from "../../emit/reduce.ts";
import { type Dimension, shapeText } from "../../shapes/dimension.ts";
import { type OperatorRule, type RuleContext, rule } from "../rule.ts";

/** One number for each channel, shaped so that it broadcasts along axis 1. */
function alongChannels(builder: GraphBuilder, values: Operand, rank: number): Operand {
  return reshape(builder, values, [values.shape[0] as Dimension, ...new Array(rank - 2).fill(1)]);
}

/** As many equal numbers as there are channels. */
function filled(builder: GraphBuilder, x: Operand, value: number): Operand {
  const channels = builder.guards.settle(
    x.shape[1] as Dimension,
    "the number of channels of a normalization",
  );
  return constant(
    x.dtype,
    [channels],
    tableOf(channels, () => value),
  );
}

/** By the statistics of the batch at hand. */
function normalized(
  builder: GraphBuilder,
  x: Operand,
  axes: readonly number[],
  weight: Operand | undefined,
  bias: Operand | undefined,
  epsilon: number,
): Operand {
  const centred = subtract(builder, x, reduce(builder, "ReduceMean", x, axes, true));
  const variance = reduce(builder, "ReduceMean", multiply(builder, centred, centred), axes, true);
  const deviation = unary(builder, "Sqrt", add(builder, variance, number(x.dtype, epsilon)));
  const scaled = divide(builder, centred, deviation);
  const rank = x.shape.length;
  const weighted =
    weight === undefined ? scaled : multiply(builder, scaled, alongChannels(builder, weight, rank));
  return bias === undefined ? weighted : add(builder, weighted, alongChannels(builder, bias, rank));
}

/** Per channel, by the running statistics, or by those of the batch in training. */
export function batchNorm(
  builder: GraphBuilder,
  context: RuleContext,
  args: {
    readonly input: Operand;
    readonly weight: Operand | undefined;
    readonly bias: Operand | undefined;
    readonly running_mean: Operand | undefined;
    readonly running_var: Operand | undefined;
    readonly training: boolean;
    readonly eps: number;
  },
): Operand {
  const { input, weight, bias, running_mean: mean, running_var: variance, eps } = args;
  if (input.shape.length < 2)
    throw new ConvertError("malformed", `a tensor of shape ${shapeText(input.shape)} has no channels`);
  for (const each of [weight, bias, mean, variance])
    if (each !== undefined && !builder.guards.permits(each.shape[0] ?? 1, "==", input.shape[1] as Dimension))
      throw new ConvertError(
        "malformed",
        `batch normalization of ${shapeText(each.shape)} channels is given ${shapeText(input.shape)}`,
      );
  if (args.training || mean === undefined || variance === undefined) {
    if (args.training && mean !== undefined)
      context.warn(
        "the model was saved in training mode: its batch normalization uses the statistics of each batch",
      );
    const axes = input.shape.map((_, axis) => axis).filter((axis) => axis !== 1);
    return normalized(builder, input, axes, weight, bias, eps);
  }
  return builder.node(
    "BatchNormalization",
    [input, weight ?? filled(builder, input, 1), bias ?? filled(builder, input, 0), mean, variance],
    input,
    { epsilon: floatAttribute(eps) },
  );
}

/** Over the last axes, whose extents `shape` says. */
export function layerNorm(
  builder: GraphBuilder,
  x: Operand,
  shape: readonly Dimension[],
  weight: Operand | undefined,
  bias: Operand | undefined,
  epsilon: number,
): Operand {
  const axis = x.shape.length - shape.length;
  const fits =
    axis >= 0 &&
    shape.every((extent, index) => builder.guards.decide(extent, "==", x.shape[axis + index] as Dimension));
  if (!fits)
    throw new ConvertError(
      "malformed",
      `a tensor of shape ${shapeText(x.shape)} is normalized over ${shapeText(shape)}`,
    );
  const scale = weight ?? ones(builder, x, shape);
  return builder.node("LayerNormalization", [x, scale, bias], x, {
    axis: intAttribute(-shape.length),
    epsilon: floatAttribute(epsilon),
  });
}

function ones(builder: GraphBuilder, x: Operand, shape: readonly Dimension[]): Operand {
  const extents = shape.map((extent) => builder.guards.settle(extent, "the extent of a normalization"));
  return constant(
    x.dtype,
    extents,
    tableOf(
      extents.reduce((product, extent) => product * extent, 1),
      () => 1,
    ),
  );
}

/** Groups of channels become instances of one channel each. */
export function groupNorm(
  builder: GraphBuilder,
  x: Operand,
  groups: number,
  weight: Operand | undefined,
  bias: Operand | undefined,
  epsilon: number,
): Operand {
  const [batch] = x.shape;
  const grouped = reshape(builder, x, [batch as Dimension, groups, -1]);
  const same = (value: number): Operand =>
    constant(
      x.dtype,
      [groups],
      tableOf(groups, () => value),
    );
  // The runtime has no such operator for float64.
  const normal =
    x.dtype === "F64"
      ? normalized(builder, grouped, [2], undefined, undefined, epsilon)
      : builder.node("InstanceNormalization", [grouped, same(1), same(0)], grouped, {
          epsilon: floatAttribute(epsilon),
        });
  const back = reshape(builder, normal, x.shape);
  const rank = x.shape.length;
  const weighted =
    weight === undefined ? back : multiply(builder, back, alongChannels(builder, weight, rank));
  return bias === undefined ? weighted : add(builder, weighted, alongChannels(builder, bias, rank));
}

/** Normalizations. */
export const normalizationRules: readonly OperatorRule[] = [
  rule(
    "batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, float momentum, float eps, any cudnn_enabled)",
    (args, builder, context) => batchNorm(builder, context, args),
  ),
  rule(
    "layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight=None, Tensor? bias=None, float eps=1e-5, any cudnn_enable=True)",
    ({ input, normalized_shape, weight, bias, eps }, builder) =>
      layerNorm(builder, input, normalized_shape, weight, bias, eps),
  ),
  rule(
    "group_norm(Tensor input, int num_groups, Tensor? weight=None, Tensor? bias=None, float eps=1e-5, any cudnn_enabled=True)",
    ({ input, num_groups, weight, bias, eps }, builder) =>
      groupNorm(builder, input, num_groups, weight, bias, eps),
  ),
  rule(
    "instance_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool use_input_stats, float momentum, float eps, any cudnn_enabled)",
    ({ input, weight, bias, running_mean, running_var, use_input_stats, eps }, builder, context) => {
      if (!use_input_stats)
        return batchNorm(builder, context, {
          input,
          weight,
          bias,
          running_mean,
          running_var,
          training: false,
          eps,
        });
      const axes = input.shape.map((_, axis) => axis).slice(2);
      return normalized(builder, input, axes, weight, bias, eps);
    },
  ),
];
