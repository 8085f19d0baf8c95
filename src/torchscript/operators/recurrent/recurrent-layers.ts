import { ConvertError } from "../../../core/errors.ts";
import { cast } from "../../emit/arithmetic.ts";
import { intAttribute, stringAttribute } from "../../emit/attributes.ts";
import type { Attributes, GraphBuilder } from "../../emit/graph-builder.ts";
import { concat, reshape, slice, split, squeeze, transpose, unsqueeze } from "../../emit/layout.ts";
import { knownNumbers, type Operand } from "../../emit/operand.ts";
import { type Dimension, multiplyDimensions, shapeText } from "../../shapes/dimension.ts";
import { type CellWeights, checkCell, gruStep, lstmStep, plainStep, type Step } from "./recurrent-cells.ts";

/** A kind of recurrent layer: torch's and ONNX's view of it. */
export interface CellKind {
  readonly opType: "LSTM" | "GRU" | "RNN";
  /** Where each of ONNX's gates stands among torch's. */
  readonly order: readonly number[];
  readonly states: 1 | 2;
  readonly step: Step;
  readonly activation?: string;
}

/** The kinds by torch's names. ONNX has an LSTM's gates as input, output, forget, cell, and a GRU's as update, reset, new. */
export const cellKinds = {
  lstm: { opType: "LSTM", order: [0, 3, 1, 2], states: 2, step: lstmStep },
  gru: { opType: "GRU", order: [1, 0, 2], states: 1, step: gruStep },
  rnn_tanh: { opType: "RNN", order: [0], states: 1, step: plainStep("Tanh"), activation: "Tanh" },
  rnn_relu: { opType: "RNN", order: [0], states: 1, step: plainStep("Relu"), activation: "Relu" },
} as const satisfies Readonly<Record<string, CellKind>>;

/** Layers one above the other, each in one direction or in both. */
export interface RecurrentStack {
  readonly kind: CellKind;
  /** Layer by layer, forward before backward. */
  readonly weights: readonly CellWeights[];
  readonly directions: 1 | 2;
}

/** How many steps are written out where ONNX has no operator for a cell. */
const maxSteps = 512;

/** What a stack makes of a sequence: the outputs `[time, batch, directions · hidden]`, and each state after the last step. */
export interface RecurrentResult {
  readonly output: Operand;
  readonly states: readonly Operand[];
}

/**
 * Runs a stack over `x`, `[time, batch, features]`. `states` are `[layers · directions, batch, hidden]`, `lengths` says how
 * long each sequence is where they differ. Gates are put in ONNX's order by nodes, so that the weights stay as they are.
 */
export function runStack(
  builder: GraphBuilder,
  { kind, weights, directions }: RecurrentStack,
  x: Operand,
  states: readonly Operand[],
  lengths: Operand | undefined,
): RecurrentResult {
  checkStack(builder, x, states, weights.length);
  let output = x;
  const finals: Operand[][] = states.map(() => []);
  for (let first = 0; first < weights.length; first += directions) {
    const own = weights.slice(first, first + directions);
    const starts = states.map((state) => slice(builder, state, 0, first, first + directions));
    for (const weight of own) checkCell(builder, output, starts[0] as Operand, weight, kind.order.length);
    const result = runLayer(builder, { kind, weights: own, x: output, starts, lengths });
    output = result.output;
    for (const [index, state] of result.states.entries()) finals[index]?.push(state);
  }
  return { output, states: finals.map((own) => concat(builder, own, 0)) };
}

function checkStack(builder: GraphBuilder, x: Operand, states: readonly Operand[], count: number): void {
  if (x.shape.length !== 3)
    throw new ConvertError("malformed", `a recurrent layer is given ${shapeText(x.shape)}, not 3 dimensions`);
  if (builder.guards.decide(x.shape[0] as Dimension, "==", 0))
    throw new ConvertError("malformed", "a recurrent layer is given a sequence without steps");
  for (const { shape } of states)
    if (shape.length !== 3 || !builder.guards.decide(shape[0] as Dimension, "==", count))
      throw new ConvertError(
        "malformed",
        `a recurrent layer is given a state of ${shapeText(shape)} for ${count} layers and directions`,
      );
}

/** One layer of a stack, and what goes through it. */
interface Layer {
  readonly kind: CellKind;
  /** One for each direction. */
  readonly weights: readonly CellWeights[];
  readonly x: Operand;
  readonly starts: readonly Operand[];
  readonly lengths: Operand | undefined;
}

function runLayer(builder: GraphBuilder, layer: Layer): RecurrentResult {
  const { kind, weights, x, starts, lengths } = layer;
  // ONNX has no projection, and its runtime no such layers of float64.
  if (weights[0]?.projection === undefined && x.dtype !== "F64") return inRuntimeType(builder, layer);
  if (lengths !== undefined)
    throw new ConvertError(
      "unsupported",
      `packed sequences through ${x.dtype === "F64" ? "a float64" : "a projected"} ${kind.opType} are not supported`,
    );
  const results = weights.map((own, index) =>
    unrolled(
      builder,
      kind,
      own,
      x,
      starts.map((state) => squeeze(builder, slice(builder, state, 0, index, index + 1), [0])),
      index === 1,
    ),
  );
  return {
    output: concat(
      builder,
      results.map(({ output }) => output),
      2,
    ),
    states: starts.map((_, index) =>
      concat(
        builder,
        results.map(({ states }) => unsqueeze(builder, states[index] as Operand, [0])),
        0,
      ),
    ),
  };
}

/** Step by step; a backward direction begins at the end. */
function unrolled(
  builder: GraphBuilder,
  kind: CellKind,
  weights: CellWeights,
  x: Operand,
  start: readonly Operand[],
  isBackward: boolean,
): RecurrentResult {
  const count = builder.guards.settle(
    x.shape[0] as Dimension,
    "the length of a sequence that is written out",
  );
  if (count > maxSteps)
    throw new ConvertError("unsupported", `a sequence of ${count} steps is written out up to ${maxSteps}`);
  const rows = split(builder, x, 0, new Array(count).fill(1));
  const steps = isBackward ? [...rows].reverse() : rows;
  let states = start;
  const outputs = steps.map((row) => {
    states = kind.step(builder, squeeze(builder, row, [0]), states, weights);
    return unsqueeze(builder, states[0] as Operand, [0]);
  });
  return { output: concat(builder, isBackward ? outputs.reverse() : outputs, 0), states };
}

/** Half precision is computed in float32: the runtime's layers have no narrower type on processors. */
function inRuntimeType(builder: GraphBuilder, layer: Layer): RecurrentResult {
  const { weights, x, starts } = layer;
  if (x.dtype === "F32") return layerNode(builder, layer);
  const wide = (operand: Operand): Operand => cast(builder, operand, "F32");
  const wideWeights = weights.map((own) => ({
    input: wide(own.input),
    hidden: wide(own.hidden),
    inputBias: own.inputBias && wide(own.inputBias),
    hiddenBias: own.hiddenBias && wide(own.hiddenBias),
    projection: undefined,
  }));
  const wideLayer = { ...layer, weights: wideWeights, x: wide(x), starts: starts.map(wide) };
  const result = layerNode(builder, wideLayer);
  return {
    output: cast(builder, result.output, x.dtype),
    states: result.states.map((state) => cast(builder, state, x.dtype)),
  };
}

function layerNode(builder: GraphBuilder, { kind, weights, x, starts, lengths }: Layer): RecurrentResult {
  const [time, batch] = x.shape as [Dimension, Dimension, Dimension];
  const directions = weights.length;
  const hidden = weights[0]?.hidden.shape[1] as Dimension;
  const state = { dtype: x.dtype, shape: [directions, batch, hidden] };
  const results = [{ dtype: x.dtype, shape: [time, directions, batch, hidden] }, ...starts.map(() => state)];
  const inputs = [
    x,
    stacked(builder, kind, weights, ({ input }) => input),
    stacked(builder, kind, weights, (own) => own.hidden),
    stackedBias(builder, kind, weights),
    lengths && cast(builder, lengths, "I32"),
    ...starts.map(unlessZero),
  ];
  const [outputs, ...states] = builder.nodes(
    kind.opType,
    inputs,
    results,
    attributesOf(kind, hidden, directions),
  );
  return { output: besideEachOther(builder, outputs as Operand), states };
}

function attributesOf(kind: CellKind, hidden: Dimension, directions: number): Attributes {
  const { activation } = kind;
  return {
    ...(activation && {
      activations: { kind: "strings", value: new Array<string>(directions).fill(activation) } as const,
    }),
    direction: stringAttribute(directions === 2 ? "bidirectional" : "forward"),
    hidden_size: intAttribute(hidden as number),
    ...(kind.opType === "GRU" && { linear_before_reset: intAttribute(1) }),
  };
}

/** `[time, directions, batch, hidden]` as torch has it: the directions of a step one after the other. */
function besideEachOther(builder: GraphBuilder, outputs: Operand): Operand {
  const [time, directions, batch, hidden] = outputs.shape as [Dimension, number, Dimension, Dimension];
  if (directions === 1) return squeeze(builder, outputs, [1]);
  const turned = transpose(builder, outputs, [0, 2, 1, 3]);
  return reshape(builder, turned, [time, batch, multiplyDimensions(directions, hidden)]);
}

/** ONNX starts from zeros by itself. */
function unlessZero(state: Operand): Operand | undefined {
  return knownNumbers(state)?.every((value) => value === 0) ? undefined : state;
}

/** One kind of weights of all directions, with the gates in ONNX's order: `[directions, gates · hidden, …]`. */
function stacked(
  builder: GraphBuilder,
  kind: CellKind,
  weights: readonly CellWeights[],
  pick: (weights: CellWeights) => Operand,
): Operand {
  return concat(
    builder,
    weights.map((own) => unsqueeze(builder, reordered(builder, kind, pick(own)), [0])),
    0,
  );
}

function stackedBias(
  builder: GraphBuilder,
  kind: CellKind,
  weights: readonly CellWeights[],
): Operand | undefined {
  const both = weights.map(({ inputBias, hiddenBias }) => {
    if (inputBias === undefined || hiddenBias === undefined) return undefined;
    const own = [inputBias, hiddenBias].map((bias) => reordered(builder, kind, bias));
    return unsqueeze(builder, concat(builder, own, 0), [0]);
  });
  return both.every((own) => own !== undefined) ? concat(builder, both, 0) : undefined;
}

function reordered(builder: GraphBuilder, { order }: CellKind, weight: Operand): Operand {
  if (order.length === 1) return weight;
  const rows = (weight.shape[0] as number) / order.length;
  const gates = split(builder, weight, 0, new Array(order.length).fill(rows));
  return concat(
    builder,
    order.map((index) => gates[index] as Operand),
    0,
  );
}
