import { ConvertError } from "../../../core/errors.ts";
import { add, cast, multiply, number } from "../../emit/arithmetic.ts";
import { intAttribute, stringAttribute } from "../../emit/attributes.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { expand, gather, reshape, slice, transpose } from "../../emit/layout.ts";
import { constant, type Operand, tableOf } from "../../emit/operand.ts";
import { heldAs, isFloat } from "../../emit/types.ts";
import { type Dimension, multiplyDimensions, shapeText } from "../../shapes/dimension.ts";
import { type OperatorRule, rule } from "../rule.ts";
import { constantPad } from "./padding.ts";
import { batched, windowCount } from "./windows.ts";

/** Windows over the last two axes: two numbers for each property, of the rows and of the columns. */
interface Windows {
  readonly kernel_size: readonly number[];
  readonly dilation: readonly number[];
  readonly padding: readonly number[];
  readonly stride: readonly number[];
}

/** Windows along one axis of a padded plane. */
interface Line {
  readonly kernel: number;
  readonly pad: number;
  readonly count: number;
  /** Where element `at` of window `index` lies, padding included. */
  placeOf(at: number, index: number): number;
}

function lineOf(builder: GraphBuilder, extent: Dimension, windows: Windows, axis: number): Line {
  const size = builder.guards.settle(extent, "an extent of windows");
  const own = [windows.kernel_size, windows.dilation, windows.padding, windows.stride].map((of) => of[axis]);
  const [kernel, dilation, pad, stride] = own;
  if (kernel === undefined || dilation === undefined || pad === undefined || stride === undefined)
    throw new ConvertError(
      "malformed",
      "windows without two numbers for their kernel, dilation, padding and stride",
    );
  const count = windowCount(size, 2 * pad, kernel, stride, dilation) as number;
  if (count < 1)
    throw new ConvertError("malformed", `no window of ${kernel} elements fits an extent of ${size}`);
  return { kernel, pad, count, placeOf: (at, index) => at * dilation + index * stride };
}

/** The windows over an image as columns: `[batch, channels * elements, windows]`. */
function columnsOf(builder: GraphBuilder, image: Operand, windows: Windows): Operand {
  if (!isFloat(image.dtype) && image.dtype !== "BOOL")
    throw new ConvertError("malformed", `windows over an image of ${image.dtype}`);
  return batched(builder, image, 4, (batch) => {
    const [count, channels, height, width] = batch.shape as [Dimension, Dimension, Dimension, Dimension];
    const [rows, columns] = [lineOf(builder, height, windows, 0), lineOf(builder, width, windows, 1)];
    const padded = constantPad(builder, batch, [columns.pad, columns.pad, rows.pad, rows.pad], 0n);
    // Each axis becomes two: the elements of a window, and the windows.
    const apart = gather(builder, gather(builder, padded, places(columns), 3), places(rows), 2);
    const turned = transpose(builder, apart, [0, 1, 2, 4, 3, 5]);
    const depth = multiplyDimensions(channels, rows.kernel * columns.kernel);
    return reshape(builder, turned, [count, depth, rows.count * columns.count]);
  });
}

function places({ kernel, count, placeOf }: Line): Operand {
  const table = tableOf(kernel * count, (index) => placeOf(Math.floor(index / count), index % count));
  return constant("I64", [kernel, count], table);
}

/** The image whose windows are these columns: where they overlap, their elements are added up. */
function imageOf(
  builder: GraphBuilder,
  given: Operand,
  size: readonly Dimension[],
  windows: Windows,
): Operand {
  if (given.dtype === "BOOL")
    throw new ConvertError("unsupported", "an image of bools put together from windows");
  if (!isFloat(given.dtype))
    throw new ConvertError("malformed", `an image of ${given.dtype} put together from windows`);
  const wide = given.dtype === "F64" ? "F64" : "F32";
  return batched(builder, given, 3, (batch) => {
    const [height, width] = size.map((extent) => builder.guards.settle(extent, "a size to fold to"));
    const [rows, columns] = [
      lineOf(builder, height ?? 0, windows, 0),
      lineOf(builder, width ?? 0, windows, 1),
    ];
    const [count, depth, total] = batch.shape as [Dimension, Dimension, Dimension];
    const elements = rows.kernel * columns.kernel;
    const channels = builder.guards.settle(depth, "the channels of windows") / elements;
    const fits = builder.guards.decide(total, "==", rows.count * columns.count);
    if (size.length !== 2 || !fits || !Number.isInteger(channels))
      throw new ConvertError(
        "malformed",
        `windows of ${shapeText(given.shape)} are folded to ${shapeText(size)}`,
      );
    const plane = [(height ?? 0) + 2 * rows.pad, (width ?? 0) + 2 * columns.pad] as const;
    const planes = multiplyDimensions(count, channels);
    const flat = reshape(builder, cast(builder, batch, wide), [planes, multiplyDimensions(total, elements)]);
    const summed = builder.node(
      "ScatterElements",
      [
        expand(builder, number(wide, 0), [planes, plane[0] * plane[1]]),
        expand(builder, planePlaces(rows, columns, plane[1]), flat.shape),
        flat,
      ],
      { dtype: wide, shape: [planes, plane[0] * plane[1]] },
      { axis: intAttribute(1), reduction: stringAttribute("add") },
    );
    const padded = reshape(builder, summed, [count, channels, ...plane]);
    const cropped = slice(builder, padded, 2, rows.pad, rows.pad + (height ?? 0));
    return cast(builder, slice(builder, cropped, 3, columns.pad, columns.pad + (width ?? 0)), given.dtype);
  });
}

/** Where each element of each window lies in a flat plane: rows and columns of the kernel, then of the windows. */
function planePlaces(rows: Line, columns: Line, width: number): Operand {
  const count = rows.kernel * columns.kernel * rows.count * columns.count;
  const table = tableOf(count, (index) => {
    const window = index % (rows.count * columns.count);
    const element = Math.floor(index / (rows.count * columns.count));
    const down = rows.placeOf(Math.floor(element / columns.kernel), Math.floor(window / columns.count));
    return down * width + columns.placeOf(element % columns.kernel, window % columns.count);
  });
  return constant("I64", [1, count], table);
}

/** The points of a grid from -1 to 1, moved by a matrix for each image; corners lie at the ends, or half a cell within. */
function affineGrid(
  builder: GraphBuilder,
  theta: Operand,
  size: readonly Dimension[],
  alignCorners: boolean,
): Operand {
  const axes = size.length - 2;
  const [count, rows, columns] = theta.shape;
  const fits =
    (axes === 2 || axes === 3) && theta.shape.length === 3 && rows === axes && columns === axes + 1;
  if (
    !fits ||
    !isFloat(theta.dtype) ||
    !builder.guards.decide(count as Dimension, "==", size[0] as Dimension)
  )
    throw new ConvertError(
      "malformed",
      `an affine grid of ${shapeText(size)} by ${theta.dtype} ${shapeText(theta.shape)}`,
    );
  const extents = size.slice(2).map((extent) => builder.guards.settle(extent, "an extent of an affine grid"));
  const column = (index: number): Operand =>
    reshape(builder, slice(builder, theta, 2, index, index + 1), [
      count as Dimension,
      ...extents.map(() => 1),
      axes,
    ]);
  // The matrix has the last axis of the image first.
  const moved = extents.toReversed().map((extent, index) => {
    const shape = extents.map((_, axis) => (axis === axes - 1 - index ? extent : 1));
    return multiply(builder, gridLine(extent, alignCorners, theta.dtype, [1, ...shape, 1]), column(index));
  });
  const sum = [...moved, column(axes)].reduce((left, right) => add(builder, left, right));
  return expand(builder, sum, [count as Dimension, ...extents, axes]);
}

function gridLine(
  extent: number,
  alignCorners: boolean,
  dtype: Operand["dtype"],
  shape: readonly number[],
): Operand {
  const at = (index: number): number => {
    if (extent === 1) return 0;
    return alignCorners ? (2 * index) / (extent - 1) - 1 : (2 * index + 1) / extent - 1;
  };
  return constant(
    dtype,
    shape,
    tableOf(extent, (index) => heldAs(dtype, at(index))),
  );
}

const windowParameters = "int[2] kernel_size, int[2] dilation, int[2] padding, int[2] stride";

type Unfold = "a(Tensor self, int[2] kernel_size, int[2] dilation, int[2] padding, int[2] stride)";
type Fold =
  "a(Tensor self, SymInt[2] output_size, int[2] kernel_size, int[2] dilation, int[2] padding, int[2] stride)";

/** Images as columns of windows and back, and the grids that images are sampled at. */
export const patchRules: readonly OperatorRule[] = [
  rule(`im2col(Tensor self, ${windowParameters})` as Unfold, ({ self, ...windows }, builder) =>
    columnsOf(builder, self, windows),
  ),
  rule(
    `col2im(Tensor self, SymInt[2] output_size, ${windowParameters})` as Fold,
    ({ self, output_size, ...windows }, builder) => imageOf(builder, self, output_size, windows),
  ),
  rule(
    "affine_grid_generator(Tensor theta, SymInt[] size, bool align_corners)",
    ({ theta, size, align_corners }, builder) => affineGrid(builder, theta, size, align_corners),
  ),
];
