import { ConvertError } from "../../../core/errors.ts";
import { floatAttribute, intAttribute, stringAttribute } from "../../emit/attributes.ts";
import type { Attributes, GraphBuilder } from "../../emit/graph-builder.ts";
import { gather } from "../../emit/layout.ts";
import { constant, integers, type Operand, tableOf } from "../../emit/operand.ts";
import {
  type Dimension,
  hintOf,
  isSameDimension,
  multiplyDimensions,
  shapeText,
} from "../../shapes/dimension.ts";
import { inSingle } from "../layout/windows.ts";
import { type OperatorRule, type RuleContext, rule } from "../rule.ts";

/** What is asked of the spatial axes: sizes, and the scales that they came from where torch computes with those. */
interface Target {
  readonly sizes: readonly Dimension[];
  readonly scales: readonly (number | undefined)[];
}

/** From sizes or scales, of which one form is given; each extent times its scale is rounded down. */
function targetOf(
  builder: GraphBuilder,
  x: Operand,
  sizes: readonly Dimension[] | undefined,
  scales: readonly number[] | undefined,
): Target {
  const spatial = x.shape.slice(2);
  if (sizes !== undefined) return { sizes, scales: spatial.map(() => undefined) };
  if (scales === undefined) throw new ConvertError("malformed", "a resize is given neither sizes nor scales");
  return {
    sizes: spatial.map((extent, axis) => {
      const scale = scales[axis] as number;
      if (Number.isInteger(scale)) return multiplyDimensions(extent, scale);
      return Math.floor(builder.guards.settle(extent, "an extent that is resized by a fraction") * scale);
    }),
    scales,
  };
}

function checkSizes(sizes: readonly Dimension[]): void {
  if (sizes.some((size) => typeof size === "number" && size < 1))
    throw new ConvertError("malformed", `a tensor is resized to ${shapeText(sizes)}`);
}

/** Each element of the result is the one of the operand that torch takes, axis by axis. */
function nearest(builder: GraphBuilder, x: Operand, target: Target, isExact: boolean): Operand {
  checkSizes(target.sizes);
  let result = x;
  const pending: number[] = [];
  for (const [index, size] of target.sizes.entries()) {
    const axis = index + 2;
    const extent = x.shape[axis] as Dimension;
    if (isSameDimension(size, extent) && (target.scales[index] ?? 1) === 1) continue;
    const [from, to] = [hintOf(extent), hintOf(size)];
    const isMultiple =
      from !== undefined &&
      to !== undefined &&
      isSameDimension(size, multiplyDimensions(extent, Math.floor(to / from)));
    if (
      isMultiple &&
      (target.scales[index] ?? (to as number) / (from as number)) === (to as number) / (from as number)
    ) {
      pending.push(index);
      continue;
    }
    result = picked(builder, result, axis, size, target.scales[index], isExact);
  }
  return pending.length === 0 ? result : repeated(builder, result, target, pending);
}

/** Whole multiples: every rule of rounding gives the same. */
function repeated(builder: GraphBuilder, x: Operand, target: Target, axes: readonly number[]): Operand {
  const shape = x.shape.map((extent, axis) =>
    axes.includes(axis - 2) ? (target.sizes[axis - 2] as Dimension) : extent,
  );
  const factors = x.shape.map((extent, axis) =>
    axes.includes(axis - 2)
      ? (hintOf(target.sizes[axis - 2] as Dimension) as number) / (hintOf(extent) as number)
      : 1,
  );
  const scales = constant("F32", [factors.length], factors);
  return builder.node(
    "Resize",
    [x, undefined, scales],
    { dtype: x.dtype, shape },
    {
      coordinate_transformation_mode: stringAttribute("asymmetric"),
      mode: stringAttribute("nearest"),
      nearest_mode: stringAttribute("floor"),
    },
  );
}

/** Any other size: the indices as torch computes them, in float32. */
function picked(
  builder: GraphBuilder,
  x: Operand,
  axis: number,
  size: Dimension,
  scale: number | undefined,
  isExact: boolean,
): Operand {
  const from = builder.guards.settle(x.shape[axis] as Dimension, "an extent that is resized");
  const to = builder.guards.settle(size, "a size to resize to");
  const step = Math.fround(scale === undefined || scale <= 0 ? from / to : 1 / scale);
  const shift = isExact ? 0.5 : 0;
  const indices = tableOf(to, (index) => Math.min(Math.floor(Math.fround((index + shift) * step)), from - 1));
  return gather(builder, x, integers(indices), axis);
}

function interpolated(
  builder: GraphBuilder,
  x: Operand,
  target: Target,
  alignsCorners: boolean,
  attributes: Attributes,
): Operand {
  checkSizes(target.sizes);
  const [batch, channels] = x.shape as readonly [Dimension, Dimension];
  const shape = [batch, channels, ...target.sizes];
  const mode = alignsCorners ? "align_corners" : "half_pixel";
  const all = { coordinate_transformation_mode: stringAttribute(mode), ...attributes };
  const usesScales = !alignsCorners && target.scales.every((scale) => scale !== undefined);
  if (usesScales) checkScales(x, target);
  const scales = usesScales
    ? constant("F32", [shape.length], [1, 1, ...(target.scales as readonly number[])])
    : undefined;
  const sizes = usesScales ? undefined : integers(shape);
  return builder.node("Resize", [x, undefined, scales, sizes], { dtype: x.dtype, shape }, all);
}

/** The runtime multiplies in float32; where that gives another size, it must not. */
function checkScales(x: Operand, { sizes, scales }: Target): void {
  for (const [index, size] of sizes.entries()) {
    const extent = x.shape[index + 2] as Dimension;
    const scale = scales[index] as number;
    if (typeof extent !== "number" || typeof size !== "number") continue;
    if (Math.floor(Math.fround(extent * Math.fround(scale))) === size) continue;
    throw new ConvertError(
      "unsupported",
      `an extent of ${extent} is resized by ${scale}, which ONNX would round to another size`,
    );
  }
}

const linearMode = { mode: stringAttribute("linear") };
const cubicMode = { mode: stringAttribute("cubic"), cubic_coeff_a: floatAttribute(-0.75) };
/** With antialiasing torch weighs by another cubic. */
const smooth = { antialias: intAttribute(1), exclude_outside: intAttribute(1) };
const smoothCubicMode = { mode: stringAttribute("cubic"), cubic_coeff_a: floatAttribute(-0.5), ...smooth };

function checkRank(x: Operand, rank: number): void {
  if (x.shape.length !== rank)
    throw new ConvertError(
      "malformed",
      `a tensor of shape ${shapeText(x.shape)} is resized where ${rank} dimensions are expected`,
    );
}

function nearestRules(name: string, rank: number, isExact: boolean): readonly OperatorRule[] {
  const spelled = ["scales_d", "scales_h", "scales_w"]
    .slice(5 - rank)
    .map((axis) => `, float? ${axis}=None`)
    .join("");
  const own = rank === 3 ? ", float? scales=None" : spelled;
  const run = (x: Operand, target: Target, builder: GraphBuilder, context: RuleContext): Operand => {
    checkRank(x, rank);
    return inSingle(builder, [x], context, ([single]) =>
      nearest(builder, single as Operand, target, isExact),
    );
  };
  return [
    rule(
      `${name}(Tensor self, SymInt[]? output_size, float[]? scale_factors)` as "a(Tensor self, SymInt[]? output_size, float[]? scale_factors)",
      ({ self, output_size, scale_factors }, builder, context) =>
        run(self, targetOf(builder, self, output_size, scale_factors), builder, context),
    ),
    rule(
      `${name}(Tensor self, SymInt[] output_size${own})` as "a(Tensor self, SymInt[] output_size)",
      (args, builder, context) =>
        run(args.self, { sizes: args.output_size, scales: scalesOf(args, rank) }, builder, context),
    ),
  ];
}

/** The scales of the form that names them one by one. */
function scalesOf(args: object, rank: number): readonly (number | undefined)[] {
  const given = args as Readonly<Record<string, number | undefined>>;
  if (rank === 3) return [given["scales"]];
  return ["scales_d", "scales_h", "scales_w"].slice(5 - rank).map((name) => given[name]);
}

function smoothRules(name: string, rank: number, attributes: Attributes): readonly OperatorRule[] {
  const spelled = ["scales_d", "scales_h", "scales_w"]
    .slice(5 - rank)
    .map((axis) => `, float? ${axis}=None`)
    .join("");
  const own = rank === 3 ? ", float? scales=None" : spelled;
  const run = (
    x: Operand,
    target: Target,
    aligns: boolean,
    builder: GraphBuilder,
    context: RuleContext,
  ): Operand => {
    checkRank(x, rank);
    if (builder.opset < 18 && "antialias" in attributes)
      throw new ConvertError("unsupported", `${name} needs opset 18`);
    return inSingle(builder, [x], context, ([single]) =>
      interpolated(builder, single as Operand, target, aligns, attributes),
    );
  };
  return [
    rule(
      `${name}(Tensor self, SymInt[]? output_size, bool align_corners, float[]? scale_factors)` as "a(Tensor self, SymInt[]? output_size, bool align_corners, float[]? scale_factors)",
      ({ self, output_size, align_corners, scale_factors }, builder, context) =>
        run(self, targetOf(builder, self, output_size, scale_factors), align_corners, builder, context),
    ),
    rule(
      `${name}(Tensor self, SymInt[] output_size, bool align_corners${own})` as "a(Tensor self, SymInt[] output_size, bool align_corners)",
      (args, builder, context) =>
        run(
          args.self,
          { sizes: args.output_size, scales: scalesOf(args, rank) },
          args.align_corners,
          builder,
          context,
        ),
    ),
  ];
}

/** Resizing of images and signals. */
export const resizeRules: readonly OperatorRule[] = [
  ...[1, 2, 3].flatMap((count) => [
    ...nearestRules(`upsample_nearest${count}d`, count + 2, false),
    ...nearestRules(`_upsample_nearest_exact${count}d`, count + 2, true),
  ]),
  ...smoothRules("upsample_linear1d", 3, linearMode),
  ...smoothRules("upsample_bilinear2d", 4, linearMode),
  ...smoothRules("upsample_trilinear3d", 5, linearMode),
  ...smoothRules("upsample_bicubic2d", 4, cubicMode),
  ...smoothRules("_upsample_bilinear2d_aa", 4, { ...linearMode, ...smooth }),
  ...smoothRules("_upsample_bicubic2d_aa", 4, smoothCubicMode),
];
