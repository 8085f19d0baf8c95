import { ConvertError } from "../../../core/errors.ts";
import { binary, cast, number, subtract, where } from "../../emit/arithmetic.ts";
import { intAttribute } from "../../emit/attributes.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { expand, gather, reshape } from "../../emit/layout.ts";
import { constant, maxKnown, type Operand, scalar } from "../../emit/operand.ts";
import { isFloat } from "../../emit/types.ts";
import { shapeText, staticShape } from "../../shapes/dimension.ts";
import { asOperand, promoted, type TensorOrScalar } from "../../values/promotion.ts";
import { type OperatorRule, rule } from "../rule.ts";

/** A mask as bools; bytes are an old way to write them. */
function flagsOf(builder: GraphBuilder, mask: Operand): Operand {
  if (mask.dtype !== "BOOL" && mask.dtype !== "U8")
    throw new ConvertError("malformed", `a mask of ${mask.dtype}, and not of bools`);
  return cast(builder, mask, "BOOL");
}

/** `value` where the mask is set; it is given the tensor's dtype, whatever its own is. */
function filledWhere(builder: GraphBuilder, x: Operand, mask: Operand, value: TensorOrScalar): Operand {
  const single = asOperand(builder, value, x.dtype);
  if (single.shape.length > 0)
    throw new ConvertError("malformed", `masked_fill with a tensor of shape ${shapeText(single.shape)}`);
  return where(builder, flagsOf(builder, mask), single, x);
}

/** The part of each matrix on and below a diagonal, or on and above it; zeros elsewhere. Diagonals above the main one count up. */
export function triangle(
  builder: GraphBuilder,
  x: Operand,
  diagonal: number,
  side: "lower" | "upper",
): Operand {
  const shape = staticShape(x.shape);
  const rank = x.shape.length;
  if (rank < 2) throw new ConvertError("malformed", `a triangle of a tensor of shape ${shapeText(x.shape)}`);
  const isUpper = side === "upper";
  if (shape !== undefined) {
    const [rows, columns] = shape.slice(-2) as [number, number];
    if (rows * columns <= maxKnown) {
      const isKept = (index: number): boolean => {
        const distance = (index % columns) - Math.floor(index / columns);
        return isUpper ? distance >= diagonal : distance <= diagonal;
      };
      const flags = Array.from({ length: rows * columns }, (_, index) => (isKept(index) ? 1 : 0));
      return where(builder, constant("BOOL", [rows, columns], flags), x, number(x.dtype, 0));
    }
  }
  // ONNX Runtime has it for few types; these hold all others exactly.
  const wide = isFloat(x.dtype) ? (x.dtype === "F64" ? "F64" : "F32") : "I64";
  const inputs = [cast(builder, x, wide), scalar("I64", diagonal)];
  const result = builder.node(
    "Trilu",
    inputs,
    { dtype: wide, shape: x.shape },
    { upper: intAttribute(isUpper ? 1 : 0) },
  );
  return cast(builder, result, x.dtype);
}

/** Where a condition chooses between two, in the dtype that both are promoted to. */
function chosen(
  builder: GraphBuilder,
  condition: Operand,
  left: TensorOrScalar,
  right: TensorOrScalar,
): Operand {
  const [a, b] = promoted(builder, left, right) as [Operand, Operand];
  return where(builder, flagsOf(builder, condition), a, b);
}

type Diagonal = "a(Tensor self, int diagonal=0)";

/** The elements of `source` one after the other in the places where the mask is set. */
function scatteredWhere(builder: GraphBuilder, x: Operand, mask: Operand, source: Operand): Operand {
  if (source.dtype !== x.dtype)
    throw new ConvertError("malformed", `masked_scatter of ${source.dtype} into ${x.dtype}`);
  const shape = builder.guards.broadcast(x.shape, mask.shape);
  const flags = expand(builder, flagsOf(builder, mask), shape);
  const flat = cast(builder, reshape(builder, flags, [-1]), "I64");
  const counts = builder.node("CumSum", [flat, scalar("I64", 0)], flat);
  // Where nothing is set yet, any element will do: it is not chosen.
  const places = binary(builder, "Max", subtract(builder, counts, scalar("I64", 1)), scalar("I64", 0));
  const picked = gather(builder, reshape(builder, source, [-1]), places, 0);
  return where(builder, flags, reshape(builder, picked, shape), x);
}

/** Masks, and choices by them. */
export const maskingRules: readonly OperatorRule[] = [
  rule("masked_fill(Tensor self, Tensor mask, Tensor|Scalar value)", ({ self, mask, value }, builder) =>
    filledWhere(builder, self, mask, value),
  ),
  rule(
    "where(Tensor condition, Tensor|Scalar self, Tensor|Scalar other)",
    ({ condition, self, other }, builder) => chosen(builder, condition, self, other),
  ),
  rule("masked_scatter(Tensor self, Tensor mask, Tensor source)", ({ self, mask, source }, builder) =>
    scatteredWhere(builder, self, mask, source),
  ),
  ...(["lower", "upper"] as const).map((side) =>
    rule(
      `${side === "lower" ? "tril" : "triu"}(Tensor self, int diagonal=0)` as Diagonal,
      ({ self, diagonal }, builder) => triangle(builder, self, diagonal, side),
    ),
  ),
];
