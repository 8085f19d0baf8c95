import { ConvertError } from "../../../core/errors.ts";
import { binary, cast, number, subtract, where } from "../../emit/arithmetic.ts";
import { intAttribute } from "../../emit/attributes.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { expand, gather, reshape, slice, swapAxes, unsqueeze } from "../../emit/layout.ts";
import { constant, integers, knownNumbers, type Operand, tableOf } from "../../emit/operand.ts";
import { reduce } from "../../emit/reduce.ts";
import {
  type Dimension,
  elementsOf,
  isSameDimension,
  type Shape,
  shapeText,
  symbol,
} from "../../shapes/dimension.ts";
import { type OperatorRule, rule } from "../rule.ts";

/**
 * What stands behind a packed sequence. Torch keeps the steps of all sequences in one tensor, time after time, without
 * padding; a graph computes on the padded form, and makes the packed one only where something looks at it.
 */
interface Packing {
  /** 64-bit, `[batch]`, descending. */
  readonly lengths: Operand;
  /** Where the padded tensor `[time, batch]` has steps, as bools. */
  readonly mask: Operand;
  readonly time: Dimension;
  readonly batch: Dimension;
}

/** By the sizes of batches, which go with the data wherever those go. */
const packings = new WeakMap<Operand, Packing>();

/** The padded form `[time, batch, …]` of data that were packed here; behind their ends, sequences have anything. */
const paddedForms = new WeakMap<Operand, Operand>();

function packingOf(batchSizes: Operand): Packing {
  const packing = packings.get(batchSizes);
  if (packing !== undefined) return packing;
  throw new ConvertError(
    "unsupported",
    "the batch sizes of a packed sequence are not from pack_padded_sequence",
  );
}

/** How many sequences a packed one has, which is the size of its first batch; `undefined` for other tensors and places. */
export function firstBatchSize(operand: Operand, axis: number, index: Dimension): Dimension | undefined {
  return axis === 0 && index === 0 ? packings.get(operand)?.batch : undefined;
}

/** The padded form of packed data, time first, and the length of each sequence. */
export function unpacked(
  builder: GraphBuilder,
  data: Operand,
  batchSizes: Operand,
): { readonly padded: Operand; readonly lengths: Operand } {
  const packing = packingOf(batchSizes);
  return { padded: paddedForms.get(data) ?? paddedAgain(builder, data, packing), lengths: packing.lengths };
}

/** Data that were computed in packed form: each place takes the row that stands at its number among the steps. */
function paddedAgain(builder: GraphBuilder, data: Operand, { mask, time, batch }: Packing): Operand {
  const flat = cast(builder, reshape(builder, mask, [-1]), "I64");
  const counted = builder.node("CumSum", [flat, number("I64", 0)], flat);
  const rows = binary(builder, "Max", subtract(builder, counted, number("I64", 1)), number("I64", 0));
  return reshape(builder, gather(builder, data, rows, 0), [time, batch, ...data.shape.slice(1)]);
}

/** A padded tensor `[time, batch, …]` in packed form. */
export function packedFrom(builder: GraphBuilder, padded: Operand, batchSizes: Operand): Operand {
  const { mask, time, batch } = packingOf(batchSizes);
  const rest = padded.shape.slice(2);
  const rows = reshape(builder, padded, [elementsOf([time, batch]), ...rest]);
  const chosen = knownNumbers(mask);
  const count =
    chosen === undefined
      ? symbol(builder.freshSymbol("steps"), undefined)
      : chosen.reduce((sum, flag) => sum + flag, 0);
  const flat = reshape(builder, mask, [-1]);
  const shape = [count, ...rest];
  const data = builder.node(
    "Compress",
    [rows, flat],
    { dtype: padded.dtype, shape },
    { axis: intAttribute(0) },
  );
  if (typeof count !== "number") builder.define(count.key, { operand: data, axis: 0 });
  paddedForms.set(data, padded);
  return data;
}

function pack(
  builder: GraphBuilder,
  input: Operand,
  lengths: Operand,
  batchFirst: boolean,
): readonly Operand[] {
  const padded = batchFirst ? swapAxes(builder, input, 0, 1) : input;
  const [time, batch] = padded.shape as [Dimension, Dimension];
  const isOne =
    lengths.shape.length === 1 && builder.guards.decide(lengths.shape[0] as Dimension, "==", batch);
  if (padded.shape.length < 2 || !isOne || lengths.dtype !== "I64")
    throw new ConvertError(
      "malformed",
      `sequences of shape ${shapeText(input.shape)} are packed with ${lengths.dtype} lengths of shape ${shapeText(lengths.shape)}`,
    );
  checkKnown(builder, lengths, time);
  const mask = binary(
    builder,
    "Less",
    unsqueeze(builder, steps(builder, time), [1]),
    unsqueeze(builder, lengths, [0]),
  );
  const sums = reduce(builder, "ReduceSum", cast(builder, mask, "I64"), [1], false);
  const longest = longestOf(builder, lengths, time);
  const batchSizes = upTo(builder, sums, 0, longest);
  packings.set(batchSizes, { lengths, mask, time, batch });
  return [packedFrom(builder, padded, batchSizes), batchSizes];
}

/** What torch refuses, where it can be seen. */
function checkKnown(builder: GraphBuilder, lengths: Operand, time: Dimension): void {
  const known = knownNumbers(lengths);
  if (known === undefined) return;
  const falls = known.every((own, index) => own <= (known[index - 1] ?? own));
  const fits = known.every((own) => own > 0 && !builder.guards.decide(own, ">", time));
  if (!falls || !fits)
    throw new ConvertError("malformed", `sequences are packed by the lengths ${known.join(", ")}`);
}

/** 0, 1, 2 … before `count`. */
function steps(builder: GraphBuilder, count: Dimension): Operand {
  if (typeof count === "number") return integers(tableOf(count, (index) => index));
  const bounds = [0, count, 1].map((bound) => constant("I64", [], [bound]));
  return builder.node("Range", bounds, { dtype: "I64", shape: [count] });
}

/** The length of the longest sequence, where torch cuts the padding off; only data tell it, as a rule. */
function longestOf(builder: GraphBuilder, lengths: Operand, time: Dimension): Dimension {
  const known = knownNumbers(lengths);
  if (known !== undefined) return Math.max(...known);
  const longest = symbol(builder.freshSymbol("longest"), undefined);
  const limit = constant("I64", [], [time]);
  const most = binary(builder, "Min", reduce(builder, "ReduceMax", lengths, [0], false), limit);
  builder.define(longest.key, { operand: most, axis: undefined });
  return longest;
}

/** The elements of an axis before `end`. */
function upTo(builder: GraphBuilder, operand: Operand, axis: number, end: Dimension): Operand {
  if (typeof end === "number") return slice(builder, operand, axis, 0, end);
  const shape: Shape = operand.shape.map((extent, index) => (index === axis ? end : extent));
  return builder.node("Slice", [operand, integers([0]), integers([end]), integers([axis]), integers([1])], {
    dtype: operand.dtype,
    shape,
  });
}

function unpack(
  builder: GraphBuilder,
  data: Operand,
  batchSizes: Operand,
  batchFirst: boolean,
  padding: number,
  wanted: Dimension,
): readonly Operand[] {
  const { padded, lengths } = unpacked(builder, data, batchSizes);
  const { mask, time } = packingOf(batchSizes);
  const places = unsqueeze(
    builder,
    mask,
    padded.shape.slice(2).map((_, index) => index + 2),
  );
  const filled = where(builder, places, padded, number(padded.dtype, padding));
  const longest = batchSizes.shape[0] as Dimension;
  // Programs hand on how many batches there are, which is the length of the longest sequence.
  const isLongest = isSameDimension(wanted, longest) || wanted === -1;
  const cut = isLongest
    ? upTo(builder, filled, 0, longest)
    : lengthened(builder, filled, time, longest, builder.guards.settle(wanted, lengthText), padding);
  return [batchFirst ? swapAxes(builder, cut, 0, 1) : cut, lengths];
}

const lengthText = "the length that sequences are padded to";

/** Padded to a length of its own, which must not be below that of the longest sequence. */
function lengthened(
  builder: GraphBuilder,
  filled: Operand,
  time: Dimension,
  longest: Dimension,
  total: number,
  padding: number,
): Operand {
  if (typeof longest === "number" && total < longest)
    throw new ConvertError("malformed", `sequences of ${longest} steps are padded to ${total}`);
  if (builder.guards.decide(time, "==", total)) return filled;
  if (builder.guards.decide(time, ">", total)) {
    if (typeof longest === "number") return upTo(builder, filled, 0, total);
    throw new ConvertError("unsupported", `sequences of up to ${String(time)} steps are padded to ${total}`);
  }
  const missing = builder.guards.settle(time, lengthText);
  const shape = [total - missing, ...filled.shape.slice(1)];
  const more = expand(
    builder,
    reshape(
      builder,
      number(filled.dtype, padding),
      shape.map(() => 1),
    ),
    shape,
  );
  return builder.node(
    "Concat",
    [filled, more],
    { dtype: filled.dtype, shape: [total, ...filled.shape.slice(1)] },
    { axis: intAttribute(0) },
  );
}

/** Sequences of different lengths, as pack_padded_sequence and pad_packed_sequence make them. */
export const packedSequenceRules: readonly OperatorRule[] = [
  rule("_pack_padded_sequence(Tensor input, Tensor lengths, bool batch_first)", (args, builder) =>
    pack(builder, args.input, args.lengths, args.batch_first),
  ),
  rule(
    "_pad_packed_sequence(Tensor data, Tensor batch_sizes, bool batch_first, Scalar padding_value, SymInt total_length=-1)",
    ({ data, batch_sizes, batch_first, padding_value, total_length }, builder) =>
      unpack(builder, data, batch_sizes, batch_first, Number(padding_value), total_length),
  ),
];
