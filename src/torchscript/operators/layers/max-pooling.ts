import type { DType } from "../../../core/dtype.ts";
import { ConvertError } from "../../../core/errors.ts";
import { add, binary, cast, number } from "../../emit/arithmetic.ts";
import { intAttribute, intsAttribute } from "../../emit/attributes.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { expand, gather, reshape } from "../../emit/layout.ts";
import { constant, integers, type Operand, tableOf } from "../../emit/operand.ts";
import { isFloat } from "../../emit/types.ts";
import { type Dimension, elementsOf, shapeText } from "../../shapes/dimension.ts";
import { batchedAll } from "../layout/windows.ts";
import { extreme, place } from "../reductions/reductions.ts";
import { type OperatorRule, rule } from "../rule.ts";
import { padsOf, type Windows, windowsOf } from "./pooling.ts";

/** What the runtime takes the largest of in another dtype, which holds the same numbers. */
const poolable: Partial<Record<DType, DType>> = { I16: "F32", I32: "F64" };

/** The largest of each window, and where it lies among the elements of its plane. */
function largest(builder: GraphBuilder, batch: Operand, windows: Windows): readonly [Operand, Operand] {
  if (batch.dtype === "I64") throw new ConvertError("unsupported", "windows of 64-bit integers");
  if (batch.dtype === "BOOL") throw new ConvertError("malformed", "windows of bools");
  const x = cast(builder, batch, poolable[batch.dtype] ?? batch.dtype);
  const shape = [batch.shape[0] as Dimension, batch.shape[1] as Dimension, ...windows.counts];
  const [values, places] = builder.nodes(
    "MaxPool",
    [x],
    [
      { dtype: x.dtype, shape },
      { dtype: "I64", shape },
    ],
    {
      kernel_shape: intsAttribute(windows.kernel),
      strides: intsAttribute(windows.stride),
      pads: intsAttribute(padsOf(windows)),
      dilations: intsAttribute(windows.dilation),
    },
  ) as [Operand, Operand];
  // ONNX counts through the whole batch.
  const plane = constant("I64", [], [elementsOf(batch.shape.slice(2))]);
  return [cast(builder, values, batch.dtype), binary(builder, "Mod", places, plane)];
}

interface MaxPool {
  readonly self: Operand;
  readonly kernel_size: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
  readonly ceil_mode: boolean;
}

function maxPool(builder: GraphBuilder, args: MaxPool, rank: number): readonly [Operand, Operand] {
  return batchedAll(builder, args.self, rank, (batch) => {
    const { kernel_size, stride, padding, dilation, ceil_mode } = args;
    const windows = windowsOf(builder, batch, kernel_size, stride, padding, dilation, ceil_mode);
    checkPadding(windows);
    return largest(builder, batch, windows);
  }) as unknown as readonly [Operand, Operand];
}

function checkPadding({ kernel, padding, dilation }: Windows): void {
  const isWide = padding.some((pad, axis) => {
    const reach = (dilation[axis] as number) * ((kernel[axis] as number) - 1) + 1;
    return pad > reach / 2;
  });
  if (isWide)
    throw new ConvertError(
      "malformed",
      `windows of ${shapeText(kernel)} with ${shapeText(padding)} of padding`,
    );
}

/** The largest, and its place, of cells that split each axis into as many parts as wanted. */
function adaptive(builder: GraphBuilder, batch: Operand, sizes: readonly number[]): readonly Operand[] {
  if (!isFloat(batch.dtype)) throw new ConvertError("malformed", `cells of ${batch.dtype}`);
  const plane = batch.shape.slice(2);
  const lead = batch.shape.slice(0, 2);
  const flat = reshape(builder, batch, [...lead, elementsOf(plane)]);
  if (sizes.every((size) => size === 1)) {
    const whole = [...lead, ...sizes];
    return [
      reshape(builder, extreme(builder, "ReduceMax", flat, [2], false), whole),
      reshape(builder, place(builder, "ArgMax", flat, 2, false), whole),
    ];
  }
  const extents = plane.map((extent) => builder.guards.settle(extent, "the extent of an adaptive pooling"));
  if (extents.every((extent, axis) => extent % (sizes[axis] as number) === 0)) {
    const kernel = extents.map((extent, axis) => extent / (sizes[axis] as number));
    return largest(builder, batch, windowsOf(builder, batch, kernel, kernel, [0], [1], false));
  }
  return largestOfCells(builder, flat, [...lead, ...sizes], extents, sizes);
}

/** Cells of different extents: their elements are gathered, those that some lack once more. */
function largestOfCells(
  builder: GraphBuilder,
  flat: Operand,
  shape: readonly Dimension[],
  extents: readonly number[],
  sizes: readonly number[],
): readonly Operand[] {
  const cells = cellsOf(extents, sizes);
  const width = Math.max(...cells.map((cell) => cell.length));
  const table = tableOf(cells.length * width, (index) => {
    const cell = cells[Math.floor(index / width)] as readonly number[];
    return cell[index % width] ?? (cell[0] as number);
  });
  const rows = gather(builder, flat, constant("I64", [cells.length, width], table), 2);
  const starts = integers(cells.map((_, index) => index * width));
  const local = add(builder, place(builder, "ArgMax", rows, 3, false), starts);
  return [
    reshape(builder, extreme(builder, "ReduceMax", rows, [3], false), shape),
    reshape(builder, gather(builder, integers(table), local, 0), shape),
  ];
}

/** The elements of each cell, as places in the plane in order: from `⌊cell * extent / size⌋` up to `⌈(cell + 1) * extent / size⌉` along each axis. */
function cellsOf(extents: readonly number[], sizes: readonly number[]): readonly (readonly number[])[] {
  let cells: readonly (readonly number[])[] = [[0]];
  for (const [axis, extent] of extents.entries()) {
    const size = sizes[axis] as number;
    const parts = tableOf(size, (cell) => cell).map((cell) => {
      const start = Math.floor((cell * extent) / size);
      return tableOf(Math.ceil(((cell + 1) * extent) / size) - start, (index) => start + index);
    });
    cells = cells.flatMap((cell) =>
      parts.map((part) => cell.flatMap((at) => part.map((index) => at * extent + index))),
    );
  }
  return cells;
}

/** Values put back where a pooling found them, among zeros. */
function unpooled(
  builder: GraphBuilder,
  self: Operand,
  indices: Operand,
  size: readonly Dimension[],
): Operand {
  const lead = self.shape.slice(0, -size.length);
  if (indices.dtype !== "I64") throw new ConvertError("malformed", `places of ${indices.dtype}`);
  const fits =
    (lead.length === 1 || lead.length === 2) &&
    indices.shape.length === self.shape.length &&
    self.shape.every((extent, axis) =>
      builder.guards.permits(extent, "==", indices.shape[axis] as Dimension),
    );
  if (!fits)
    throw new ConvertError(
      "malformed",
      `places of shape ${shapeText(indices.shape)} for values of shape ${shapeText(self.shape)}`,
    );
  const count = elementsOf(self.shape.slice(-size.length));
  const zeros = expand(builder, number(self.dtype, 0), [...lead, elementsOf(size)]);
  const [values, places] = [self, indices].map((operand) => reshape(builder, operand, [...lead, count])) as [
    Operand,
    Operand,
  ];
  const plane = builder.node("ScatterElements", [zeros, places, values], zeros, {
    axis: intAttribute(lead.length),
  });
  return reshape(builder, plane, [...lead, ...size]);
}

type Max =
  "a(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=0, int[1] dilation=1, bool ceil_mode=False)";

function poolings(suffix: "1d" | "2d" | "3d", rank: number): readonly OperatorRule[] {
  const list = "int[1] kernel_size, int[1] stride=[], int[1] padding=0, int[1] dilation=1";
  return [
    rule(
      `max_pool${suffix}(Tensor self, ${list}, bool ceil_mode=False)` as Max,
      (args, builder) => maxPool(builder, args, rank)[0],
    ),
    rule(
      `max_pool${suffix}_with_indices(Tensor self, ${list}, bool ceil_mode=False)` as Max,
      (args, builder) => maxPool(builder, args, rank),
    ),
    rule(
      `adaptive_max_pool${suffix}(Tensor self, int[1] output_size)` as "a(Tensor self, int[1] output_size)",
      ({ self, output_size }, builder) => {
        const sizes =
          output_size.length === 1 ? new Array<number>(rank - 2).fill(output_size[0] as number) : output_size;
        if (sizes.length !== rank - 2 || sizes.some((size) => size < 1))
          throw new ConvertError("malformed", `an adaptive pooling to the shape ${shapeText(output_size)}`);
        return batchedAll(builder, self, rank, (batch) => adaptive(builder, batch, sizes));
      },
    ),
  ];
}

/** The largest of windows and of cells, with their places, and the way back. */
export const maxPoolingRules: readonly OperatorRule[] = [
  ...poolings("1d", 3),
  ...poolings("2d", 4),
  ...poolings("3d", 5),
  rule("max_unpool2d(Tensor self, Tensor indices, SymInt[2] output_size)", (args, builder) =>
    unpooled(builder, args.self, args.indices, args.output_size),
  ),
  rule(
    "max_unpool3d(Tensor self, Tensor indices, SymInt[3] output_size, any stride, any padding)",
    (args, builder) => unpooled(builder, args.self, args.indices, args.output_size),
  ),
];
