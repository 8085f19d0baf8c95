import { ConvertError } from "../../../core/errors.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import type { Operand, QuantizationScheme } from "../../emit/operand.ts";
import {
  dequantized,
  hasSameSteps,
  isQuantized,
  type QuantizedOperand,
  quantized,
  quantizedOperand,
  wholeOf,
  wholeScheme,
} from "../../emit/quantized.ts";
import type { OperatorRule, RuleContext, RuleResult } from "../rule.ts";

/** Operators that move elements: they work on the integers. */
const moving =
  "view reshape flatten permute transpose t squeeze unsqueeze select slice narrow chunk split split_with_sizes contiguous clone detach dropout unflatten view_as reshape_as expand".split(
    " ",
  );

/** Operators that are computed in floats and rounded to the steps that the tensor had before. */
const computing =
  "relu relu6 hardtanh clamp leaky_relu max_pool1d max_pool2d avg_pool2d avg_pool3d adaptive_avg_pool2d adaptive_avg_pool3d mean upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_bilinear2d".split(
    " ",
  );

/** Operators whose results lie in a range that is known, and so have steps of their own: a scale, and zero points for quint8 and qint8. */
const bounded: Readonly<Record<string, readonly [scale: number, unsigned: number, signed: number]>> = {
  sigmoid: [1 / 256, 0, -128],
  hardsigmoid: [1 / 256, 0, -128],
  tanh: [2 / 256, 128, 0],
};

type Args = Readonly<Record<string, never>>;

/** The same rule for a quantized first argument, given as `make` makes it of that. */
function formOf(
  original: OperatorRule,
  before: (builder: GraphBuilder, operand: QuantizedOperand) => Operand,
  after: (builder: GraphBuilder, result: Operand, operand: QuantizedOperand) => QuantizedOperand,
): OperatorRule {
  const { schema, emit } = original;
  const [first, ...others] = schema.parameters;
  const self = first?.name as string;
  const parameters = [{ ...first, type: "Quantized" } as (typeof schema.parameters)[number], ...others];
  return {
    ...original,
    schema: { ...schema, parameters },
    scatter: undefined,
    emit(args: Args, builder: GraphBuilder, context: RuleContext): RuleResult {
      const operand = args[self] as unknown as QuantizedOperand;
      const result = emit({ ...args, [self]: before(builder, operand) } as Args, builder, context);
      if (Array.isArray(result)) return result.map((each: Operand) => after(builder, each, operand));
      return after(builder, result as Operand, operand);
    },
  };
}

function movingForm(original: OperatorRule): OperatorRule {
  const self = original.schema.parameters[0]?.name as string;
  const { scatter } = original;
  const form = formOf(
    original,
    (_builder, { origin }) => origin.integers,
    (_builder, result, operand) => quantizedOperand(result, wholeOf(operand)),
  );
  if (scatter === undefined) return form;
  return {
    ...form,
    scatter(args: Args, value: Operand, builder: GraphBuilder, index: number): Operand {
      const operand = args[self] as unknown as QuantizedOperand;
      if (!isQuantized(value) || !hasSameSteps(value, operand))
        throw new ConvertError("unsupported", "a quantized tensor is written with other steps");
      const { integers } = operand.origin;
      const changed = scatter({ ...args, [self]: integers } as Args, value.origin.integers, builder, index);
      return quantizedOperand(changed, wholeOf(operand));
    },
  };
}

function boundedScheme(name: string, { dtype }: QuantizedOperand): QuantizationScheme {
  const [scale, unsigned, signed] = bounded[name] ?? [0, 0, 0];
  if (dtype === "I32") throw new ConvertError("unsupported", `"${name}" of a tensor of qint32`);
  return wholeScheme(dtype, scale, dtype === "U8" ? unsigned : signed);
}

/** The rules of these that torch has for quantized tensors too, in that form. */
export function quantizedForms(rules: readonly OperatorRule[]): readonly OperatorRule[] {
  return rules.flatMap((original) => {
    const { name, parameters } = original.schema;
    if (parameters[0]?.type !== "Tensor") return [];
    if (moving.includes(name)) return [movingForm(original)];
    if (!computing.includes(name) && bounded[name] === undefined) return [];
    const isBounded = bounded[name] !== undefined;
    const form = formOf(original, dequantized, (builder, result, operand) => {
      const scheme = isBounded ? boundedScheme(name, operand) : wholeOf(operand);
      return quantized(builder, result, operand.dtype, scheme);
    });
    return [form];
  });
}
