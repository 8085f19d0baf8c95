import { ConvertError } from "../../../core/errors.ts";
import { cast } from "../../emit/arithmetic.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { squeeze, unsqueeze } from "../../emit/layout.ts";
import type { Operand } from "../../emit/operand.ts";
import {
  addDimensions,
  type Dimension,
  dimensionText,
  divideDimensions,
  shapeText,
} from "../../shapes/dimension.ts";
import type { RuleContext } from "../rule.ts";

/** One number for each spatial axis: a single one stands for all. */
export function perAxis(values: readonly number[], count: number, what: string): readonly number[] {
  if (values.length === count) return values;
  if (values.length === 1) return new Array(count).fill(values[0]);
  throw new ConvertError("malformed", `${what} has ${values.length} numbers for ${count} dimensions`);
}

/** How many windows fit: `⌊(extent + pads - reach) / stride⌋ + 1`, where a window reaches over `dilation * (kernel - 1) + 1`. Throws kind `malformed` for windows that there are not. */
export function windowCount(
  extent: Dimension,
  pads: number,
  kernel: number,
  stride: number,
  dilation: number,
): Dimension {
  if (kernel < 1 || stride < 1 || dilation < 1 || pads < 0)
    throw new ConvertError(
      "malformed",
      `windows of ${kernel} elements, ${dilation} apart, in steps of ${stride} with ${pads} of padding`,
    );
  const free = addDimensions(extent, pads - (dilation * (kernel - 1) + 1));
  if (typeof free === "number" && free < 0)
    throw new ConvertError(
      "malformed",
      `windows that reach over ${dilation * (kernel - 1) + 1} elements, of ${dimensionText(addDimensions(extent, pads))}`,
    );
  return addDimensions(divideDimensions(free, stride), 1);
}

/** Runs `make` on a batch: a sample without one, of rank `rank - 1`, gets one around the call. */
export function batched(
  builder: GraphBuilder,
  operand: Operand,
  rank: number,
  make: (batch: Operand) => Operand,
): Operand {
  return batchedAll(builder, operand, rank, (batch) => [make(batch)])[0] as Operand;
}

/** As `batched`, for several results. */
export function batchedAll(
  builder: GraphBuilder,
  operand: Operand,
  rank: number,
  make: (batch: Operand) => readonly Operand[],
): readonly Operand[] {
  if (operand.shape.length === rank) return make(operand);
  if (operand.shape.length !== rank - 1)
    throw new ConvertError(
      "malformed",
      `a tensor of shape ${shapeText(operand.shape)} is given where ${rank} dimensions are expected`,
    );
  return make(unsqueeze(builder, operand, [0])).map((result) => squeeze(builder, result, [0]));
}

/** Runs `make` in float32 where the runtime computes this operator in no wider type, and says so. */
export function inSingle(
  builder: GraphBuilder,
  operands: readonly (Operand | undefined)[],
  context: RuleContext,
  make: (operands: readonly (Operand | undefined)[]) => Operand,
): Operand {
  const [first] = operands;
  if (first?.dtype !== "F64") return make(operands);
  context.warn(
    "float64 is computed in float32 where ONNX Runtime has nothing wider: convolutions, means of windows, resizing, erf, arcs",
  );
  const narrow = operands.map((operand) => operand && cast(builder, operand, "F32"));
  return cast(builder, make(narrow), "F64");
}
