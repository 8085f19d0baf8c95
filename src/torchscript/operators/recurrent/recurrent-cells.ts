import { ConvertError } from "../../../core/errors.ts";
import { add, multiply, number, subtract, unary } from "../../emit/arithmetic.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { split, swapAxes } from "../../emit/layout.ts";
import { linear, matmul } from "../../emit/linear.ts";
import type { Operand } from "../../emit/operand.ts";
import { type Dimension, shapeText } from "../../shapes/dimension.ts";
import { type OperatorRule, rule } from "../rule.ts";

/** What one direction of one layer learns. Rows are gates in torch's order, `hidden` rows each. */
export interface CellWeights {
  /** `[gates · hidden, input]`. */
  readonly input: Operand;
  /** `[gates · hidden, hidden]`, of a projected LSTM `[gates · hidden, projected]`. */
  readonly hidden: Operand;
  readonly inputBias: Operand | undefined;
  readonly hiddenBias: Operand | undefined;
  /** `[projected, hidden]`; only LSTMs have it. */
  readonly projection: Operand | undefined;
}

/** The state after one step of a batch: the hidden one, and of an LSTM the cell's. Each is `[batch, hidden]`. */
export type Step = (
  builder: GraphBuilder,
  x: Operand,
  state: readonly Operand[],
  weights: CellWeights,
) => readonly Operand[];

/** Gates of an LSTM stand in the order input, forget, cell, output. */
export const lstmStep: Step = (builder, x, [h, c], weights) => {
  const [fromInput, fromHidden] = products(builder, x, h as Operand, weights);
  const gates = parts(builder, add(builder, fromInput, fromHidden), 4);
  const [i, f, o] = [0, 1, 3].map((index) => unary(builder, "Sigmoid", gates[index] as Operand));
  const g = unary(builder, "Tanh", gates[2] as Operand);
  const kept = multiply(builder, f as Operand, c as Operand);
  const cell = add(builder, kept, multiply(builder, i as Operand, g));
  const hidden = multiply(builder, o as Operand, unary(builder, "Tanh", cell));
  const { projection } = weights;
  return [projection ? matmul(builder, hidden, swapAxes(builder, projection, 0, 1)) : hidden, cell];
};

/** Gates of a GRU stand in the order reset, update, new; the reset gate weighs what comes of the hidden state, bias and all. */
export const gruStep: Step = (builder, x, [h], weights) => {
  const [fromInput, fromHidden] = products(builder, x, h as Operand, weights);
  const inner = parts(builder, fromInput, 3);
  const outer = parts(builder, fromHidden, 3);
  const [reset, update] = [0, 1].map((index) =>
    unary(builder, "Sigmoid", add(builder, inner[index] as Operand, outer[index] as Operand)),
  );
  const weighed = multiply(builder, reset as Operand, outer[2] as Operand);
  const fresh = unary(builder, "Tanh", add(builder, inner[2] as Operand, weighed));
  const rest = subtract(builder, number(x.dtype, 1), update as Operand);
  return [add(builder, multiply(builder, rest, fresh), multiply(builder, update as Operand, h as Operand))];
};

/** A plain cell with an activation of ONNX: Tanh or Relu. */
export function plainStep(activation: string): Step {
  return (builder, x, [h], weights) => {
    const [fromInput, fromHidden] = products(builder, x, h as Operand, weights);
    return [unary(builder, activation, add(builder, fromInput, fromHidden))];
  };
}

function products(
  builder: GraphBuilder,
  x: Operand,
  h: Operand,
  { input, hidden, inputBias, hiddenBias }: CellWeights,
): readonly [Operand, Operand] {
  return [linear(builder, x, input, inputBias), linear(builder, h, hidden, hiddenBias)];
}

function parts(builder: GraphBuilder, gates: Operand, count: number): readonly Operand[] {
  const axis = gates.shape.length - 1;
  const total = builder.guards.settle(gates.shape[axis] as Dimension, "the width of a cell");
  return split(builder, gates, axis, new Array(count).fill(total / count));
}

/** Refuses (kind `malformed`) weights that do not fit the input and its state. */
export function checkCell(
  builder: GraphBuilder,
  x: Operand,
  hidden: Operand,
  weights: CellWeights,
  gates: number,
): void {
  const { decide } = builder.guards;
  const width = weights.hidden.shape[1] as Dimension;
  const rows = weights.hidden.shape[0] as number;
  const isMatrix = [x, hidden, weights.input, weights.hidden].every(({ shape }) => shape.length >= 2);
  const fits =
    isMatrix &&
    decide(x.shape.at(-1) as Dimension, "==", weights.input.shape[1] as Dimension) &&
    decide(hidden.shape.at(-1) as Dimension, "==", width) &&
    decide(x.shape.at(-2) as Dimension, "==", hidden.shape.at(-2) as Dimension) &&
    weights.input.shape[0] === rows &&
    rows % gates === 0;
  if (!fits)
    throw new ConvertError(
      "malformed",
      `a recurrent layer with weights ${shapeText(weights.input.shape)} and ${shapeText(weights.hidden.shape)} ` +
        `is given ${shapeText(x.shape)} and a state of ${shapeText(hidden.shape)}`,
    );
  const dtypes = [x, hidden, ...Object.values(weights)].filter((own) => own !== undefined);
  if (dtypes.some(({ dtype }) => dtype !== x.dtype))
    throw new ConvertError("malformed", "a recurrent layer mixes dtypes, which torch refuses");
}

type CellArguments =
  "a(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None)";

const plainCells: readonly (readonly [string, Step, number])[] = [
  ["gru_cell", gruStep, 3],
  ["rnn_tanh_cell", plainStep("Tanh"), 1],
  ["rnn_relu_cell", plainStep("Relu"), 1],
];

/** One step of a recurrent network, as nn.LSTMCell and its like call it. */
export const recurrentCellRules: readonly OperatorRule[] = [
  rule(
    "lstm_cell(Tensor input, Tensor[] hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None)",
    ({ input, hx, w_ih, w_hh, b_ih, b_hh }, builder) => {
      const weights = { input: w_ih, hidden: w_hh, inputBias: b_ih, hiddenBias: b_hh, projection: undefined };
      if (hx.length !== 2) throw new ConvertError("malformed", "an LSTM has a state of two tensors");
      checkCell(builder, input, hx[0] as Operand, weights, 4);
      return lstmStep(builder, input, hx, weights);
    },
  ),
  ...plainCells.map(([name, step, gates]) =>
    rule(
      `${name}(Tensor input, Tensor hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, Tensor? b_hh=None)` as CellArguments,
      ({ input, hx, w_ih, w_hh, b_ih, b_hh }, builder) => {
        const weights = {
          input: w_ih,
          hidden: w_hh,
          inputBias: b_ih,
          hiddenBias: b_hh,
          projection: undefined,
        };
        checkCell(builder, input, hx, weights, gates);
        return step(builder, input, [hx], weights)[0] as Operand;
      },
    ),
  ),
];
