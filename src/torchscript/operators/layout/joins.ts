import { ConvertError } from "../../../core/errors.ts";
import { cast } from "../../emit/arithmetic.ts";
import { intAttribute, stringAttribute } from "../../emit/attributes.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { axisOf, concat, reshape, split, squeeze, transpose, unsqueeze } from "../../emit/layout.ts";
import type { Operand } from "../../emit/operand.ts";
import { overwriteSlice } from "../../emit/overwrite.ts";
import {
  addDimensions,
  type Dimension,
  dimensionText,
  divideDimensions,
  multiplyDimensions,
  remainderOfDimensions,
  shapeText,
} from "../../shapes/dimension.ts";
import { promotedType } from "../../values/promotion.ts";
import { type OperatorRule, rule, viewRule } from "../rule.ts";

/** One after the other; empty vectors are passed over, as torch does for old programs. */
export function joined(builder: GraphBuilder, tensors: readonly Operand[], dim: number): Operand {
  const dtype = promotedType(tensors);
  const full = tensors.filter((tensor) => !(tensor.shape.length === 1 && tensor.shape[0] === 0));
  const [first] = full;
  if (first === undefined) {
    if (tensors[0] === undefined) throw new ConvertError("malformed", "no tensors are concatenated");
    return tensors[0];
  }
  const axis = axisOf(dim, first.shape.length);
  return concat(
    builder,
    full.map((tensor) => cast(builder, tensor, dtype)),
    axis,
  );
}

function stacked(builder: GraphBuilder, tensors: readonly Operand[], dim: number): Operand {
  const [first] = tensors;
  if (first === undefined) throw new ConvertError("malformed", "no tensors are stacked");
  const axis = axisOf(dim, first.shape.length + 1);
  const dtype = promotedType(tensors);
  return concat(
    builder,
    tensors.map((tensor) => unsqueeze(builder, cast(builder, tensor, dtype), [axis])),
    axis,
  );
}

/** How many parts an operator may cut a tensor into: each is a value of the graph. */
const maxParts = 65_536;

/** As many parts of one extent. Throws kind `unsupported` for more of them than a graph should have. */
export function partList(count: number, extent: Dimension): readonly Dimension[] {
  if (count <= maxParts) return new Array<Dimension>(count).fill(extent);
  throw new ConvertError("unsupported", `a tensor is cut into ${count} parts`);
}

/** Extents of parts of `size` along an axis; the last one has what is left. */
function partsOf(builder: GraphBuilder, x: Operand, axis: number, size: number): readonly Dimension[] {
  const extent = builder.guards.settle(x.shape[axis] as Dimension, "an extent that is split");
  if (extent === 0) return [0];
  if (size <= 0) throw new ConvertError("malformed", `a tensor is split into parts of ${size}`);
  const parts = partList(Math.floor(extent / size), size);
  return extent % size === 0 ? parts : [...parts, extent % size];
}

/** Parts have to use up what is split. */
function checkWhole(builder: GraphBuilder, extent: Dimension, sizes: readonly Dimension[]): void {
  const total = sizes.reduce<Dimension>((sum, own) => addDimensions(sum, own), 0);
  if (builder.guards.permits(total, "==", extent) && !sizes.some((own) => typeof own === "number" && own < 0))
    return;
  throw new ConvertError(
    "malformed",
    `an extent of ${dimensionText(extent)} is split into [${sizes.map(dimensionText).join(", ")}]`,
  );
}

/** An open extent in equal parts, where it is a multiple of their number. */
export function evenParts(
  builder: GraphBuilder,
  extent: Dimension,
  count: number,
): readonly Dimension[] | undefined {
  if (typeof extent === "number") return undefined;
  const even = divideDimensions(extent, count);
  return builder.guards.decide(multiplyDimensions(even, count), "==", extent)
    ? partList(count, even)
    : undefined;
}

/** Torch makes parts of equal size, and fewer of them where that uses them up. */
function chunksOf(builder: GraphBuilder, x: Operand, axis: number, chunks: number): readonly Dimension[] {
  if (chunks < 1) throw new ConvertError("malformed", `a tensor is cut into ${chunks} chunks`);
  const extent = x.shape[axis] as Dimension;
  const even = evenParts(builder, extent, chunks);
  if (even !== undefined) return even;
  return partsOf(
    builder,
    x,
    axis,
    Math.ceil(builder.guards.settle(extent, "an extent that is cut in chunks") / chunks) || 1,
  );
}

/** `base` with `value` in the place of its part number `index`. */
function overwritePart(
  builder: GraphBuilder,
  base: Operand,
  value: Operand,
  axis: number,
  extents: readonly Dimension[],
  index: number,
): Operand {
  const start = extents.slice(0, index).reduce<Dimension>((sum, own) => addDimensions(sum, own), 0);
  return overwriteSlice(
    builder,
    base,
    value,
    axis,
    start,
    addDimensions(start, extents[index] as Dimension),
    1,
  );
}

type Sizes = "a(Tensor self, SymInt[] split_sizes, int dim=0) -> Tensor[]";
type Size = "a(Tensor self, int split_size, int dim=0) -> Tensor[]";
type Chunks = "a(Tensor self, int chunks, int dim=0) -> Tensor[]";

const splits: readonly OperatorRule[] = [
  ...["split", "unsafe_split"].map((name) =>
    viewRule(
      `${name}(Tensor self, int split_size, int dim=0) -> Tensor[]` as Size,
      ({ self, split_size, dim }, builder) => {
        const axis = axisOf(dim, self.shape.length);
        return split(builder, self, axis, partsOf(builder, self, axis, split_size));
      },
      ({ self, split_size, dim }, value, builder, index) => {
        const axis = axisOf(dim, self.shape.length);
        return overwritePart(builder, self, value, axis, partsOf(builder, self, axis, split_size), index);
      },
    ),
  ),
  ...["split_with_sizes", "unsafe_split_with_sizes", "split"].map((name) =>
    viewRule(
      `${name}(Tensor self, SymInt[] split_sizes, int dim=0) -> Tensor[]` as Sizes,
      ({ self, split_sizes, dim }, builder) => {
        const axis = axisOf(dim, self.shape.length);
        checkWhole(builder, self.shape[axis] as Dimension, split_sizes);
        return split(builder, self, axis, split_sizes);
      },
      ({ self, split_sizes, dim }, value, builder, index) =>
        overwritePart(builder, self, value, axisOf(dim, self.shape.length), split_sizes, index),
    ),
  ),
  ...["chunk", "unsafe_chunk"].map((name) =>
    viewRule(
      `${name}(Tensor self, int chunks, int dim=0) -> Tensor[]` as Chunks,
      ({ self, chunks, dim }, builder) => {
        const axis = axisOf(dim, self.shape.length);
        return split(builder, self, axis, chunksOf(builder, self, axis, chunks));
      },
      ({ self, chunks, dim }, value, builder, index) => {
        const axis = axisOf(dim, self.shape.length);
        return overwritePart(builder, self, value, axis, chunksOf(builder, self, axis, chunks), index);
      },
    ),
  ),
  viewRule(
    "unbind(Tensor self, int dim=0) -> Tensor[]",
    ({ self, dim }, builder) => {
      const axis = axisOf(dim, self.shape.length);
      if (self.shape[axis] === 0) return [];
      const parts = split(builder, self, axis, partsOf(builder, self, axis, 1));
      return parts.map((part) => squeeze(builder, part, [axis]));
    },
    ({ self, dim }, value, builder, index) => {
      const axis = axisOf(dim, self.shape.length);
      return overwritePart(
        builder,
        self,
        unsqueeze(builder, value, [axis]),
        axis,
        partsOf(builder, self, axis, 1),
        index,
      );
    },
  ),
];

/** Channels in groups of r² become blocks of r × r. */
function pixelShuffle(builder: GraphBuilder, x: Operand, factor: number): Operand {
  const depth = x.shape.at(-3);
  const isWhole =
    depth !== undefined &&
    factor > 0 &&
    builder.guards.permits(remainderOfDimensions(depth, factor * factor), "==", 0);
  if (!isWhole)
    throw new ConvertError("malformed", `pixels of ${shapeText(x.shape)} are shuffled by ${factor}`);
  const lead = x.shape.slice(0, -3);
  const [channels, height, width] = x.shape.slice(-3) as [Dimension, Dimension, Dimension];
  const fewer = divideDimensions(channels, factor * factor);
  const [tall, wide] = [multiplyDimensions(height, factor), multiplyDimensions(width, factor)];
  const batch = reshape(builder, x, [-1, channels, height, width]);
  const shape = [batch.shape[0] as Dimension, fewer, tall, wide];
  const blocks = builder.node(
    "DepthToSpace",
    [batch],
    { dtype: x.dtype, shape },
    { blocksize: intAttribute(factor), mode: stringAttribute("CRD") },
  );
  return reshape(builder, blocks, [...lead, fewer, tall, wide]);
}

function pixelUnshuffle(builder: GraphBuilder, x: Operand, factor: number): Operand {
  const lead = x.shape.slice(0, -3);
  const [channels, height, width] = x.shape.slice(-3) as [Dimension, Dimension, Dimension];
  const [low, narrow] = [divideDimensions(height, factor), divideDimensions(width, factor)];
  const cells = reshape(builder, x, [-1, channels, low, factor, narrow, factor]);
  const turned = transpose(builder, cells, [0, 1, 3, 5, 2, 4]);
  return reshape(builder, turned, [...lead, multiplyDimensions(channels, factor * factor), low, narrow]);
}

function channelShuffle(builder: GraphBuilder, x: Operand, groups: number): Operand {
  const [batch, channels, ...rest] = x.shape as [Dimension, Dimension, ...Dimension[]];
  const grouped = reshape(builder, x, [batch, groups, divideDimensions(channels, groups), -1]);
  return reshape(builder, transpose(builder, grouped, [0, 2, 1, 3]), [batch, channels, ...rest]);
}

/** Tensors put together and taken apart. */
export const joinRules: readonly OperatorRule[] = [
  ...["cat", "concat", "concatenate"].map((name) =>
    rule(
      `${name}(Tensor[] tensors, int dim=0)` as "a(Tensor[] tensors, int dim=0)",
      ({ tensors, dim }, builder) => joined(builder, tensors, dim),
    ),
  ),
  rule("stack(Tensor[] tensors, int dim=0)", ({ tensors, dim }, builder) => stacked(builder, tensors, dim)),
  ...splits,
  rule("pixel_shuffle(Tensor self, int upscale_factor)", ({ self, upscale_factor }, builder) =>
    pixelShuffle(builder, self, upscale_factor),
  ),
  rule("pixel_unshuffle(Tensor self, int downscale_factor)", ({ self, downscale_factor }, builder) =>
    pixelUnshuffle(builder, self, downscale_factor),
  ),
  ...["channel_shuffle", "native_channel_shuffle"].map((name) =>
    rule(`${name}(Tensor self, int groups)` as "a(Tensor self, int groups)", ({ self, groups }, builder) =>
      channelShuffle(builder, self, groups),
    ),
  ),
];
