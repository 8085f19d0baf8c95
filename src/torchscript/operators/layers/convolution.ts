import { ConvertError } from "../../../core/errors.ts";
import { intAttribute, intsAttribute } from "../../emit/attributes.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { transpose } from "../../emit/layout.ts";
import type { Operand } from "../../emit/operand.ts";
import { addDimensions, type Dimension, multiplyDimensions, shapeText } from "../../shapes/dimension.ts";
import { batched, inSingle, perAxis, windowCount } from "../layout/windows.ts";
import { type OperatorRule, type RuleContext, rule } from "../rule.ts";

interface Convolution {
  readonly input: Operand;
  readonly weight: Operand;
  readonly bias: Operand | undefined;
  readonly stride: readonly number[];
  readonly padding: readonly number[] | "same" | "valid";
  readonly dilation: readonly number[];
  readonly groups: number;
}

/** A convolution of a batch or of one sample. */
export function convolve(builder: GraphBuilder, context: RuleContext, what: Convolution): Operand {
  const rank = what.weight.shape.length;
  const kernel = kernelOf(what.weight);
  const count = kernel.length;
  const stride = perAxis(what.stride, count, "the stride of a convolution");
  const dilation = perAxis(what.dilation, count, "the dilation of a convolution");
  const pads = padsOf(what.padding, kernel, dilation);
  checkChannels(builder, what, (what.weight.shape[1] as number) * what.groups);
  return inSingle(builder, [what.input, what.weight, what.bias], context, ([input, weight, bias]) =>
    batched(builder, input as Operand, rank, (batch) => {
      const spatial = kernel.map((size, axis) =>
        windowCount(
          batch.shape[axis + 2] as Dimension,
          (pads[axis] as number) + (pads[axis + count] as number),
          size,
          stride[axis] as number,
          dilation[axis] as number,
        ),
      );
      const shape = [batch.shape[0] as Dimension, what.weight.shape[0] as Dimension, ...spatial];
      return builder.node(
        "Conv",
        [batch, weight, bias],
        { dtype: batch.dtype, shape },
        {
          dilations: intsAttribute(dilation),
          group: intAttribute(what.groups),
          kernel_shape: intsAttribute(kernel),
          pads: intsAttribute(pads),
          strides: intsAttribute(stride),
        },
      );
    }),
  );
}

/** Pads at the begin of each axis, then at the end. "same" puts the odd one at the end. */
function padsOf(
  padding: Convolution["padding"],
  kernel: readonly number[],
  dilation: readonly number[],
): readonly number[] {
  if (padding === "valid") return new Array(kernel.length * 2).fill(0);
  if (padding === "same") {
    const totals = kernel.map((size, axis) => (dilation[axis] as number) * (size - 1));
    const begins = totals.map((total) => Math.floor(total / 2));
    return [...begins, ...totals.map((total, axis) => total - (begins[axis] as number))];
  }
  const pads = perAxis(padding, kernel.length, "the padding of a convolution");
  return [...pads, ...pads];
}

function kernelOf(weight: Operand): readonly number[] {
  const sizes = weight.shape.slice(2);
  if (sizes.length === 0 || !sizes.every((size) => typeof size === "number"))
    throw new ConvertError("malformed", `a convolution has weights of shape ${shapeText(weight.shape)}`);
  return sizes as readonly number[];
}

function checkChannels(builder: GraphBuilder, { input, weight }: Convolution, wanted: number): void {
  const axis = input.shape.length === weight.shape.length ? 1 : 0;
  const channels = input.shape[axis] ?? 0;
  if (!builder.guards.decide(channels, "==", wanted))
    throw new ConvertError(
      "malformed",
      `a convolution with ${wanted} channels is given a tensor of shape ${shapeText(input.shape)}`,
    );
}

interface Transposed extends Omit<Convolution, "padding"> {
  readonly padding: readonly number[];
  readonly outputPadding: readonly number[];
}

function convolveTransposed(builder: GraphBuilder, context: RuleContext, what: Transposed): Operand {
  const rank = what.weight.shape.length;
  const kernel = kernelOf(what.weight);
  const count = kernel.length;
  const stride = perAxis(what.stride, count, "the stride of a convolution");
  const dilation = perAxis(what.dilation, count, "the dilation of a convolution");
  const padding = perAxis(what.padding, count, "the padding of a convolution");
  const outputPadding = perAxis(what.outputPadding, count, "the output padding of a convolution");
  checkChannels(builder, { ...what, padding }, what.weight.shape[0] as number);
  return inSingle(builder, [what.input, what.weight, what.bias], context, ([input, weight, bias]) =>
    batched(builder, input as Operand, rank, (batch) => {
      const spatial = kernel.map((size, axis) => {
        const grown = multiplyDimensions(
          addDimensions(batch.shape[axis + 2] as Dimension, -1),
          stride[axis] as number,
        );
        const reach = (dilation[axis] as number) * (size - 1) + 1;
        return addDimensions(grown, reach + (outputPadding[axis] as number) - 2 * (padding[axis] as number));
      });
      const channels = multiplyDimensions(what.weight.shape[1] as Dimension, what.groups);
      return builder.node(
        "ConvTranspose",
        [batch, weight, bias],
        { dtype: batch.dtype, shape: [batch.shape[0] as Dimension, channels, ...spatial] },
        {
          dilations: intsAttribute(dilation),
          group: intAttribute(what.groups),
          kernel_shape: intsAttribute(kernel),
          output_padding: intsAttribute(outputPadding),
          pads: intsAttribute([...padding, ...padding]),
          strides: intsAttribute(stride),
        },
      );
    }),
  );
}

type General =
  "a(Tensor input, Tensor weight, Tensor? bias, int[] stride, int[] padding, int[] dilation, bool transposed, int[] output_padding, int groups)";

/** Traces name one operator for all; its last flags choose among kernels and mean nothing here. */
const general: readonly OperatorRule[] = [
  "",
  ", any a, any b, any c",
  ", any a, any b, any c, any d",
].flatMap((flags) =>
  ["convolution", "_convolution"].map((name) =>
    rule(
      `${name}(Tensor input, Tensor weight, Tensor? bias, int[] stride, int[] padding, int[] dilation, bool transposed, int[] output_padding, int groups${flags})` as General,
      (args, builder, context) =>
        args.transposed
          ? convolveTransposed(builder, context, { ...args, outputPadding: args.output_padding })
          : convolve(builder, context, args),
    ),
  ),
);

type Plain =
  "a(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, int[1] padding=0, int[1] dilation=1, int groups=1)";
type Named =
  "a(Tensor input, Tensor weight, Tensor? bias, int[1] stride, str padding, int[1] dilation=1, int groups=1)";
type Transpose =
  "a(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, int[1] padding=0, int[1] output_padding=0, int groups=1, int[1] dilation=1)";

function named(padding: string): "same" | "valid" {
  if (padding === "same" || padding === "valid") return padding;
  throw new ConvertError("malformed", `a convolution has the padding "${padding}"`);
}

const plain: readonly OperatorRule[] = ["1d", "2d", "3d"].flatMap((suffix) => [
  rule(
    `conv${suffix}(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, int[1] padding=0, int[1] dilation=1, int groups=1)` as Plain,
    (args, builder, context) => convolve(builder, context, args),
  ),
  rule(
    `conv${suffix}(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, str padding=valid, int[1] dilation=1, int groups=1)` as Named,
    (args, builder, context) => convolve(builder, context, { ...args, padding: named(args.padding) }),
  ),
  rule(
    `conv_transpose${suffix}(Tensor input, Tensor weight, Tensor? bias=None, int[1] stride=1, int[1] padding=0, int[1] output_padding=0, int groups=1, int[1] dilation=1)` as Transpose,
    (args, builder, context) =>
      convolveTransposed(builder, context, { ...args, outputPadding: args.output_padding }),
  ),
]);

/** Convolutions, and transposed ones. */
export const convolutionRules: readonly OperatorRule[] = [
  rule(
    "conv_tbc(Tensor self, Tensor weight, Tensor bias, int pad=0)",
    ({ self, weight, bias, pad }, builder, context) => {
      if (self.shape.length !== 3 || weight.shape.length !== 3)
        throw new ConvertError(
          "malformed",
          `conv_tbc of ${shapeText(self.shape)} with ${shapeText(weight.shape)}`,
        );
      // Time, batch, channels; the weight is the kernel's extent, then channels in and out.
      const result = convolve(builder, context, {
        input: transpose(builder, self, [1, 2, 0]),
        weight: transpose(builder, weight, [2, 1, 0]),
        bias,
        stride: [1],
        padding: [pad],
        dilation: [1],
        groups: 1,
      });
      return transpose(builder, result, [2, 0, 1]);
    },
  ),
  ...general,
  ...plain,
  rule(
    "_convolution_mode(Tensor input, Tensor weight, Tensor? bias, int[1] stride, str padding, int[1] dilation, int groups)",
    (args, builder, context) => convolve(builder, context, { ...args, padding: named(args.padding) }),
  ),
];
