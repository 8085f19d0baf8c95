import { ConvertError } from "../../../core/errors.ts";
import { number, scaled } from "../../emit/arithmetic.ts";
import { intAttribute, intsAttribute } from "../../emit/attributes.ts";
import type { Attributes, GraphBuilder } from "../../emit/graph-builder.ts";
import { transpose } from "../../emit/layout.ts";
import { matmul } from "../../emit/linear.ts";
import { constant, integers, type Operand, tableOf } from "../../emit/operand.ts";
import { reduce } from "../../emit/reduce.ts";
import { addDimensions, type Dimension, shapeText } from "../../shapes/dimension.ts";
import { batched, inSingle, perAxis, windowCount } from "../layout/windows.ts";
import { type OperatorRule, type RuleContext, rule } from "../rule.ts";

/** Windows along each axis of a plane. */
export interface Windows {
  readonly kernel: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
  /** How many windows there are along each axis. */
  readonly counts: readonly Dimension[];
  /** How far the last window reaches beyond extent and padding; 0 unless the count is rounded up. */
  readonly overhang: readonly number[];
}

/** Windows as torch places them: rounded up, a window that would begin in the padding at the end is left out. */
export function windowsOf(
  builder: GraphBuilder,
  batch: Operand,
  kernelSize: readonly number[],
  strideSize: readonly number[],
  paddingSize: readonly number[],
  dilationSize: readonly number[],
  roundsUp: boolean,
): Windows {
  const count = batch.shape.length - 2;
  const kernel = perAxis(kernelSize, count, "the kernel of a pooling");
  const stride = perAxis(strideSize.length === 0 ? kernel : strideSize, count, "the stride of a pooling");
  const padding = perAxis(paddingSize, count, "the padding of a pooling");
  const dilation = perAxis(dilationSize, count, "the dilation of a pooling");
  const overhang: number[] = new Array(count).fill(0);
  const counts = kernel.map((size, axis): Dimension => {
    const extent = batch.shape[axis + 2] as Dimension;
    const [step, pad, spread] = [stride[axis] as number, padding[axis] as number, dilation[axis] as number];
    if (!roundsUp) return windowCount(extent, 2 * pad, size, step, spread);
    const known = builder.guards.settle(extent, "the extent of a pooling that rounds up");
    const reach = spread * (size - 1) + 1;
    let windows = Math.ceil((known + 2 * pad - reach) / step) + 1;
    if ((windows - 1) * step >= known + pad) windows--;
    if (windows < 1)
      throw new ConvertError("malformed", `windows that reach over ${reach} elements, of ${known + 2 * pad}`);
    overhang[axis] = (windows - 1) * step + reach - (known + 2 * pad);
    return windows;
  });
  return { kernel, stride, padding, dilation, counts, overhang };
}

/** Pads of a node in floor mode with which it has exactly torch's windows. */
export function padsOf({ padding, overhang }: Windows, own: readonly number[] = padding): readonly number[] {
  return [...own, ...own.map((pad, axis) => Math.max(0, pad + (overhang[axis] as number)))];
}

function pooled(builder: GraphBuilder, batch: Operand, windows: Windows, attributes: Attributes): Operand {
  const shape = [batch.shape[0] as Dimension, batch.shape[1] as Dimension, ...windows.counts];
  return builder.node(
    "AveragePool",
    [batch],
    { dtype: batch.dtype, shape },
    { kernel_shape: intsAttribute(windows.kernel), strides: intsAttribute(windows.stride), ...attributes },
  );
}

function averaged(
  builder: GraphBuilder,
  batch: Operand,
  windows: Windows,
  countsPadding: boolean,
  divisor: number | undefined,
): Operand {
  const { kernel, padding, overhang } = windows;
  const pads = intsAttribute(padsOf(windows));
  if (divisor !== undefined) {
    const size = kernel.reduce((product, own) => product * own, 1);
    const mean = pooled(builder, batch, windows, { pads, count_include_pad: intAttribute(1) });
    return scaled(builder, mean, size / divisor);
  }
  const overhangs = overhang.some((own) => own > 0);
  if (!countsPadding || !overhangs || padding.every((pad) => pad === 0)) {
    // The overhang itself never counts, so that it must not look like padding.
    const counts = countsPadding && !overhangs ? 1 : 0;
    return pooled(builder, batch, windows, { pads, count_include_pad: intAttribute(counts) });
  }
  const zeros = padded(builder, batch, padding);
  const rest = intsAttribute(
    padsOf(
      windows,
      padding.map(() => 0),
    ),
  );
  return pooled(builder, zeros, windows, { pads: rest, count_include_pad: intAttribute(0) });
}

/** Zeros around the spatial axes, so that they count as elements. */
function padded(builder: GraphBuilder, batch: Operand, padding: readonly number[]): Operand {
  const shape = batch.shape.map((extent, axis) =>
    axis < 2 ? extent : addDimensions(extent, 2 * (padding[axis - 2] as number)),
  );
  const pads = integers([0, 0, ...padding, 0, 0, ...padding]);
  return builder.node("Pad", [batch, pads, number(batch.dtype, 0)], { dtype: batch.dtype, shape });
}

/**
 * The mean over cells that split each axis into as many parts as wanted. Where they are equal this is a pooling; else
 * each axis is multiplied by a matrix that averages it.
 */
function adaptiveMean(builder: GraphBuilder, self: Operand, sizes: readonly Dimension[]): Operand {
  const first = self.shape.length - sizes.length;
  if (first < 1) throw new ConvertError("malformed", `a tensor of shape ${shapeText(self.shape)} is pooled`);
  const axes = sizes.map((_, index) => first + index);
  if (sizes.every((size) => size === 1)) {
    const isPlain = first === 2;
    const shape = self.shape.map((extent, axis) => (axis < first ? extent : 1));
    return isPlain
      ? builder.node("GlobalAveragePool", [self], { dtype: self.dtype, shape })
      : reduce(builder, "ReduceMean", self, axes, true);
  }
  return axes.reduce((x, axis, index) => meanAlong(builder, x, axis, sizes[index] as number), self);
}

function meanAlong(builder: GraphBuilder, operand: Operand, axis: number, size: number): Operand {
  const extent = builder.guards.settle(operand.shape[axis] as Dimension, "the extent of an adaptive pooling");
  if (extent === size) return operand;
  if (size === 1) return reduce(builder, "ReduceMean", operand, [axis], true);
  const matrix = constant(operand.dtype, [extent, size], averagingMatrix(extent, size));
  const last = operand.shape.length - 1;
  const order = operand.shape.map((_, index) => (index === axis ? last : index === last ? axis : index));
  return transpose(builder, matmul(builder, transpose(builder, operand, order), matrix), order);
}

/** Column `cell` averages the elements from `⌊cell * extent / size⌋` up to `⌈(cell + 1) * extent / size⌉`. */
function averagingMatrix(extent: number, size: number): readonly number[] {
  const matrix: number[] = tableOf(extent * size, () => 0);
  for (let cell = 0; cell < size; cell++) {
    const start = Math.floor((cell * extent) / size);
    const end = Math.ceil(((cell + 1) * extent) / size);
    for (let index = start; index < end; index++) matrix[index * size + cell] = 1 / (end - start);
  }
  return matrix;
}

type Average =
  "a(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=0, bool ceil_mode=False, bool count_include_pad=True, int? divisor_override=None)";

function poolings(suffix: "1d" | "2d" | "3d", rank: number): readonly OperatorRule[] {
  return [
    rule(
      `avg_pool${suffix}(Tensor self, int[1] kernel_size, int[1] stride=[], int[1] padding=0, bool ceil_mode=False, bool count_include_pad=True, int? divisor_override=None)` as Average,
      (args, builder, context) => average(builder, context, rank, args),
    ),
    rule(
      `adaptive_avg_pool${suffix}(Tensor self, SymInt[1] output_size)` as "a(Tensor self, SymInt[1] output_size)",
      ({ self, output_size }, builder, context) =>
        inSingle(builder, [self], context, ([x]) => {
          const sizes =
            output_size.length === rank - 2
              ? output_size
              : new Array<Dimension>(rank - 2).fill(output_size[0] as Dimension);
          return adaptiveMean(builder, x as Operand, sizes);
        }),
    ),
  ];
}

function average(
  builder: GraphBuilder,
  context: RuleContext,
  rank: number,
  args: {
    readonly self: Operand;
    readonly kernel_size: readonly number[];
    readonly stride: readonly number[];
    readonly padding: readonly number[];
    readonly ceil_mode: boolean;
    readonly count_include_pad: boolean;
    readonly divisor_override: number | undefined;
  },
): Operand {
  return inSingle(builder, [args.self], context, ([x]) =>
    batched(builder, x as Operand, rank, (batch) => {
      const windows = windowsOf(
        builder,
        batch,
        args.kernel_size,
        args.stride,
        args.padding,
        [1],
        args.ceil_mode,
      );
      return averaged(builder, batch, windows, args.count_include_pad, args.divisor_override);
    }),
  );
}

/** Means of windows and of cells. */
export const poolingRules: readonly OperatorRule[] = [
  ...poolings("1d", 3),
  ...poolings("2d", 4),
  ...poolings("3d", 5),
];
