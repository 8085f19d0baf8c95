import { ConvertError } from "../../../core/errors.ts";
import {
  add,
  binary,
  cast,
  divide,
  multiply,
  number,
  scaled,
  subtract,
  unary,
  where,
} from "../../emit/arithmetic.ts";
import { floatAttribute, intAttribute } from "../../emit/attributes.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { axisOf, reshape, split } from "../../emit/layout.ts";
import type { Operand } from "../../emit/operand.ts";
import { isFloat } from "../../emit/types.ts";
import { dimensionText, divideDimensions, remainderOfDimensions } from "../../shapes/dimension.ts";
import { asFloat } from "../../values/promotion.ts";
import { type OperatorRule, type RuleContext, rule, viewRule } from "../rule.ts";
import { singleFunction } from "./functions.ts";

function clip(builder: GraphBuilder, x: Operand, low: number, high: number): Operand {
  const [least, most] = [number(x.dtype, low), number(x.dtype, high)];
  if (isFloat(x.dtype)) return builder.node("Clip", [x, least, most], x);
  return binary(builder, "Min", binary(builder, "Max", x, least), most);
}

function silu(builder: GraphBuilder, x: Operand): Operand {
  if (x.dtype === "F32") return multiply(builder, x, unary(builder, "Sigmoid", x));
  // The runtime makes one operator of the product that it has for float32 only.
  const exp = unary(builder, "Exp", unary(builder, "Neg", x));
  return divide(builder, x, add(builder, number(x.dtype, 1), exp));
}

/** `attributes` of nodes are float32; in float64 the same is made of operators whose numbers are not. */
function positiveOr(builder: GraphBuilder, x: Operand, below: Operand): Operand {
  return where(builder, binary(builder, "Greater", x, number(x.dtype, 0)), x, below);
}

/** `slope * x` below zero. */
function leaky(builder: GraphBuilder, x: Operand, slope: number): Operand {
  if (x.dtype === "F64") return positiveOr(builder, x, scaled(builder, x, slope));
  return unary(builder, "LeakyRelu", x, { alpha: floatAttribute(slope) });
}

/** `alpha * (exp(x) - 1)` below zero. */
function elu(builder: GraphBuilder, x: Operand, alpha: number): Operand {
  if (x.dtype !== "F64") return unary(builder, "Elu", x, { alpha: floatAttribute(alpha) });
  const grown = subtract(builder, unary(builder, "Exp", x), number(x.dtype, 1));
  return positiveOr(builder, x, scaled(builder, grown, alpha));
}

function hardsigmoid(builder: GraphBuilder, x: Operand): Operand {
  if (x.dtype === "F64")
    return clip(builder, add(builder, divide(builder, x, number(x.dtype, 6)), number(x.dtype, 0.5)), 0, 1);
  return unary(builder, "HardSigmoid", x, { alpha: floatAttribute(1 / 6), beta: floatAttribute(0.5) });
}

/** Constants of the self-normalizing activation, as torch has them. */
const selu = { alpha: 1.6732632423543772, scale: 1.0507009873554805 };

/** `x * Φ(x)`, or its approximation by tanh. */
export function gelu(builder: GraphBuilder, x: Operand, approximate: string, context: RuleContext): Operand {
  const half = scaled(builder, x, 0.5);
  const one = number(x.dtype, 1);
  if (approximate === "none") {
    const erf = singleFunction(builder, "erf", scaled(builder, x, Math.SQRT1_2), context);
    return multiply(builder, half, add(builder, erf, one));
  }
  if (approximate !== "tanh") throw new ConvertError("malformed", `gelu is approximated by "${approximate}"`);
  const cube = multiply(builder, multiply(builder, x, x), x);
  const inner = scaled(builder, add(builder, x, scaled(builder, cube, 0.044715)), Math.sqrt(2 / Math.PI));
  return multiply(builder, half, add(builder, unary(builder, "Tanh", inner), one));
}

/** `softplus` is the identity above the threshold, where the two differ by less than float32 shows from 20 on. */
function softplus(builder: GraphBuilder, x: Operand, beta: number, threshold: number): Operand {
  if (threshold < 20) throw new ConvertError("unsupported", `softplus with a threshold of ${threshold}`);
  return scaled(builder, softplusOf(builder, scaled(builder, x, beta)), 1 / beta);
}

/** `log(1 + exp(x))`, which the runtime has for float64 from opset 18 on only. */
function softplusOf(builder: GraphBuilder, x: Operand): Operand {
  if (x.dtype !== "F64") return unary(builder, "Softplus", x);
  const small = unary(builder, "Exp", unary(builder, "Neg", unary(builder, "Abs", x)));
  const rest = unary(builder, "Log", add(builder, small, number(x.dtype, 1)));
  return add(builder, binary(builder, "Max", x, number(x.dtype, 0)), rest);
}

function glu(builder: GraphBuilder, x: Operand, dim: number): Operand {
  const axis = axisOf(dim, x.shape.length);
  const extent = x.shape[axis] ?? 1;
  if (!builder.guards.decide(remainderOfDimensions(extent, 2), "==", 0))
    throw new ConvertError("malformed", `glu halves an extent of ${dimensionText(extent)}`);
  const half = divideDimensions(x.shape[axis] as number, 2);
  const [a, b] = split(builder, x, axis, [half, half]) as [Operand, Operand];
  return multiply(builder, a, unary(builder, "Sigmoid", b));
}

/** One slope for each channel, or one for all. */
function prelu(builder: GraphBuilder, x: Operand, weight: Operand): Operand {
  const isSingle = weight.shape.length === 0 || weight.shape[0] === 1;
  const rank = x.shape.length;
  const shape =
    isSingle || rank < 2 ? weight.shape : [weight.shape[0] as number, ...new Array(rank - 2).fill(1)];
  return builder.node("PRelu", [x, reshape(builder, weight, shape)], x);
}

function softmax(
  builder: GraphBuilder,
  opType: "Softmax" | "LogSoftmax",
  self: Operand,
  dim: number,
  dtype: Operand["dtype"] | undefined,
): Operand {
  const x = asFloat(builder, dtype === undefined ? self : cast(builder, self, dtype));
  if (x.shape.length === 0)
    return reshape(builder, softmax(builder, opType, reshape(builder, x, [1]), 0, undefined), []);
  return unary(builder, opType, x, { axis: intAttribute(axisOf(dim, x.shape.length)) });
}

type Unary = "a(Tensor self)";

/** Those that ONNX has by name, without arguments. */
const plain: Readonly<Record<string, string>> = {
  sigmoid: "Sigmoid",
  tanh: "Tanh",
};

const simple: readonly OperatorRule[] = [
  ...Object.entries(plain).map(([name, opType]) =>
    rule(`${name}(Tensor self)` as Unary, ({ self }, builder) =>
      unary(builder, opType, asFloat(builder, self)),
    ),
  ),
  rule("relu(Tensor self)", ({ self }, builder) =>
    // ONNX Runtime has no kernel of Relu for most integers.
    isFloat(self.dtype) ? unary(builder, "Relu", self) : binary(builder, "Max", self, number(self.dtype, 0)),
  ),
  rule("relu6(Tensor self)", ({ self }, builder) => clip(builder, self, 0, 6)),
  rule("silu(Tensor self)", ({ self }, builder) => silu(builder, self)),
  rule("mish(Tensor self)", ({ self }, builder) =>
    multiply(builder, self, unary(builder, "Tanh", softplusOf(builder, self))),
  ),
  rule("hardsigmoid(Tensor self)", ({ self }, builder) => hardsigmoid(builder, self)),
  rule("hardswish(Tensor self)", ({ self }, builder) =>
    self.dtype === "F64"
      ? multiply(builder, self, hardsigmoid(builder, self))
      : unary(builder, "HardSwish", self),
  ),
  rule("log_sigmoid(Tensor self)", ({ self }, builder) =>
    unary(builder, "Neg", softplusOf(builder, unary(builder, "Neg", self))),
  ),
  rule("gelu(Tensor self, *, str approximate=none)", ({ self, approximate }, builder, context) =>
    gelu(builder, self, approximate, context),
  ),
];

const withArguments: readonly OperatorRule[] = [
  rule("hardtanh(Tensor self, Scalar min_val=-1, Scalar max_val=1)", ({ self, min_val, max_val }, builder) =>
    clip(builder, self, Number(min_val), Number(max_val)),
  ),
  rule("leaky_relu(Tensor self, Scalar negative_slope=0.01)", ({ self, negative_slope }, builder) =>
    leaky(builder, self, Number(negative_slope)),
  ),
  rule(
    "rrelu(Tensor self, Scalar lower=0.125, Scalar upper=0.33333333333333331, bool training=False, any generator=None)",
    ({ self, lower, upper, training }, builder) => {
      if (training)
        throw new ConvertError("unsupported", "rrelu of a model that is trained, whose slopes are random");
      return leaky(builder, self, (Number(lower) + Number(upper)) / 2);
    },
  ),
  rule(
    "elu(Tensor self, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1)",
    ({ self, alpha, scale, input_scale }, builder) => {
      const scaledInput = scaled(builder, self, Number(input_scale));
      if (Number(input_scale) !== 1) throw new ConvertError("unsupported", "elu with a scaled input");
      return scaled(builder, elu(builder, scaledInput, Number(alpha)), Number(scale));
    },
  ),
  rule("celu(Tensor self, Scalar alpha=1)", ({ self, alpha }, builder) => {
    const a = Number(alpha);
    const inner = elu(builder, scaled(builder, self, 1 / a), 1);
    // max(x, 0) + min(0, a(exp(x/a) - 1)) is elu of x/a, times a.
    return scaled(builder, inner, a);
  }),
  rule("selu(Tensor self)", ({ self }, builder) =>
    self.dtype === "F64"
      ? scaled(builder, elu(builder, self, selu.alpha), selu.scale)
      : unary(builder, "Selu", self, {}),
  ),
  rule("softplus(Tensor self, Scalar beta=1, Scalar threshold=20)", ({ self, beta, threshold }, builder) =>
    softplus(builder, self, Number(beta), Number(threshold)),
  ),
  rule("threshold(Tensor self, Scalar threshold, Scalar value)", ({ self, threshold, value }, builder) => {
    const below = binary(builder, "LessOrEqual", self, number(self.dtype, Number(threshold)));
    return where(builder, below, number(self.dtype, Number(value)), self);
  }),
  rule("glu(Tensor self, int dim=-1)", ({ self, dim }, builder) => glu(builder, self, dim)),
  rule("prelu(Tensor self, Tensor weight)", ({ self, weight }, builder) => prelu(builder, self, weight)),
  rule("_prelu_kernel(Tensor self, Tensor weight)", ({ self, weight }, builder) =>
    builder.node("PRelu", [self, weight], self),
  ),
  ...(["Softmax", "LogSoftmax"] as const).flatMap((opType) => {
    const name = opType === "Softmax" ? "softmax" : "log_softmax";
    return [
      rule(
        `${name}(Tensor self, int dim, dtype? dtype=None)` as "a(Tensor self, int dim, dtype? dtype=None)",
        ({ self, dim, dtype }, builder) => softmax(builder, opType, self, dim, dtype),
      ),
      rule(
        `_${name}(Tensor self, int dim, bool half_to_float)` as "a(Tensor self, int dim, bool half_to_float)",
        ({ self, dim, half_to_float }, builder) =>
          softmax(builder, opType, self, dim, half_to_float ? "F32" : undefined),
      ),
    ];
  }),
];

/** Dropout of a model that is not trained does nothing, and gives the tensor itself. */
const dropouts: readonly OperatorRule[] = [
  "dropout",
  "feature_dropout",
  "alpha_dropout",
  "feature_alpha_dropout",
].map((name) =>
  viewRule(
    `${name}(Tensor input, float p, bool train)` as "a(Tensor input, float p, bool train)",
    ({ input, p, train }, _builder, context) => {
      if (train && p > 0)
        context.warn("the model was saved in training mode: its dropout is left out, as it would be in use");
      if (train && !isFloat(input.dtype)) throw new ConvertError("malformed", `${name} of ${input.dtype}`);
      return input;
    },
    (_args, value) => value,
  ),
);

/** Activation functions, and dropout. */
export const activationRules: readonly OperatorRule[] = [...simple, ...withArguments, ...dropouts];
