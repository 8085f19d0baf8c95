import { ConvertError } from "../../../core/errors.ts";
import { cast } from "../../emit/arithmetic.ts";
import { stringAttribute } from "../../emit/attributes.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { concat, slice } from "../../emit/layout.ts";
import { integers, type Operand } from "../../emit/operand.ts";
import { addDimensions, type Dimension, shapeText, subtractDimensions } from "../../shapes/dimension.ts";
import { asOperand, type Scalar } from "../../values/promotion.ts";
import { type OperatorRule, rule } from "../rule.ts";

/** How much is put before and behind each axis, from the first on; torch counts from the last. */
interface Pads {
  readonly before: readonly Dimension[];
  readonly behind: readonly Dimension[];
}

function padsOf(x: Operand, pad: readonly Dimension[]): Pads {
  const rank = x.shape.length;
  if (pad.length % 2 !== 0 || pad.length > 2 * rank)
    throw new ConvertError(
      "malformed",
      `a tensor of shape ${shapeText(x.shape)} is padded by ${pad.length} numbers`,
    );
  const at = (axis: number, side: number): Dimension => pad[2 * (rank - 1 - axis) + side] ?? 0;
  const axes = [...x.shape.keys()];
  return { before: axes.map((axis) => at(axis, 0)), behind: axes.map((axis) => at(axis, 1)) };
}

function paddedShape(builder: GraphBuilder, x: Operand, { before, behind }: Pads): readonly Dimension[] {
  return x.shape.map((extent, axis) => {
    const sum = addDimensions(addDimensions(extent, before[axis] as Dimension), behind[axis] as Dimension);
    if (builder.guards.decide(sum, "<", 0))
      throw new ConvertError("malformed", `padding takes more of ${shapeText(x.shape)} than there is`);
    return sum;
  });
}

/** Constant padding; negative pads cut off. */
export function constantPad(
  builder: GraphBuilder,
  x: Operand,
  pad: readonly Dimension[],
  value: Scalar,
): Operand {
  const own = padsOf(x, pad);
  const shape = paddedShape(builder, x, own);
  const { guards } = builder;
  // Cut first: ONNX Runtime fills from what it cut where both happen to one tensor.
  let cropped = x;
  for (const [axis, extent] of x.shape.entries()) {
    const [before, behind] = [own.before[axis], own.behind[axis]] as [Dimension, Dimension];
    const start = guards.decide(before, "<", 0) ? subtractDimensions(0, before) : 0;
    const end = guards.decide(behind, "<", 0) ? addDimensions(extent, behind) : extent;
    cropped = slice(builder, cropped, axis, start, end);
  }
  const kept = [...own.before, ...own.behind].map((size) => (guards.decide(size, "<", 0) ? 0 : size));
  if (kept.every((size) => size === 0)) return cropped;
  return padNode(builder, cropped, kept, shape, "constant", value);
}

/** ONNX Runtime pads no 16-bit integers. */
function padNode(
  builder: GraphBuilder,
  x: Operand,
  pads: readonly Dimension[],
  shape: readonly Dimension[],
  mode: string,
  value: Scalar | undefined,
): Operand {
  const wide = x.dtype === "I16" ? cast(builder, x, "I32") : x;
  const filling = value === undefined ? undefined : asOperand(builder, value, wide.dtype);
  const padded = builder.node(
    "Pad",
    [wide, integers(pads), filling],
    { dtype: wide.dtype, shape },
    { mode: stringAttribute(mode) },
  );
  return cast(builder, padded, x.dtype);
}

/** Torch mirrors, repeats and wraps the last one to three axes, behind one or two others. */
function checkBorders(x: Operand, pad: readonly Dimension[], mode: string): void {
  const axes = pad.length / 2;
  const rank = x.shape.length;
  if (![1, 2, 3].includes(axes) || (rank !== axes + 1 && rank !== axes + 2))
    throw new ConvertError("malformed", `${mode} padding by ${pad.length} numbers of ${shapeText(x.shape)}`);
}

/** Padding with what lies at the border: mirrored, or the last element. */
function borderPad(
  builder: GraphBuilder,
  x: Operand,
  pad: readonly Dimension[],
  mode: "reflect" | "replicate",
): Operand {
  checkBorders(x, pad, mode);
  const own = padsOf(x, pad);
  const { guards } = builder;
  for (const [axis, extent] of x.shape.entries()) {
    for (const size of [own.before[axis], own.behind[axis]] as [Dimension, Dimension]) {
      if (guards.decide(size, "<", 0)) throw new ConvertError("unsupported", `negative ${mode} padding`);
      if (mode === "reflect" && size !== 0 && guards.decide(size, ">=", extent))
        throw new ConvertError("malformed", `reflect padding of ${shapeText(x.shape)} beyond its extent`);
    }
  }
  const pads = [...own.before, ...own.behind];
  const shape = paddedShape(builder, x, own);
  return padNode(builder, x, pads, shape, mode === "reflect" ? "reflect" : "edge", undefined);
}

/** Padding with what lies at the other border. */
function circularPad(builder: GraphBuilder, x: Operand, pad: readonly Dimension[]): Operand {
  checkBorders(x, pad, "circular");
  const { before, behind } = padsOf(x, pad);
  const { guards } = builder;
  return x.shape.reduce<Operand>((whole, extent, axis) => {
    const [front, back] = [before[axis], behind[axis]] as [Dimension, Dimension];
    for (const size of [front, back]) {
      if (guards.decide(size, "<", 0)) throw new ConvertError("unsupported", "negative circular padding");
      if (size !== 0 && guards.decide(size, ">", extent))
        throw new ConvertError(
          "malformed",
          `circular padding of ${shapeText(x.shape)} by more than its extent`,
        );
    }
    const parts = [whole];
    if (front !== 0) parts.unshift(slice(builder, whole, axis, subtractDimensions(extent, front), extent));
    if (back !== 0) parts.push(slice(builder, whole, axis, 0, back));
    return concat(builder, parts, axis);
  }, x);
}

function padded(
  builder: GraphBuilder,
  x: Operand,
  pad: readonly Dimension[],
  mode: string,
  value: number | undefined,
): Operand {
  if (mode === "constant") return constantPad(builder, x, pad, value ?? 0);
  if (value !== undefined && value !== 0)
    throw new ConvertError("malformed", `${mode} padding takes no value`);
  if (mode === "reflect" || mode === "replicate") return borderPad(builder, x, pad, mode);
  if (mode === "circular") return circularPad(builder, x, pad);
  throw new ConvertError("malformed", `there is no padding "${mode}"`);
}

type Named = "a(Tensor self, SymInt[] padding)";

const named: readonly (readonly [string, string])[] = [1, 2, 3].flatMap((rank) => [
  [`reflection_pad${rank}d`, "reflect"],
  [`replication_pad${rank}d`, "replicate"],
]);

/** Padding. */
export const paddingRules: readonly OperatorRule[] = [
  rule(
    "pad(Tensor self, SymInt[] pad, str mode=constant, float? value=None)",
    ({ self, pad, mode, value }, builder) => padded(builder, self, pad, mode, value),
  ),
  rule("constant_pad_nd(Tensor self, SymInt[] pad, Scalar value=0)", ({ self, pad, value }, builder) =>
    constantPad(builder, self, pad, value),
  ),
  ...named.map(([name, mode]) =>
    rule(`${name}(Tensor self, SymInt[] padding)` as Named, ({ self, padding }, builder) =>
      padded(builder, self, padding, mode, undefined),
    ),
  ),
];
