import { ConvertError } from "../../../core/errors.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { swapAxes } from "../../emit/layout.ts";
import type { Operand } from "../../emit/operand.ts";
import { type OperatorRule, type RuleContext, rule } from "../rule.ts";
import { packedFrom, unpacked } from "./packed-sequence.ts";
import { type CellWeights, recurrentCellRules } from "./recurrent-cells.ts";
import { cellKinds, type RecurrentStack, runStack } from "./recurrent-layers.ts";

/** The arguments that all forms have in common. */
interface Settings {
  readonly params: readonly Operand[];
  readonly has_biases: boolean;
  readonly num_layers: number;
  readonly dropout: number;
  readonly train: boolean;
  readonly bidirectional: boolean;
}

type KindName = keyof typeof cellKinds;

function stackOf(name: KindName, settings: Settings, context: RuleContext): RecurrentStack {
  const { params, has_biases, num_layers, dropout, train, bidirectional } = settings;
  if (train && dropout > 0 && num_layers > 1)
    context.warn("the model was saved in training mode: its dropout is left out, as it would be in use");
  const directions = bidirectional ? 2 : 1;
  const plain = has_biases ? 4 : 2;
  const count = num_layers * directions;
  const each = params.length / count;
  const isProjected = name === "lstm" && each === plain + 1;
  if (num_layers < 1 || (each !== plain && !isProjected))
    throw new ConvertError(
      "malformed",
      `${name} has ${params.length} weights for ${num_layers} layers${bidirectional ? " in two directions" : ""}`,
    );
  const weights = Array.from({ length: count }, (_, index): CellWeights => {
    const own = params.slice(index * each, (index + 1) * each);
    return {
      input: own[0] as Operand,
      hidden: own[1] as Operand,
      inputBias: has_biases ? own[2] : undefined,
      hiddenBias: has_biases ? own[3] : undefined,
      projection: isProjected ? own[plain] : undefined,
    };
  });
  return { kind: cellKinds[name], weights, directions };
}

/** Batches first become sequences first, and back. */
function runSequences(
  builder: GraphBuilder,
  stack: RecurrentStack,
  input: Operand,
  states: readonly Operand[],
  batchFirst: boolean,
): readonly Operand[] {
  const x = batchFirst ? swapAxes(builder, input, 0, 1) : input;
  const result = runStack(builder, stack, x, states, undefined);
  return [batchFirst ? swapAxes(builder, result.output, 0, 1) : result.output, ...result.states];
}

function runPacked(
  builder: GraphBuilder,
  stack: RecurrentStack,
  data: Operand,
  batchSizes: Operand,
  states: readonly Operand[],
): readonly Operand[] {
  const { padded, lengths } = unpacked(builder, data, batchSizes);
  const result = runStack(builder, stack, padded, states, lengths);
  return [packedFrom(builder, result.output, batchSizes), ...result.states];
}

type Rest = "Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional";

const rest =
  "Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, bool bidirectional";

const lstms: readonly OperatorRule[] = [
  rule(
    `lstm(Tensor input, Tensor[] hx, ${rest}, bool batch_first)` as `lstm(Tensor input, Tensor[] hx, ${Rest}, bool batch_first)`,
    (args, builder, context) =>
      runSequences(builder, stackOf("lstm", args, context), args.input, pair(args.hx), args.batch_first),
  ),
  rule(
    `lstm(Tensor data, Tensor batch_sizes, Tensor[] hx, ${rest})` as `lstm(Tensor data, Tensor batch_sizes, Tensor[] hx, ${Rest})`,
    (args, builder, context) =>
      runPacked(builder, stackOf("lstm", args, context), args.data, args.batch_sizes, pair(args.hx)),
  ),
];

function pair(states: readonly Operand[]): readonly Operand[] {
  if (states.length === 2) return states;
  throw new ConvertError("malformed", "an LSTM has a state of two tensors");
}

const others: readonly OperatorRule[] = (["gru", "rnn_tanh", "rnn_relu"] as const).flatMap((name) => [
  rule(
    `${name}(Tensor input, Tensor hx, ${rest}, bool batch_first)` as `a(Tensor input, Tensor hx, ${Rest}, bool batch_first)`,
    (args, builder, context) =>
      runSequences(builder, stackOf(name, args, context), args.input, [args.hx], args.batch_first),
  ),
  rule(
    `${name}(Tensor data, Tensor batch_sizes, Tensor hx, ${rest})` as `a(Tensor data, Tensor batch_sizes, Tensor hx, ${Rest})`,
    (args, builder, context) =>
      runPacked(builder, stackOf(name, args, context), args.data, args.batch_sizes, [args.hx]),
  ),
]);

/** Recurrent networks: whole layers and single cells. */
export const recurrentRules: readonly OperatorRule[] = [...lstms, ...others, ...recurrentCellRules];
