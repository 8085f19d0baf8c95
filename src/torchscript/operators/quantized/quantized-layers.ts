import { ConvertError } from "../../../core/errors.ts";
import { add, binary, multiply, number, scaled, unary, where } from "../../emit/arithmetic.ts";
import { floatAttribute } from "../../emit/attributes.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { axisOf, concat, squeeze, unsqueeze } from "../../emit/layout.ts";
import { linear } from "../../emit/linear.ts";
import type { Operand } from "../../emit/operand.ts";
import { dequantized, type QuantizedOperand, quantized, wholeOf, wholeScheme } from "../../emit/quantized.ts";
import type { PackedLayer } from "../../values/value.ts";
import { convolve } from "../layers/convolution.ts";
import { type OperatorRule, type RuleContext, rule } from "../rule.ts";

/** Rounded to the steps of a layer's output; the integers have the dtype of its input. */
function rounded(
  builder: GraphBuilder,
  x: Operand,
  { dtype }: QuantizedOperand,
  scale: number,
  zeroPoint: number,
): QuantizedOperand {
  return quantized(builder, x, dtype, wholeScheme(dtype, scale, zeroPoint));
}

function rectified(builder: GraphBuilder, x: Operand, name: string): Operand {
  return name.endsWith("_relu") ? unary(builder, "Relu", x) : x;
}

/** The numbers of an input, which has one scale. */
function numbersOf(builder: GraphBuilder, x: QuantizedOperand): Operand {
  wholeOf(x);
  return dequantized(builder, x);
}

/** The kernels take inputs of quint8 only. */
function layerInput(builder: GraphBuilder, x: QuantizedOperand): Operand {
  if (x.dtype === "U8") return numbersOf(builder, x);
  throw new ConvertError("unsupported", "a quantized layer whose input is not of quint8");
}

interface Layer {
  readonly qx: QuantizedOperand;
  readonly packed: PackedLayer;
  readonly output_scale: number;
  readonly output_zero_point: number;
}

type LayerSignature = "a(Quantized qx, Packed packed, float output_scale, int output_zero_point)";

/** One of one axis is packed as one of two. */
function convolution(
  builder: GraphBuilder,
  context: RuleContext,
  { qx, packed }: Layer,
  axes: number,
): Operand {
  const { weight, bias, stride, padding, dilation, groups } = packed;
  const input = layerInput(builder, qx);
  const rank = weight.shape.length;
  const isWidened = axes === 1 && rank === 4;
  if (!isWidened && rank !== axes + 2)
    throw new ConvertError("malformed", `a convolution of ${axes} dimensions has weights of ${rank}`);
  // Torch takes no samples without a batch here.
  if (input.shape.length !== axes + 2)
    throw new ConvertError(
      "malformed",
      `a convolution of ${axes} dimensions is given a tensor of ${input.shape.length}`,
    );
  const made = convolve(builder, context, {
    input: isWidened ? unsqueeze(builder, input, [2]) : input,
    weight: dequantized(builder, weight),
    bias,
    stride,
    padding,
    dilation,
    groups,
  });
  return isWidened ? squeeze(builder, made, [2]) : made;
}

const layers: readonly OperatorRule[] = ["", "_relu"].flatMap((suffix) => [
  ...[1, 2, 3].map((axes) => {
    const name = `quantized::conv${axes}d${suffix}`;
    return rule(
      `${name}(Quantized qx, Packed packed, float output_scale, int output_zero_point)` as LayerSignature,
      (args, builder, context) => {
        const made = rectified(builder, convolution(builder, context, args, axes), name);
        return rounded(builder, made, args.qx, args.output_scale, args.output_zero_point);
      },
    );
  }),
  rule(
    `quantized::linear${suffix}(Quantized qx, Packed packed, float output_scale, int output_zero_point)` as LayerSignature,
    ({ qx, packed, output_scale, output_zero_point }, builder) => {
      const weight = dequantized(builder, packed.weight);
      const made = linear(builder, layerInput(builder, qx), weight, packed.bias);
      return rounded(builder, rectified(builder, made, suffix), qx, output_scale, output_zero_point);
    },
  ),
]);

type PairSignature = "a(Quantized qa, Quantized qb, float scale, int zero_point)";
type ListSignature = "a(Quantized[] qx, int dim, float? scale, int? zero_point)";

function pair(builder: GraphBuilder, name: string, a: QuantizedOperand, b: QuantizedOperand): Operand {
  if (a.dtype !== b.dtype)
    throw new ConvertError("malformed", `"${name}" of quantized tensors of ${a.dtype} and ${b.dtype}`);
  const compute = name.includes("add") ? add : multiply;
  return compute(builder, numbersOf(builder, a), numbersOf(builder, b));
}

function joined(builder: GraphBuilder, parts: readonly QuantizedOperand[], dim: number): Operand {
  const [first] = parts;
  if (first === undefined || parts.some(({ dtype }) => dtype !== first.dtype))
    throw new ConvertError("malformed", "quantized tensors of several dtypes are joined");
  const floats = parts.map((part) => numbersOf(builder, part));
  return concat(builder, floats, axisOf(dim, first.shape.length));
}

const combined: readonly OperatorRule[] = ["", "_relu"].flatMap((suffix) => [
  ...["add", "mul"].map((word) => {
    const name = `quantized::${word}${suffix}`;
    return rule(
      `${name}(Quantized qa, Quantized qb, float scale, int zero_point)` as PairSignature,
      ({ qa, qb, scale, zero_point }, builder) =>
        rounded(builder, rectified(builder, pair(builder, name, qa, qb), name), qa, scale, zero_point),
    );
  }),
  rule(
    `quantized::cat${suffix}(Quantized[] qx, int dim, float? scale, int? zero_point)` as ListSignature,
    ({ qx, dim, scale, zero_point }, builder) => {
      const made = rectified(builder, joined(builder, qx, dim), suffix);
      const first = qx[0] as QuantizedOperand;
      const { scales, zeroPoints } = first.origin.scheme;
      return rounded(
        builder,
        made,
        first,
        scale ?? (scales[0] as number),
        zero_point ?? (zeroPoints[0] as number),
      );
    },
  ),
]);

/** `x · weight / sqrt(var + eps) + …`, with numbers for each channel. */
function normalized(builder: GraphBuilder, x: Operand, parameters: readonly Operand[], eps: number): Operand {
  return builder.node("BatchNormalization", [x, ...parameters], x, { epsilon: floatAttribute(eps) });
}

type NormSignature =
  "a(Quantized qx, Tensor weight, Tensor bias, Tensor mean, Tensor var, float eps, float output_scale, int output_zero_point)";

const norms: readonly OperatorRule[] = ["1d", "2d", "3d", ""].flatMap((axes) =>
  ["", "_relu"].map((suffix) =>
    rule(
      `quantized::batch_norm${axes}${suffix}(Quantized qx, Tensor weight, Tensor bias, Tensor mean, Tensor var, float eps, float output_scale, int output_zero_point)` as NormSignature,
      ({ qx, weight, bias, mean, var: variance, eps, output_scale, output_zero_point }, builder) => {
        const made = normalized(builder, numbersOf(builder, qx), [weight, bias, mean, variance], eps);
        return rounded(builder, rectified(builder, made, suffix), qx, output_scale, output_zero_point);
      },
    ),
  ),
);

function leaky(builder: GraphBuilder, x: Operand, slope: number): Operand {
  const isPositive = binary(builder, "Greater", x, number("F32", 0));
  return where(builder, isPositive, x, scaled(builder, x, slope));
}

const activations: readonly OperatorRule[] = [
  rule("quantized::relu6(Quantized qx, bool inplace=False)", ({ qx }, builder) => {
    const x = numbersOf(builder, qx);
    const kept = builder.node("Clip", [x, number("F32", 0), number("F32", 6)], x);
    return quantized(builder, kept, qx.dtype, qx.origin.scheme);
  }),
  rule(
    "quantized::hardswish(Quantized input, float output_scale, int output_zero_point)",
    ({ input, output_scale, output_zero_point }, builder) =>
      rounded(
        builder,
        unary(builder, "HardSwish", numbersOf(builder, input)),
        input,
        output_scale,
        output_zero_point,
      ),
  ),
  rule(
    "quantized::sigmoid(Quantized qx, float output_scale, int output_zero_point)",
    ({ qx, output_scale, output_zero_point }, builder) =>
      rounded(
        builder,
        unary(builder, "Sigmoid", numbersOf(builder, qx)),
        qx,
        output_scale,
        output_zero_point,
      ),
  ),
  rule(
    "quantized::leaky_relu(Quantized qx, Scalar negative_slope, bool inplace, float output_scale, int output_zero_point)",
    ({ qx, negative_slope, output_scale, output_zero_point }, builder) =>
      rounded(
        builder,
        leaky(builder, numbersOf(builder, qx), Number(negative_slope)),
        qx,
        output_scale,
        output_zero_point,
      ),
  ),
  rule("cat(Quantized[] tensors, int dim=0)", ({ tensors, dim }, builder) => {
    const [first] = tensors as readonly [QuantizedOperand];
    const { scheme } = first.origin;
    return quantized(builder, joined(builder, tensors, dim), first.dtype, scheme);
  }),
];

/** Layers that are computed in floats between quantized tensors, and rounded to the steps that they give. */
export const quantizedLayerRules: readonly OperatorRule[] = [
  ...layers,
  ...combined,
  ...norms,
  ...activations,
];
