import { ConvertError } from "../../../core/errors.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import {
  axisOf,
  concat,
  expand,
  gather,
  reshape,
  slice,
  swapAxes,
  transpose,
  unsqueeze,
} from "../../emit/layout.ts";
import { constant, integers, knownNumbers, maxKnown, type Operand, tableOf } from "../../emit/operand.ts";
import {
  addDimensions,
  type Dimension,
  multiplyDimensions,
  type Shape,
  shapeText,
  staticShape,
  subtractDimensions,
} from "../../shapes/dimension.ts";
import { type OperatorRule, rule, viewRule } from "../rule.ts";

/** The whole tensor side by side with itself, as often along each axis; axes in front are new. */
function tiled(builder: GraphBuilder, x: Operand, repeats: Shape): Operand {
  const lead = repeats.length - x.shape.length;
  if (lead < 0)
    throw new ConvertError(
      "malformed",
      `a tensor of shape ${shapeText(x.shape)} is repeated ${shapeText(repeats)} times`,
    );
  const whole = reshape(builder, x, [...new Array<Dimension>(lead).fill(1), ...x.shape]);
  if (repeats.every((count) => count === 1)) return whole;
  const shape = whole.shape.map((extent, axis) => multiplyDimensions(extent, repeats[axis] as Dimension));
  return tiledKnown(builder, whole, shape) ?? tile(builder, whole, repeats, shape);
}

function tile(builder: GraphBuilder, x: Operand, repeats: Shape, shape: Shape): Operand {
  return builder.node("Tile", [x, integers(repeats)], { dtype: x.dtype, shape });
}

function tiledKnown(builder: GraphBuilder, x: Operand, shape: Shape): Operand | undefined {
  const [own, wanted] = [staticShape(x.shape), staticShape(shape)];
  if (x.known === undefined || own === undefined || wanted === undefined) return undefined;
  if (wanted.reduce((product, extent) => product * extent, 1) > maxKnown) return undefined;
  return own.reduce<Operand>((whole, extent, axis) => {
    const picks = tableOf(wanted[axis] as number, (index) => index % extent);
    return gather(builder, whole, integers(picks), axis);
  }, x);
}

/** Each element along an axis `count` times, one after the other. */
export function repeatedEach(builder: GraphBuilder, x: Operand, count: Dimension, axis: number): Operand {
  if (count === 1) return x;
  const apart = unsqueeze(builder, x, [axis + 1]);
  const wide = expand(
    builder,
    apart,
    apart.shape.map((extent, index) => (index === axis + 1 ? count : extent)),
  );
  const shape = x.shape.map((extent, index) => (index === axis ? multiplyDimensions(extent, count) : extent));
  return reshape(builder, wide, shape);
}

/** Each element as often as a tensor says, which has to be known. */
function repeatedBy(builder: GraphBuilder, x: Operand, repeats: Operand, axis: number): Operand {
  const counts = knownNumbers(repeats);
  if (counts === undefined) throw new ConvertError("unsupported", "repeat_interleave as often as data tell");
  const extent = builder.guards.settle(x.shape[axis] as Dimension, "an axis that is repeated");
  if (counts.length !== extent)
    throw new ConvertError(
      "malformed",
      `repeat_interleave of ${extent} elements with ${counts.length} counts`,
    );
  if (counts.reduce((sum, count) => sum + count, 0) > maxKnown)
    throw new ConvertError("unsupported", `repeat_interleave to more than ${maxKnown} elements`);
  const picks = counts.flatMap((count, index) => new Array<number>(count).fill(index));
  return gather(builder, x, integers(picks), axis);
}

/** Turned around the end of an axis: what falls off behind comes in front. */
function rolled(builder: GraphBuilder, x: Operand, shift: number, axis: number): Operand {
  const extent = x.shape[axis] as Dimension;
  if (shift === 0 || extent === 0) return x;
  const places =
    typeof extent === "number" ? ((shift % extent) + extent) % extent : openShift(builder, shift, extent);
  const cut = subtractDimensions(extent, places);
  const parts = [slice(builder, x, axis, cut, extent), slice(builder, x, axis, 0, cut)];
  return concat(builder, parts, axis);
}

/** By how many places an axis of open extent is turned to the right. */
function openShift(builder: GraphBuilder, shift: number, extent: Dimension): Dimension {
  if (!builder.guards.decide(extent, ">=", Math.abs(shift)))
    throw new ConvertError("unsupported", "an axis of open extent is rolled by more than its extent");
  return shift > 0 ? shift : addDimensions(extent, shift);
}

function rolledAlong(
  builder: GraphBuilder,
  x: Operand,
  shifts: readonly number[],
  dims: readonly number[],
): Operand {
  if (dims.length === 0) {
    if (shifts.length !== 1) throw new ConvertError("malformed", "roll has several shifts and no axes");
    return reshape(builder, rolled(builder, reshape(builder, x, [-1]), shifts[0] as number, 0), x.shape);
  }
  if (dims.length !== shifts.length)
    throw new ConvertError("malformed", `roll has ${shifts.length} shifts for ${dims.length} axes`);
  return dims.reduce(
    (turned, dim, index) => rolled(builder, turned, shifts[index] as number, axisOf(dim, x.shape.length)),
    x,
  );
}

/** The halves of these axes exchanged, or of all; `rest` is what an odd extent is rounded up by before it is halved. */
function halvesExchanged(
  builder: GraphBuilder,
  x: Operand,
  dims: readonly number[] | undefined,
  rest: 0 | 1,
): Operand {
  const axes = dims?.map((dim) => axisOf(dim, x.shape.length)) ?? [...x.shape.keys()];
  const shifts = axes.map((axis) => {
    const extent = builder.guards.settle(x.shape[axis] ?? 1, "an axis of which the halves are exchanged");
    return Math.floor((extent + rest) / 2);
  });
  return axes.length === 0 ? x : rolledAlong(builder, x, shifts, axes);
}

/** The other way round along these axes. */
function flipped(builder: GraphBuilder, x: Operand, dims: readonly number[]): Operand {
  const axes = dims.map((dim) => axisOf(dim, x.shape.length)).filter((axis) => axis < x.shape.length);
  if (new Set(axes).size < axes.length) throw new ConvertError("malformed", "an axis is flipped twice");
  const extents = axes.map((axis) => x.shape[axis] as Dimension);
  if (x.known !== undefined && extents.every((extent) => typeof extent === "number"))
    return axes.reduce<Operand>((whole, axis, index) => {
      const last = (extents[index] as number) - 1;
      return gather(builder, whole, integers(tableOf(last + 1, (at) => last - at)), axis);
    }, x);
  const each = (value: number): Operand => integers(axes.map(() => value));
  const bounds = [each(-1), each(Number.MIN_SAFE_INTEGER), integers(axes), each(-1)];
  return axes.length === 0 ? x : builder.node("Slice", [x, ...bounds], x);
}

/** Turned by quarters in the plane of two axes, from the first towards the second. */
function quarterTurned(builder: GraphBuilder, x: Operand, turns: number, dims: readonly number[]): Operand {
  const rank = x.shape.length;
  const [first, second] = dims.map((dim) => axisOf(dim, rank)) as [number, number];
  if (dims.length !== 2 || rank < 2 || first === second)
    throw new ConvertError("malformed", `rot90 of ${shapeText(x.shape)} in the axes [${dims.join(", ")}]`);
  const quarters = ((turns % 4) + 4) % 4;
  if (quarters === 0) return x;
  if (quarters === 2) return flipped(builder, x, [first, second]);
  return swapAxes(builder, flipped(builder, x, [quarters === 1 ? second : first]), first, second);
}

/** Axes taken from some places to others; the rest keep their order. */
function movedOrder(
  rank: number,
  source: readonly number[],
  destination: readonly number[],
): readonly number[] {
  const [from, to] = [source, destination].map((dims) => dims.map((dim) => axisOf(dim, rank))) as [
    number[],
    number[],
  ];
  if (from.length !== to.length || new Set(from).size < from.length || new Set(to).size < to.length)
    throw new ConvertError("malformed", "movedim has no place for each axis");
  const rest = Array.from({ length: rank }, (_, axis) => axis).filter((axis) => !from.includes(axis));
  return Array.from({ length: rank }, (_, place) => {
    const index = to.indexOf(place);
    return index >= 0 ? (from[index] as number) : (rest.shift() as number);
  });
}

/** Windows of `size` elements along an axis, `step` apart; the elements of a window are a new last axis. */
function windows(builder: GraphBuilder, x: Operand, dim: number, size: number, step: number): Operand {
  const rank = x.shape.length;
  if (rank === 0) throw new ConvertError("unsupported", "unfold of a 0-d tensor");
  const axis = axisOf(dim, rank);
  const extent = builder.guards.settle(x.shape[axis] as Dimension, "an axis that is unfolded");
  if (size > extent || size < 0 || step <= 0)
    throw new ConvertError("malformed", `windows of ${size}, ${step} apart, along an extent of ${extent}`);
  const count = Math.floor((extent - size) / step) + 1;
  if (count * size > maxKnown) throw new ConvertError("unsupported", `unfold to ${count} windows of ${size}`);
  const picks = Array.from({ length: count * size }, (_, at) => Math.floor(at / size) * step + (at % size));
  const picked = gather(builder, x, constant("I64", [count, size], picks), axis);
  const order = [...picked.shape.keys()].filter((own) => own !== axis + 1);
  return transpose(builder, picked, [...order, axis + 1]);
}

type Move = "a(Tensor self, int[1] source, int[1] destination)";
type Repeats = "a(Tensor self, SymInt[] repeats)";

/** Tensors repeated, turned around and reordered. */
export const repeatingRules: readonly OperatorRule[] = [
  rule("repeat(Tensor self, SymInt[] repeats)" as Repeats, ({ self, repeats }, builder) =>
    tiled(builder, self, repeats),
  ),
  rule("tile(Tensor self, SymInt[] dims)", ({ self, dims }, builder) => {
    const lead = Math.max(self.shape.length - dims.length, 0);
    return tiled(builder, self, [...new Array<Dimension>(lead).fill(1), ...dims]);
  }),
  rule(
    "repeat_interleave(Tensor self, SymInt repeats, int? dim=None, *, any output_size=None)",
    ({ self, repeats, dim }, builder) => {
      const x = dim === undefined ? reshape(builder, self, [-1]) : self;
      return repeatedEach(builder, x, repeats, axisOf(dim ?? 0, x.shape.length));
    },
  ),
  rule(
    "repeat_interleave(Tensor self, Tensor repeats, int? dim=None, *, any output_size=None)",
    ({ self, repeats, dim }, builder) => {
      const x = dim === undefined ? reshape(builder, self, [-1]) : self;
      return repeatedBy(builder, x, repeats, axisOf(dim ?? 0, x.shape.length));
    },
  ),
  rule("roll(Tensor self, int[1] shifts, int[1] dims=[])", ({ self, shifts, dims }, builder) =>
    rolledAlong(builder, self, shifts, dims),
  ),
  rule("fft_fftshift(Tensor self, int[1]? dim=None)", ({ self, dim }, builder) =>
    halvesExchanged(builder, self, dim, 0),
  ),
  rule("fft_ifftshift(Tensor self, int[1]? dim=None)", ({ self, dim }, builder) =>
    halvesExchanged(builder, self, dim, 1),
  ),
  rule("flip(Tensor self, int[] dims)", ({ self, dims }, builder) => flipped(builder, self, dims)),
  rule("rot90(Tensor self, int k=1)", ({ self, k }, builder) => quarterTurned(builder, self, k, [0, 1])),
  rule("rot90(Tensor self, int k, int[] dims)", ({ self, k, dims }, builder) =>
    quarterTurned(builder, self, k, dims),
  ),
  ...(
    [
      ["flipud", 1],
      ["fliplr", 2],
    ] as const
  ).map(([name, least]) =>
    rule(`${name}(Tensor self)` as "a(Tensor self)", ({ self }, builder) => {
      if (self.shape.length < least)
        throw new ConvertError("malformed", `${name} of a tensor of shape ${shapeText(self.shape)}`);
      return flipped(builder, self, [least - 1]);
    }),
  ),
  viewRule(
    "unfold(Tensor self, int dimension, int size, int step)",
    ({ self, dimension, size, step }, builder) => windows(builder, self, dimension, size, step),
  ),
  ...["movedim", "moveaxis"].map((name) =>
    viewRule(
      `${name}(Tensor self, int[1] source, int[1] destination)` as Move,
      ({ self, source, destination }, builder) =>
        transpose(builder, self, movedOrder(self.shape.length, source, destination)),
      ({ self, source, destination }, value, builder) =>
        transpose(builder, value, movedOrder(self.shape.length, destination, source)),
    ),
  ),
];
