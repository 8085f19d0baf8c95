import { ConvertError } from "../../core/errors.ts";
import { add, binary, cast, multiply, number, scaled, unary } from "../emit/arithmetic.ts";
import { floatAttribute, intAttribute } from "../emit/attributes.ts";
import type { GraphBuilder } from "../emit/graph-builder.ts";
import { axisOf, reshape, split } from "../emit/layout.ts";
import type { Operand } from "../emit/operand.ts";
import { isFloat } from "../emit/types.ts";
import { dimensionText, divideDimensions, remainderOfDimensions } from "../shapes/dimension.ts";
import { asFloat } from "../values/promotion.ts";
import { type OperatorRule, rule, viewRule } from "./rule.ts";

function clip(builder: GraphBuilder, x: Operand, low: number, high: number): Operand {
  return builder.node("Clip", [x, number(x.dtype, low), number(x.dtype, high)], x);
}

function silu(builder: GraphBuilder, x: Operand): Operand {
  return multiply(builder, x, unary(builder, "Sigmoid", x));
}

/** `x * Φ(x)`, or its approximation by tanh. */
export function gelu(builder: GraphBuilder, x: Operand, approximate: string): Operand {
  const half = scaled(builder, x, 0.5);
  const one = number(x.dtype, 1);
  if (approximate === "none") {
    const erf = unary(builder, "Erf", scaled(builder, x, Math.SQRT1_2));
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
  return scaled(builder, unary(builder, "Softplus", scaled(builder, x, beta)), 1 / beta);
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
  hardswish: "HardSwish",
  softsign: "Softsign",
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
    multiply(builder, self, unary(builder, "Tanh", unary(builder, "Softplus", self))),
  ),
  rule("hardsigmoid(Tensor self)", ({ self }, builder) =>
    unary(builder, "HardSigmoid", self, { alpha: floatAttribute(1 / 6), beta: floatAttribute(0.5) }),
  ),
  rule("log_sigmoid(Tensor self)", ({ self }, builder) =>
    unary(builder, "Neg", unary(builder, "Softplus", unary(builder, "Neg", self))),
  ),
  rule("gelu(Tensor self, *, str approximate=none)", ({ self, approximate }, builder) =>
    gelu(builder, self, approximate),
  ),
];

const withArguments: readonly OperatorRule[] = [
  rule("hardtanh(Tensor self, Scalar min_val=-1, Scalar max_val=1)", ({ self, min_val, max_val }, builder) =>
    clip(builder, self, Number(min_val), Number(max_val)),
  ),
  rule("leaky_relu(Tensor self, Scalar negative_slope=0.01)", ({ self, negative_slope }, builder) =>
    unary(builder, "LeakyRelu", self, { alpha: floatAttribute(Number(negative_slope)) }),
  ),
  rule(
    "elu(Tensor self, Scalar alpha=1, Scalar scale=1, Scalar input_scale=1)",
    ({ self, alpha, scale, input_scale }, builder) => {
      const scaledInput = scaled(builder, self, Number(input_scale));
      if (Number(input_scale) !== 1) throw new ConvertError("unsupported", "elu with a scaled input");
      return scaled(
        builder,
        unary(builder, "Elu", scaledInput, { alpha: floatAttribute(Number(alpha)) }),
        Number(scale),
      );
    },
  ),
  rule("celu(Tensor self, Scalar alpha=1)", ({ self, alpha }, builder) => {
    const a = Number(alpha);
    const inner = unary(builder, "Elu", scaled(builder, self, 1 / a), { alpha: floatAttribute(1) });
    // max(x, 0) + min(0, a(exp(x/a) - 1)) is elu of x/a, times a.
    return scaled(builder, inner, a);
  }),
  rule("selu(Tensor self)", ({ self }, builder) => unary(builder, "Selu", self, {})),
  rule("softplus(Tensor self, Scalar beta=1, Scalar threshold=20)", ({ self, beta, threshold }, builder) =>
    softplus(builder, self, Number(beta), Number(threshold)),
  ),
  rule("threshold(Tensor self, Scalar threshold, Scalar value)", ({ self, threshold, value }, builder) => {
    const above = binary(builder, "Greater", self, number(self.dtype, Number(threshold)));
    return builder.node("Where", [above, self, number(self.dtype, Number(value))], self);
  }),
  rule("glu(Tensor self, int dim=-1)", ({ self, dim }, builder) => glu(builder, self, dim)),
  rule("prelu(Tensor self, Tensor weight)", ({ self, weight }, builder) => prelu(builder, self, weight)),
  rule("_prelu_kernel(Tensor self, Tensor weight)", ({ self, weight }, builder) =>
    builder.node("PRelu", [self, weight], self),
  ),
  ...["softmax", "_softmax"].map((name) =>
    rule(
      `${name}(Tensor self, int dim, dtype? dtype=None)` as "a(Tensor self, int dim, dtype? dtype=None)",
      ({ self, dim, dtype }, builder) => softmax(builder, "Softmax", self, dim, dtype),
    ),
  ),
  rule("log_softmax(Tensor self, int dim, dtype? dtype=None)", ({ self, dim, dtype }, builder) =>
    softmax(builder, "LogSoftmax", self, dim, dtype),
  ),
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
      if (!isFloat(input.dtype)) throw new ConvertError("malformed", `${name} of ${input.dtype}`);
      return input;
    },
    (_args, value) => value,
  ),
);

/** Activation functions, and dropout. */
export const activationRules: readonly OperatorRule[] = [...simple, ...withArguments, ...dropouts];
