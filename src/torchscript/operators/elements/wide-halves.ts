import { cast } from "../../emit/arithmetic.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import type { Operand } from "../../emit/operand.ts";

/** Runs `make` in float32 where the operands are halves, as torch does, and rounds once at the end. */
export function wideHalves<const T extends readonly Operand[]>(
  builder: GraphBuilder,
  operands: T,
  make: (operands: T) => Operand,
): Operand {
  const [first] = operands;
  if (first?.dtype !== "F16") return make(operands);
  const wide = operands.map((operand) => cast(builder, operand, "F32"));
  return cast(builder, make(wide as unknown as T), "F16");
}
