import { ConvertError } from "../../../core/errors.ts";
import { cast, where } from "../../emit/arithmetic.ts";
import { stringAttribute } from "../../emit/attributes.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { concat, expand, gather, reshape, transpose, unsqueeze } from "../../emit/layout.ts";
import { integers, knownNumbers, type Operand, scalar } from "../../emit/operand.ts";
import { categoryOf } from "../../emit/types.ts";
import { type Dimension, hintOf, type Shape, shapeText } from "../../shapes/dimension.ts";
import { placesOfNonZero } from "./data-selection.ts";

/** A tensor of integers that indexes one axis. */
interface AxisIndex {
  readonly axis: number;
  readonly index: Operand;
}

/** What of a tensor is indexed: integers for some axes, and the shape that these broadcast to. */
interface Selection {
  readonly indices: readonly AxisIndex[];
  readonly shape: Shape;
  /** Axes of the tensor with the indexed ones in front. */
  readonly order: readonly number[];
  /** Which axis of the result the indices' own axes begin at. */
  readonly at: number;
}

/** The places of a mask's set elements: one row of indices for each of its axes. */
function placesOf(builder: GraphBuilder, mask: Operand): readonly Operand[] {
  const flags = cast(builder, mask, "BOOL");
  const known = knownNumbers(flags);
  const rank = flags.shape.length;
  if (rank === 0) throw new ConvertError("unsupported", "an index that is a single bool");
  if (known !== undefined) return knownPlaces(known, flags.shape as readonly number[]);
  const places = placesOfNonZero(builder, flags);
  return Array.from({ length: rank }, (_, axis) => gather(builder, places, scalar("I64", axis), 0));
}

function knownPlaces(known: readonly number[], shape: readonly number[]): readonly Operand[] {
  const set = known.flatMap((flag, at) => (flag === 0 ? [] : [at]));
  return shape.map((extent, axis) => {
    const inner = shape.slice(axis + 1).reduce((product, own) => product * own, 1);
    return integers(set.map((at) => Math.floor(at / inner) % extent));
  });
}

function isMask({ dtype }: Operand): boolean {
  return dtype === "BOOL" || dtype === "U8";
}

/** Which axis each given tensor indexes; a mask stands for as many axes as it has. */
function axisIndices(
  builder: GraphBuilder,
  self: Operand,
  given: readonly (Operand | undefined)[],
): readonly AxisIndex[] {
  const result: AxisIndex[] = [];
  let axis = 0;
  for (const own of given) {
    if (own === undefined) axis++;
    else if (isMask(own)) {
      checkMask(builder, self, axis, own);
      for (const index of placesOf(builder, own)) result.push({ axis: axis++, index });
    } else {
      if (categoryOf(own.dtype) !== "integer")
        throw new ConvertError("malformed", `an index of ${own.dtype}`);
      result.push({ axis: axis++, index: cast(builder, own, "I64") });
    }
  }
  if (axis > self.shape.length)
    throw new ConvertError("malformed", `${axis} indices into a tensor of shape ${shapeText(self.shape)}`);
  if (result.length === 0) throw new ConvertError("unsupported", "an index that says nothing");
  return result;
}

function checkMask(builder: GraphBuilder, self: Operand, axis: number, mask: Operand): void {
  const covered = self.shape.slice(axis, axis + mask.shape.length);
  const fits =
    covered.length === mask.shape.length &&
    mask.shape.every((extent, own) => builder.guards.permits(extent, "==", covered[own] as Dimension));
  if (!fits)
    throw new ConvertError(
      "malformed",
      `a mask of shape ${shapeText(mask.shape)} for a tensor of shape ${shapeText(self.shape)}`,
    );
}

/** Indices of neighbouring axes take their place in the result; those apart come first. */
function selectionOf(
  builder: GraphBuilder,
  self: Operand,
  given: readonly (Operand | undefined)[],
): Selection {
  const indices = axisIndices(builder, self, given);
  const axes = indices.map(({ axis }) => axis);
  const shape = indices
    .map(({ index }) => index.shape)
    .reduce((left, right) => builder.guards.broadcast(left, right));
  const rest = [...self.shape.keys()].filter((axis) => !axes.includes(axis));
  const [first, last] = [axes[0] as number, axes.at(-1) as number];
  const isTogether = last - first === axes.length - 1;
  return { indices, shape, order: [...axes, ...rest], at: isTogether ? first : 0 };
}

/** `self[indices]` as numpy and torch have it, with tensors of integers and masks. */
export function indexed(
  builder: GraphBuilder,
  self: Operand,
  given: readonly (Operand | undefined)[],
): Operand {
  const selection = selectionOf(builder, self, given);
  const [only] = selection.indices;
  if (selection.indices.length === 1 && only !== undefined)
    return gather(builder, self, only.index, only.axis);
  const turned = transpose(builder, self, selection.order);
  const rest = turned.shape.slice(selection.indices.length);
  const picked = builder.node("GatherND", [turned, tuples(builder, selection)], {
    dtype: self.dtype,
    shape: [...selection.shape, ...rest],
  });
  return transpose(builder, picked, placedOrder(selection, rest.length));
}

/** All indices of one element beside each other, along a last axis. */
function tuples(builder: GraphBuilder, { indices, shape }: Selection): Operand {
  const columns = indices.map(({ index }) =>
    unsqueeze(builder, expand(builder, index, shape), [shape.length]),
  );
  return concat(builder, columns, shape.length);
}

/** From the indices' axes in front to where they belong. */
function placedOrder({ shape, at }: Selection, rest: number): readonly number[] {
  const own = [...shape.keys()];
  const others = Array.from({ length: rest }, (_, axis) => axis + shape.length);
  return [...others.slice(0, at), ...own, ...others.slice(at)];
}

function inverse(order: readonly number[]): readonly number[] {
  return order.map((_, axis) => order.indexOf(axis));
}

/** `self` with values in the indexed places, or added to what is there. */
export function indexPut(
  builder: GraphBuilder,
  self: Operand,
  given: readonly (Operand | undefined)[],
  values: Operand,
  accumulates: boolean,
): Operand {
  if (values.dtype !== self.dtype)
    throw new ConvertError("malformed", `elements of ${values.dtype} are written to ${self.dtype}`);
  const masked = accumulates ? undefined : putByMask(builder, self, given, values);
  if (masked !== undefined) return masked;
  if (accumulates && self.dtype === "F16") {
    // The runtime adds up no halves in places.
    const [x, y] = [self, values].map((side) => cast(builder, side, "F32")) as [Operand, Operand];
    return cast(builder, indexPut(builder, x, given, y, true), "F16");
  }
  if (accumulates && self.dtype === "BOOL")
    throw new ConvertError("unsupported", "bools are added in indexed places");
  const selection = selectionOf(builder, self, given);
  const turned = transpose(builder, self, selection.order);
  const rest = turned.shape.slice(selection.indices.length);
  const order = placedOrder(selection, rest.length);
  const inFront = [...selection.shape, ...rest];
  const placed = order.map((axis) => inFront[axis] as Dimension);
  const updates = transpose(builder, expandedTo(builder, values, placed), inverse(order));
  const written = builder.node(
    "ScatterND",
    [turned, tuples(builder, selection), updates],
    turned,
    accumulates ? { reduction: stringAttribute("add") } : {},
  );
  return transpose(builder, written, inverse(selection.order));
}

/** Values as they are broadcast; axes of extent 1 in front may be too many. */
function expandedTo(builder: GraphBuilder, values: Operand, shape: Shape): Operand {
  const extra = values.shape.length - shape.length;
  const isPlain = extra <= 0 || values.shape.slice(0, extra).every((extent) => extent === 1);
  if (!isPlain)
    throw new ConvertError(
      "malformed",
      `values of shape ${shapeText(values.shape)} are written to places of shape ${shapeText(shape)}`,
    );
  const own = extra > 0 ? reshape(builder, values, values.shape.slice(extra)) : values;
  const lead = shape.length - own.shape.length;
  // How many places a mask has only the data tell; the runtime compares it with the number of values.
  const target = shape.map((extent, axis) => {
    const given = own.shape[axis - lead] ?? 1;
    return hintOf(extent) === undefined && given !== 1 ? given : extent;
  });
  return expand(builder, own, target);
}

/** One mask and one value need no places. */
function putByMask(
  builder: GraphBuilder,
  self: Operand,
  given: readonly (Operand | undefined)[],
  values: Operand,
): Operand | undefined {
  const at = given.findIndex((own) => own !== undefined);
  const mask = given[at];
  const isSingle = values.shape.every((extent) => extent === 1);
  if (mask === undefined || !isMask(mask) || !isSingle || mask.shape.length === 0) return undefined;
  if (given.slice(at + 1).some((own) => own !== undefined)) return undefined;
  checkMask(builder, self, at, mask);
  const behind = self.shape.length - at - mask.shape.length;
  const shape = [...mask.shape, ...new Array<Dimension>(behind).fill(1)];
  const flags = reshape(builder, cast(builder, mask, "BOOL"), shape);
  return where(builder, flags, reshape(builder, values, []), self);
}
