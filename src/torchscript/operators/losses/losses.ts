import { ConvertError } from "../../../core/errors.ts";
import {
  add,
  binary,
  divide,
  multiply,
  number,
  scaled,
  subtract,
  unary,
  where,
} from "../../emit/arithmetic.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import type { Operand } from "../../emit/operand.ts";
import { promoted } from "../../values/promotion.ts";
import { log1pOf } from "../elements/functions.ts";
import { weighed } from "../elements/special.ts";
import { norm } from "../reductions/norms.ts";
import { mean, summed } from "../reductions/reductions.ts";
import { type OperatorRule, rule } from "../rule.ts";

/** All of the losses, their mean, or their sum: 0, 1 and 2 to torch. */
export function reduced(builder: GraphBuilder, loss: Operand, reduction: number): Operand {
  if (reduction === 1) return mean(builder, loss, undefined, false, undefined);
  return reduction === 2 ? summed(builder, "ReduceSum", loss, undefined, false, undefined) : loss;
}

const of = (x: Operand, value: number): Operand => number(x.dtype, value);
const abs = (builder: GraphBuilder, x: Operand): Operand => unary(builder, "Abs", x);
const atLeast = (builder: GraphBuilder, x: Operand, bound: number): Operand =>
  binary(builder, "Max", x, of(x, bound));
const isEqual = (builder: GraphBuilder, x: Operand, value: number): Operand =>
  binary(builder, "Equal", x, of(x, value));

/** A square near 0 and a line further away, which both have at `bound`. */
function bent(builder: GraphBuilder, apart: Operand, bound: number, scale: number): Operand {
  const size = abs(builder, apart);
  const square = scaled(builder, multiply(builder, size, size), 0.5 * scale);
  const line = scaled(builder, subtract(builder, size, of(size, 0.5 * bound)), scale * bound);
  return where(builder, binary(builder, "Less", size, of(size, bound)), square, line);
}

type Plain = "a(Tensor self, Tensor target, int reduction=1)";

/** A loss of what two tensors differ by. */
function ofDifference(
  builder: GraphBuilder,
  self: Operand,
  target: Operand,
  reduction: number,
  loss: (apart: Operand) => Operand,
): Operand {
  const [a, b] = promoted(builder, self, target) as [Operand, Operand];
  return reduced(builder, loss(subtract(builder, a, b)), reduction);
}

const differences: readonly OperatorRule[] = [
  rule(
    "mse_loss(Tensor self, Tensor target, int reduction=1)" as Plain,
    ({ self, target, reduction }, builder) =>
      ofDifference(builder, self, target, reduction, (apart) => multiply(builder, apart, apart)),
  ),
  rule(
    "l1_loss(Tensor self, Tensor target, int reduction=1)" as Plain,
    ({ self, target, reduction }, builder) =>
      ofDifference(builder, self, target, reduction, (apart) => abs(builder, apart)),
  ),
  rule(
    "smooth_l1_loss(Tensor self, Tensor target, int reduction=1, float beta=1.0)",
    ({ self, target, reduction, beta }, builder) => {
      if (beta < 0) throw new ConvertError("malformed", `smooth_l1_loss with a beta of ${beta}`);
      return ofDifference(builder, self, target, reduction, (apart) =>
        beta === 0 ? abs(builder, apart) : bent(builder, apart, beta, 1 / beta),
      );
    },
  ),
  rule(
    "huber_loss(Tensor self, Tensor target, int reduction=1, float delta=1.0)",
    ({ self, target, reduction, delta }, builder) => {
      if (delta <= 0) throw new ConvertError("malformed", `huber_loss with a delta of ${delta}`);
      return ofDifference(builder, self, target, reduction, (apart) => bent(builder, apart, delta, 1));
    },
  ),
];

/** `log(x)` of a probability, cut off at -100. */
function bounded(builder: GraphBuilder, log: Operand): Operand {
  return atLeast(builder, log, -100);
}

function times(builder: GraphBuilder, loss: Operand, weight: Operand | undefined): Operand {
  return weight === undefined ? loss : multiply(builder, loss, weight);
}

/** `log(1 + exp(x))`. */
function softplus(builder: GraphBuilder, x: Operand): Operand {
  const small = unary(builder, "Exp", unary(builder, "Neg", abs(builder, x)));
  return add(builder, atLeast(builder, x, 0), log1pOf(builder, small));
}

/** `log(n!)` by Stirling, for targets above 1. */
function stirling(builder: GraphBuilder, target: Operand): Operand {
  const log = unary(builder, "Log", target);
  const tail = scaled(builder, unary(builder, "Log", scaled(builder, target, 2 * Math.PI)), 0.5);
  const term = add(builder, subtract(builder, multiply(builder, target, log), target), tail);
  const isSmall = binary(builder, "LessOrEqual", target, of(target, 1));
  return where(builder, isSmall, of(target, 0), term);
}

const likelihoods: readonly OperatorRule[] = [
  rule(
    "binary_cross_entropy(Tensor self, Tensor target, Tensor? weight=None, int reduction=1)",
    ({ self, target, weight, reduction }, builder) => {
      const rest = multiply(
        builder,
        subtract(builder, target, of(target, 1)),
        bounded(builder, log1pOf(builder, unary(builder, "Neg", self))),
      );
      const loss = subtract(
        builder,
        rest,
        multiply(builder, target, bounded(builder, unary(builder, "Log", self))),
      );
      return reduced(builder, times(builder, loss, weight), reduction);
    },
  ),
  rule(
    "binary_cross_entropy_with_logits(Tensor self, Tensor target, Tensor? weight=None, Tensor? pos_weight=None, int reduction=1)",
    ({ self, target, weight, pos_weight, reduction }, builder) => {
      const [x, t] = promoted(builder, self, target) as [Operand, Operand];
      const one = of(x, 1);
      const below = softplus(builder, unary(builder, "Neg", x));
      const share =
        pos_weight === undefined
          ? below
          : multiply(
              builder,
              add(builder, multiply(builder, subtract(builder, pos_weight, one), t), one),
              below,
            );
      const loss = add(builder, multiply(builder, subtract(builder, one, t), x), share);
      return reduced(builder, times(builder, loss, weight), reduction);
    },
  ),
  rule(
    "kl_div(Tensor self, Tensor target, int reduction=1, *, bool log_target=False)",
    ({ self, target, reduction, log_target }, builder) => {
      const [x, t] = promoted(builder, self, target) as [Operand, Operand];
      const loss = log_target
        ? multiply(builder, unary(builder, "Exp", t), subtract(builder, t, x))
        : subtract(builder, weighed(builder, t, t, unary(builder, "Log", t)), multiply(builder, t, x));
      return reduced(builder, loss, reduction);
    },
  ),
  rule(
    "poisson_nll_loss(Tensor input, Tensor target, bool log_input, bool full, float eps, int reduction)",
    ({ input, target, log_input, full, eps, reduction }, builder) => {
      const [x, t] = promoted(builder, input, target) as [Operand, Operand];
      const log = log_input ? x : unary(builder, "Log", add(builder, x, of(x, eps)));
      const rate = log_input ? unary(builder, "Exp", x) : x;
      const loss = subtract(builder, rate, multiply(builder, t, log));
      return reduced(builder, full ? add(builder, loss, stirling(builder, t)) : loss, reduction);
    },
  ),
];

/** The length of the difference of vectors, as `pairwise_distance` has it. */
function distance(builder: GraphBuilder, a: Operand, b: Operand, order: number, epsilon: number): Operand {
  const apart = add(builder, subtract(builder, a, b), of(a, epsilon));
  return norm(builder, apart, order, [-1], false, undefined);
}

/** The cosine of the angle between vectors, with what keeps the quotient from zeros. */
function cosine(builder: GraphBuilder, a: Operand, b: Operand): Operand {
  const dot = (x: Operand, y: Operand): Operand =>
    summed(builder, "ReduceSum", multiply(builder, x, y), [-1], false, undefined);
  const square = (x: Operand): Operand => add(builder, dot(x, x), of(x, 1e-12));
  return divide(builder, dot(a, b), unary(builder, "Sqrt", multiply(builder, square(a), square(b))));
}

const margins: readonly OperatorRule[] = [
  rule(
    "margin_ranking_loss(Tensor input1, Tensor input2, Tensor target, float margin=0.0, int reduction=1)",
    ({ input1, input2, target, margin, reduction }, builder) => {
      const [a, b, t] = promoted(builder, input1, input2, target) as [Operand, Operand, Operand];
      const product = multiply(builder, unary(builder, "Neg", t), subtract(builder, a, b));
      return reduced(builder, atLeast(builder, add(builder, product, of(a, margin)), 0), reduction);
    },
  ),
  rule(
    "hinge_embedding_loss(Tensor self, Tensor target, float margin=1.0, int reduction=1)",
    ({ self, target, margin, reduction }, builder) => {
      const far = atLeast(builder, subtract(builder, of(self, margin), self), 0);
      const zero = of(self, 0);
      const unlike = where(builder, isEqual(builder, target, 1), zero, far);
      const like = where(builder, isEqual(builder, target, -1), zero, self);
      return reduced(builder, add(builder, unlike, like), reduction);
    },
  ),
  rule(
    "soft_margin_loss(Tensor self, Tensor target, int reduction=1)" as Plain,
    ({ self, target, reduction }, builder) => {
      const [x, t] = promoted(builder, self, target) as [Operand, Operand];
      const power = unary(builder, "Exp", multiply(builder, unary(builder, "Neg", x), t));
      return reduced(builder, log1pOf(builder, power), reduction);
    },
  ),
  rule(
    "cosine_embedding_loss(Tensor input1, Tensor input2, Tensor target, float margin=0.0, int reduction=1)",
    ({ input1, input2, target, margin, reduction }, builder) => {
      const angle = cosine(builder, input1, input2);
      const zero = of(angle, 0);
      const like = where(builder, isEqual(builder, target, 1), subtract(builder, of(angle, 1), angle), zero);
      const far = atLeast(builder, subtract(builder, angle, of(angle, margin)), 0);
      const unlike = where(builder, isEqual(builder, target, -1), far, zero);
      return reduced(builder, add(builder, like, unlike), reduction);
    },
  ),
  rule(
    "triplet_margin_loss(Tensor anchor, Tensor positive, Tensor negative, float margin=1.0, float p=2.0, float eps=1e-06, bool swap=False, int reduction=1)",
    ({ anchor, positive, negative, margin, p, eps, swap, reduction }, builder) => {
      const near = distance(builder, anchor, positive, p, eps);
      const apart = distance(builder, anchor, negative, p, eps);
      const far = swap ? binary(builder, "Min", apart, distance(builder, positive, negative, p, eps)) : apart;
      const loss = subtract(builder, add(builder, near, of(near, margin)), far);
      return reduced(builder, atLeast(builder, loss, 0), reduction);
    },
  ),
];

/** Losses of what is near and far, as models have them that were traced with one. */
export const lossRules: readonly OperatorRule[] = [...differences, ...likelihoods, ...margins];
