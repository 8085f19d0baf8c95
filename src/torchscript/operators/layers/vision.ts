import { ConvertError } from "../../../core/errors.ts";
import { cast } from "../../emit/arithmetic.ts";
import { floatAttribute, intAttribute, intsAttribute, stringAttribute } from "../../emit/attributes.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { gather, reshape, slice, unsqueeze } from "../../emit/layout.ts";
import { constant, integers, type Operand, scalar, tableOf } from "../../emit/operand.ts";
import { type Dimension, divideDimensions, shapeText } from "../../shapes/dimension.ts";
import { withDataExtent } from "../indexing/data-selection.ts";
import { inSingle } from "../layout/windows.ts";
import { type OperatorRule, type RuleContext, rule } from "../rule.ts";

/** More boxes than there are: no limit. */
const allBoxes = 2 ** 31 - 1;

/** The boxes that no better one overlaps by more than the threshold, best first. */
function suppressed(
  builder: GraphBuilder,
  boxes: Operand,
  scores: Operand,
  threshold: number,
  context: RuleContext,
): Operand {
  if (boxes.shape.length !== 2 || boxes.shape[1] !== 4 || scores.shape.length !== 1)
    throw new ConvertError(
      "malformed",
      `nms of boxes ${shapeText(boxes.shape)} and scores ${shapeText(scores.shape)}`,
    );
  if (boxes.dtype === "F64") context.warn("boxes in float64 are compared in float32 by nms");
  const inputs = [
    unsqueeze(builder, cast(builder, boxes, "F32"), [0]),
    unsqueeze(builder, cast(builder, scores, "F32"), [0, 1]),
    integers([allBoxes]),
    constant("F32", [1], [Math.fround(threshold)]),
  ];
  const kept = builder.node("NonMaxSuppression", inputs, { dtype: "I64", shape: [-1, 3] });
  const counted = withDataExtent(builder, kept, 0, boxes.shape[0] as Dimension);
  return gather(builder, counted, scalar("I64", 2), 1);
}

interface Pooling {
  readonly scale: number;
  readonly height: number;
  readonly width: number;
}

function checkRegions(input: Operand, rois: Operand): void {
  if (input.shape.length === 4 && rois.shape.length === 2 && rois.shape[1] === 5) return;
  throw new ConvertError(
    "malformed",
    `regions ${shapeText(rois.shape)} of a tensor of shape ${shapeText(input.shape)}`,
  );
}

/** Regions are rows of the number of an image and two corners. */
function aligned(
  builder: GraphBuilder,
  input: Operand,
  rois: Operand,
  { scale, height, width }: Pooling,
  ratio: number,
  isAligned: boolean,
): Operand {
  checkRegions(input, rois);
  const numbers = cast(builder, gather(builder, rois, scalar("I64", 0), 1), "I64");
  const corners = slice(builder, rois, 1, 1, 5);
  const shape = [rois.shape[0] as Dimension, input.shape[1] as Dimension, height, width];
  return builder.node(
    "RoiAlign",
    [input, corners, numbers],
    { dtype: input.dtype, shape },
    {
      coordinate_transformation_mode: stringAttribute(isAligned ? "half_pixel" : "output_half_pixel"),
      mode: stringAttribute("avg"),
      output_height: intAttribute(height),
      output_width: intAttribute(width),
      sampling_ratio: intAttribute(Math.max(ratio, 0)),
      spatial_scale: floatAttribute(scale),
    },
  );
}

/** Each cell of a region is taken from a channel of its own: of all cells of all channels, one in each. */
function cellByChannel(builder: GraphBuilder, pooled: Operand, { height, width }: Pooling): Operand {
  const cells = height * width;
  const [count, channels] = pooled.shape as [Dimension, Dimension];
  const fewer = divideDimensions(channels, cells);
  const flat = reshape(builder, pooled, [count, fewer, cells * cells]);
  const own = integers(tableOf(cells, (cell) => cell * cells + cell));
  return reshape(builder, gather(builder, flat, own, 2), [count, fewer, height, width]);
}

/** The second result of a pooling, which nothing is known of. */
function unknownPlaces(operator: string): Operand {
  return { kind: "operand", dtype: "I32", shape: [], known: undefined, origin: { kind: "opaque", operator } };
}

const regions: readonly OperatorRule[] = [
  rule(
    "torchvision::roi_align(Tensor input, Tensor rois, float spatial_scale, int pooled_height, int pooled_width, int sampling_ratio, bool aligned=False)",
    (args, builder, context) =>
      inSingle(builder, [args.input, args.rois], context, ([input, rois]) =>
        aligned(
          builder,
          input as Operand,
          rois as Operand,
          poolingOf(args),
          args.sampling_ratio,
          args.aligned,
        ),
      ),
  ),
  rule(
    "torchvision::ps_roi_align(Tensor input, Tensor rois, float spatial_scale, int pooled_height, int pooled_width, int sampling_ratio)",
    (args, builder, context) => {
      const result = inSingle(builder, [args.input, args.rois], context, ([input, rois]) => {
        const pooling = poolingOf(args);
        const pooled = aligned(
          builder,
          input as Operand,
          rois as Operand,
          pooling,
          args.sampling_ratio,
          true,
        );
        return cellByChannel(builder, pooled, pooling);
      });
      return [result, unknownPlaces("the second result of torchvision::ps_roi_align")];
    },
  ),
  rule(
    "torchvision::roi_pool(Tensor input, Tensor rois, float spatial_scale, int pooled_height, int pooled_width)",
    (args, builder, context) => {
      const { scale, height, width } = poolingOf(args);
      checkRegions(args.input, args.rois);
      const result = inSingle(builder, [args.input, args.rois], context, ([input, rois]) =>
        builder.node(
          "MaxRoiPool",
          [input, rois],
          {
            dtype: (input as Operand).dtype,
            shape: [args.rois.shape[0] as Dimension, args.input.shape[1] as Dimension, height, width],
          },
          { pooled_shape: intsAttribute([height, width]), spatial_scale: floatAttribute(scale) },
        ),
      );
      return [result, unknownPlaces("the second result of torchvision::roi_pool")];
    },
  ),
];

function poolingOf(args: {
  readonly spatial_scale: number;
  readonly pooled_height: number;
  readonly pooled_width: number;
}): Pooling {
  return { scale: args.spatial_scale, height: args.pooled_height, width: args.pooled_width };
}

/** Torch's numbers of modes, in the words that ONNX has up to opset 19 and from 20 on. */
const samplingModes = [
  ["bilinear", "linear"],
  ["nearest", "nearest"],
  ["bicubic", "cubic"],
] as const;
const paddings = ["zeros", "border", "reflection"] as const;

function sampled(
  builder: GraphBuilder,
  input: Operand,
  grid: Operand,
  mode: number,
  padding: number,
  alignsCorners: boolean,
): Operand {
  const rank = input.shape.length;
  if (grid.shape.length !== rank || rank < 4 || rank > 5 || grid.shape[rank - 1] !== rank - 2)
    throw new ConvertError(
      "malformed",
      `a grid of shape ${shapeText(grid.shape)} for a tensor of shape ${shapeText(input.shape)}`,
    );
  if (rank === 5 && builder.opset < 20)
    throw new ConvertError("unsupported", "a grid in three dimensions, which needs opset 20");
  const words = samplingModes[mode];
  const border = paddings[padding];
  if (words === undefined || border === undefined)
    throw new ConvertError("malformed", `the sampling mode ${mode} with the padding mode ${padding}`);
  const shape = [...input.shape.slice(0, 2), ...grid.shape.slice(1, -1)];
  return builder.node(
    "GridSample",
    [input, grid],
    { dtype: input.dtype, shape },
    {
      align_corners: intAttribute(alignsCorners ? 1 : 0),
      mode: stringAttribute(words[builder.opset < 20 ? 0 : 1]),
      padding_mode: stringAttribute(border),
    },
  );
}

type Sampler = "a(Tensor input, Tensor grid, int mode, int padding, bool align)";

/** Boxes, regions of images, and images taken apart by coordinates. */
export const visionRules: readonly OperatorRule[] = [
  rule(
    "torchvision::nms(Tensor dets, Tensor scores, float iou_threshold)",
    ({ dets, scores, iou_threshold }, builder, context) =>
      suppressed(builder, dets, scores, iou_threshold, context),
  ),
  ...regions,
  ...["grid_sampler", "grid_sampler_2d", "grid_sampler_3d"].map((name) =>
    rule(
      `${name}(Tensor input, Tensor grid, int mode, int padding, bool align)` as Sampler,
      ({ input, grid, mode, padding, align }, builder, context) =>
        inSingle(builder, [input, grid], context, ([x, points]) =>
          sampled(builder, x as Operand, points as Operand, mode, padding, align),
        ),
    ),
  ),
];
