import { ConvertError } from "../../../core/errors.ts";
import { add, multiply, number, subtract, unary } from "../../emit/arithmetic.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { expand, reshape } from "../../emit/layout.ts";
import { constant, type Operand } from "../../emit/operand.ts";
import { reduce } from "../../emit/reduce.ts";
import type { Dimension } from "../../shapes/dimension.ts";
import { type OperatorRule, type RuleContext, rule, viewRule } from "../rule.ts";
import { batchNorm, groupNorm, layerNorm } from "./normalization.ts";

/** The means over axes, and one by the deviations. */
function statistics(
  builder: GraphBuilder,
  x: Operand,
  axes: readonly number[],
  epsilon: number,
): readonly [Operand, Operand] {
  const mean = reduce(builder, "ReduceMean", x, axes, true);
  const centred = subtract(builder, x, mean);
  const variance = reduce(builder, "ReduceMean", multiply(builder, centred, centred), axes, true);
  const deviation = unary(builder, "Sqrt", add(builder, variance, number(x.dtype, epsilon)));
  return [mean, unary(builder, "Reciprocal", deviation)];
}

interface BatchNorm {
  readonly input: Operand;
  readonly weight: Operand | undefined;
  readonly bias: Operand | undefined;
  readonly running_mean: Operand | undefined;
  readonly running_var: Operand | undefined;
  readonly eps: number;
}

/** By the running statistics; in place of those of the batch there is nothing. */
function inEvaluation(builder: GraphBuilder, context: RuleContext, args: BatchNorm): readonly Operand[] {
  if (args.running_mean === undefined || args.running_var === undefined)
    throw new ConvertError("malformed", "batch normalization without statistics");
  const none = constant(args.input.dtype, [0], []);
  return [batchNorm(builder, context, { ...args, training: false }), none, none];
}

/** Normalizations as torch's own passes write them, with the statistics as further results. */
export const nativeNormalizationRules: readonly OperatorRule[] = [
  rule(
    "native_layer_norm(Tensor input, SymInt[] normalized_shape, Tensor? weight, Tensor? bias, float eps)",
    ({ input, normalized_shape, weight, bias, eps }, builder) => {
      const result = layerNorm(builder, input, normalized_shape, weight, bias, eps);
      const axes = [...input.shape.keys()].slice(input.shape.length - normalized_shape.length);
      return [result, ...statistics(builder, input, axes, eps)];
    },
  ),
  rule(
    "native_group_norm(Tensor input, Tensor? weight, Tensor? bias, SymInt N, SymInt C, SymInt HxW, int group, float eps)",
    ({ input, weight, bias, group, eps }, builder) => {
      const [batch] = input.shape;
      const grouped = reshape(builder, input, [batch as Dimension, group, -1]);
      const stats = statistics(builder, grouped, [2], eps).map((operand) =>
        reshape(builder, operand, [batch as Dimension, group]),
      );
      return [groupNorm(builder, input, group, weight, bias, eps), ...stats];
    },
  ),
  rule(
    "native_batch_norm(Tensor input, Tensor? weight, Tensor? bias, Tensor? running_mean, Tensor? running_var, bool training, float momentum, float eps)",
    ({ training, ...args }, builder, context) => {
      if (training)
        throw new ConvertError("unsupported", "batch normalization by the statistics of each batch");
      return inEvaluation(builder, context, args);
    },
  ),
  rule(
    "_native_batch_norm_legit_no_training(Tensor input, Tensor? weight, Tensor? bias, Tensor running_mean, Tensor running_var, float momentum, float eps)",
    (args, builder, context) => inEvaluation(builder, context, args),
  ),
  viewRule("native_dropout(Tensor input, float p, bool? train)", ({ input, train }, builder) => {
    if (train !== false) throw new ConvertError("unsupported", "dropout of a model that is trained");
    return [input, expand(builder, number("BOOL", 1), input.shape)];
  }),
];
