import { ConvertError } from "../../core/errors.ts";
import { intAttribute } from "../../core/graph.ts";
import { type Dimension, type Shape, shapeText } from "../shapes/dimension.ts";
import { add, cast } from "./arithmetic.ts";
import type { GraphBuilder } from "./graph-builder.ts";
import { swapAxes } from "./layout.ts";
import type { Operand } from "./operand.ts";
import { isFloat } from "./types.ts";

/** The matrix product as numpy has it: vectors count as rows on the left and columns on the right, further axes broadcast. */
export function matmul(builder: GraphBuilder, left: Operand, right: Operand): Operand {
  if (left.dtype === "BOOL") throw new ConvertError("malformed", "matrices of bools are multiplied");
  if (["U8", "I8", "I16"].includes(left.dtype) && left.dtype === right.dtype) {
    // The runtime multiplies no narrow integers; those of 32 bits end in the same bits.
    const [x, y] = [left, right].map((side) => cast(builder, side, "I32")) as [Operand, Operand];
    return cast(builder, matmul(builder, x, y), left.dtype);
  }
  const [a, b] = [left.shape, right.shape];
  if (a.length === 0 || b.length === 0)
    throw new ConvertError("malformed", "a 0-d tensor is multiplied as a matrix");
  const inner = b.length === 1 ? b[0] : b.at(-2);
  if (!builder.guards.decide(a.at(-1) as Dimension, "==", inner as Dimension))
    throw new ConvertError(
      "malformed",
      `matrices of shapes ${shapeText(a)} and ${shapeText(b)} cannot be multiplied`,
    );
  const batch: Shape = builder.guards.broadcast(a.slice(0, -2), b.slice(0, -2));
  const rows = a.length === 1 ? [] : [a.at(-2) as Dimension];
  const columns = b.length === 1 ? [] : [b.at(-1) as Dimension];
  return builder.node("MatMul", [left, right], { dtype: left.dtype, shape: [...batch, ...rows, ...columns] });
}

/** `x · weightᵀ + bias`. The weight stays as it is, so that the graph keeps the tensor of the state dict. */
export function linear(
  builder: GraphBuilder,
  x: Operand,
  weight: Operand,
  bias: Operand | undefined,
): Operand {
  if (
    x.shape.length === 2 &&
    weight.shape.length === 2 &&
    isFloat(x.dtype) &&
    (bias?.shape.length ?? 1) === 1
  ) {
    const [features, columns] = weight.shape as readonly [Dimension, Dimension];
    if (builder.guards.decide(x.shape[1] as Dimension, "==", columns)) {
      const shape = [x.shape[0] as Dimension, features];
      return builder.node("Gemm", [x, weight, bias], { dtype: x.dtype, shape }, { transB: intAttribute(1) });
    }
  }
  const turned = weight.shape.length === 1 ? weight : swapAxes(builder, weight, -2, -1);
  const product = matmul(builder, x, turned);
  return bias === undefined ? product : add(builder, product, bias);
}
