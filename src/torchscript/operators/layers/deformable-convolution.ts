import { ConvertError } from "../../../core/errors.ts";
import { intAttribute, intsAttribute } from "../../emit/attributes.ts";
import { type Dimension, shapeText } from "../../shapes/dimension.ts";
import { inSingle, windowCount } from "../layout/windows.ts";
import { type OperatorRule, rule } from "../rule.ts";

const signature =
  "torchvision::deform_conv2d(Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, int stride_h, int stride_w, int pad_h, int pad_w, int dilation_h, int dilation_w, int groups, int offset_groups, bool use_mask)";

/** Convolutions that sample their input beside the places of the kernel. */
export const deformableConvolutionRules: readonly OperatorRule[] = [
  rule(signature, (args, builder, context) => {
    const { input, weight, offset, mask, bias, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w } =
      args;
    if (builder.opset < 19)
      throw new ConvertError("unsupported", "a deformable convolution, which needs opset 19");
    const [height, width] = weight.shape.slice(2) as [number, number];
    if (input.shape.length !== 4 || weight.shape.length !== 4 || offset.shape.length !== 4)
      throw new ConvertError(
        "malformed",
        `a deformable convolution of ${shapeText(input.shape)} with weights ${shapeText(weight.shape)}`,
      );
    const shape = [
      input.shape[0] as Dimension,
      weight.shape[0] as Dimension,
      windowCount(input.shape[2] as Dimension, 2 * pad_h, height, stride_h, dilation_h),
      windowCount(input.shape[3] as Dimension, 2 * pad_w, width, stride_w, dilation_w),
    ];
    const coordinates = 2 * args.offset_groups * height * width;
    const wanted = [shape[0] as Dimension, coordinates, ...shape.slice(2)];
    if (!wanted.every((extent, axis) => builder.guards.decide(extent, "==", offset.shape[axis] as Dimension)))
      throw new ConvertError(
        "malformed",
        `offsets of shape ${shapeText(offset.shape)} where ${shapeText(wanted)} is expected`,
      );
    const operands = [input, weight, offset, bias, args.use_mask ? mask : undefined];
    return inSingle(builder, operands, context, (given) =>
      builder.node(
        "DeformConv",
        given,
        { dtype: given[0]?.dtype ?? "F32", shape },
        {
          dilations: intsAttribute([dilation_h, dilation_w]),
          group: intAttribute(args.groups),
          kernel_shape: intsAttribute([height, width]),
          offset_group: intAttribute(args.offset_groups),
          pads: intsAttribute([pad_h, pad_w, pad_h, pad_w]),
          strides: intsAttribute([stride_h, stride_w]),
        },
      ),
    );
  }),
];
