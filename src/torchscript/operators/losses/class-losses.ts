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
import { intAttribute } from "../../emit/attributes.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { gather, reshape, squeeze, unsqueeze } from "../../emit/layout.ts";
import { constant, integers, type Operand, tableOf } from "../../emit/operand.ts";
import { reduce } from "../../emit/reduce.ts";
import { isFloat } from "../../emit/types.ts";
import { type Dimension, elementsOf, shapeText } from "../../shapes/dimension.ts";
import { type OperatorRule, rule } from "../rule.ts";
import { reduced } from "./losses.ts";

interface ClassLoss {
  /** Logarithms of probabilities: classes along axis 1, or along the only one. */
  readonly self: Operand;
  readonly target: Operand;
  readonly weight: Operand | undefined;
  readonly reduction: number;
  readonly ignore_index: number;
}

/** Where the classes lie. */
function classAxis({ shape }: Operand): number {
  if (shape.length === 0) throw new ConvertError("malformed", "the class of a 0-d tensor");
  return shape.length === 1 ? 0 : 1;
}

function sumOf(builder: GraphBuilder, x: Operand): Operand {
  return reduce(builder, "ReduceSum", x, [...x.shape.keys()], false);
}

interface Classes {
  /** Which targets are left out. */
  readonly isIgnored: Operand;
  /** The others as places along the axis; one past the end where they are below 0, which the runtime refuses as torch does. */
  readonly safe: Operand;
  /** The weight of each target, 0 for those that are left out. */
  readonly weights: Operand;
}

function classesOf(builder: GraphBuilder, { self, target, weight, ignore_index }: ClassLoss): Classes {
  const axis = classAxis(self);
  const wanted = self.shape.filter((_, index) => index !== axis);
  const fits =
    wanted.length === target.shape.length &&
    wanted.every((extent, index) => builder.guards.permits(extent, "==", target.shape[index] as Dimension));
  if (!fits)
    throw new ConvertError(
      "malformed",
      `targets of shape ${shapeText(target.shape)} for ${shapeText(self.shape)}`,
    );
  if (target.dtype !== "I64" && target.dtype !== "U8")
    throw new ConvertError("malformed", `targets of ${target.dtype}`);
  const classes = cast(builder, target, "I64");
  const zero = number("I64", 0);
  const isIgnored = binary(builder, "Equal", classes, number("I64", ignore_index));
  const beyond = constant("I64", [], [self.shape[axis] as Dimension]);
  const checked = where(builder, binary(builder, "Less", classes, zero), beyond, classes);
  const safe = where(builder, isIgnored, zero, checked);
  const own = weight === undefined ? number(self.dtype, 1) : gather(builder, weight, safe, 0);
  return { isIgnored, safe, weights: where(builder, isIgnored, number(self.dtype, 0), own) };
}

/** What places along an axis pick. */
function pickedBy(builder: GraphBuilder, self: Operand, places: Operand, axis: number): Operand {
  const result = { dtype: self.dtype, shape: places.shape };
  return builder.node("GatherElements", [self, places], result, { axis: intAttribute(axis) });
}

/** The logarithm of each target's probability, with a minus. */
function likelihood(builder: GraphBuilder, args: ClassLoss): Operand {
  const { self, reduction } = args;
  if (!isFloat(self.dtype)) throw new ConvertError("malformed", `probabilities of ${self.dtype}`);
  const axis = classAxis(self);
  const { isIgnored, safe, weights } = classesOf(builder, args);
  const places = unsqueeze(builder, safe, [axis]);
  const picked = pickedBy(builder, self, places, axis);
  const product = multiply(builder, squeeze(builder, picked, [axis]), weights);
  const loss = where(builder, isIgnored, number(self.dtype, 0), unary(builder, "Neg", product));
  return reduction === 1
    ? divide(builder, sumOf(builder, loss), sumOf(builder, weights))
    : reduced(builder, loss, reduction);
}

/** One number for each class, shaped so that it broadcasts along its axis. */
function alongClasses(builder: GraphBuilder, weight: Operand, self: Operand): Operand {
  const rest = self.shape.length - classAxis(self) - 1;
  return reshape(builder, weight, [weight.shape[0] as Dimension, ...new Array<number>(rest).fill(1)]);
}

/** The part of the loss that is the same for all classes. */
function smoothed(builder: GraphBuilder, args: ClassLoss): Operand {
  const { self, weight, reduction } = args;
  const { isIgnored, weights } = classesOf(builder, args);
  const logs = weight === undefined ? self : multiply(builder, self, alongClasses(builder, weight, self));
  const sums = reduce(builder, "ReduceSum", unary(builder, "Neg", logs), [classAxis(self)], false);
  const loss = where(builder, isIgnored, number(self.dtype, 0), sums);
  return reduction === 1
    ? divide(builder, sumOf(builder, loss), sumOf(builder, weights))
    : reduced(builder, loss, reduction);
}

/** Against probabilities of all classes. */
function againstShares(builder: GraphBuilder, args: ClassLoss, smoothing: number): Operand {
  const { self, weight, reduction } = args;
  const axis = classAxis(self);
  const count = builder.guards.settle(self.shape[axis] as Dimension, "the number of classes");
  if (!isFloat(args.target.dtype)) throw new ConvertError("malformed", `shares of ${args.target.dtype}`);
  const target =
    smoothing === 0
      ? args.target
      : add(
          builder,
          scaled(builder, args.target, 1 - smoothing),
          number(args.target.dtype, smoothing / count),
        );
  const product = multiply(builder, self, target);
  const weighted =
    weight === undefined ? product : multiply(builder, product, alongClasses(builder, weight, self));
  const loss = unary(builder, "Neg", reduce(builder, "ReduceSum", weighted, [axis], false));
  if (reduction !== 1) return reduced(builder, loss, reduction);
  const rows = constant("I64", [], [elementsOf(self.shape.filter((_, index) => index !== axis))]);
  return divide(builder, sumOf(builder, loss), cast(builder, rows, self.dtype));
}

function crossEntropy(builder: GraphBuilder, args: ClassLoss, smoothing: number): Operand {
  const axis = classAxis(args.self);
  if (smoothing < 0 || smoothing > 1)
    throw new ConvertError("malformed", `a label smoothing of ${smoothing}`);
  if (!isFloat(args.self.dtype))
    throw new ConvertError("malformed", `the cross entropy of ${args.self.dtype}`);
  const logs = { ...args, self: unary(builder, "LogSoftmax", args.self, { axis: intAttribute(axis) }) };
  const { shape } = args.target;
  const isShares =
    shape.length === args.self.shape.length &&
    shape.every((extent, index) => builder.guards.decide(extent, "==", args.self.shape[index] as Dimension));
  if (isShares) return againstShares(builder, logs, smoothing);
  const loss = likelihood(builder, logs);
  if (smoothing === 0) return loss;
  const count = builder.guards.settle(args.self.shape[axis] as Dimension, "the number of classes");
  const rest = scaled(builder, smoothed(builder, logs), smoothing / count);
  return add(builder, scaled(builder, loss, 1 - smoothing), rest);
}

/** How far each other class comes within `margin` of the right one, summed and shared among all. */
function withinMargin(builder: GraphBuilder, args: ClassLoss, power: number, margin: number): Operand {
  const { self, reduction } = args;
  if (!isFloat(self.dtype) || self.shape.length > 2)
    throw new ConvertError("malformed", `classes of ${self.dtype} of shape ${shapeText(self.shape)}`);
  if (power !== 1 && power !== 2)
    throw new ConvertError("malformed", `multi_margin_loss with a power of ${power}`);
  const axis = classAxis(self);
  const { safe, weights } = classesOf(builder, args);
  const places = unsqueeze(builder, safe, [axis]);
  const right = pickedBy(builder, self, places, axis);
  const reach = binary(
    builder,
    "Max",
    add(builder, subtract(builder, self, right), number(self.dtype, margin)),
    number(self.dtype, 0),
  );
  const count = builder.guards.settle(self.shape[axis] as Dimension, "the number of classes");
  const isRight = binary(builder, "Equal", places, integers(tableOf(count, (index) => index)));
  const raised = power === 1 ? reach : multiply(builder, reach, reach);
  const others = where(builder, isRight, number(self.dtype, 0), raised);
  const sum = multiply(builder, reduce(builder, "ReduceSum", others, [axis], false), weights);
  return reduced(builder, scaled(builder, sum, 1 / count), reduction);
}

type Plain = "a(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, int ignore_index=-100)";

/** Losses of classes. */
export const classLossRules: readonly OperatorRule[] = [
  ...["nll_loss", "nll_loss2d", "nll_loss_nd"].map((name) =>
    rule(
      `${name}(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, int ignore_index=-100)` as Plain,
      (args, builder) => likelihood(builder, args),
    ),
  ),
  rule(
    "cross_entropy_loss(Tensor self, Tensor target, Tensor? weight=None, int reduction=1, int ignore_index=-100, float label_smoothing=0.0)",
    ({ label_smoothing, ...args }, builder) => crossEntropy(builder, args, label_smoothing),
  ),
  rule(
    "multi_margin_loss(Tensor self, Tensor target, Scalar p=1, Scalar margin=1, Tensor? weight=None, int reduction=1)",
    ({ p, margin, ...args }, builder) =>
      withinMargin(builder, { ...args, ignore_index: Number.MIN_SAFE_INTEGER }, Number(p), Number(margin)),
  ),
];
