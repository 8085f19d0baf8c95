import { ConvertError } from "../../../core/errors.ts";
import { cast } from "../../emit/arithmetic.ts";
import { type Operand, writtenNumbers } from "../../emit/operand.ts";
import { checkScheme, dequantized, quantizedExactly, wholeScheme } from "../../emit/quantized.ts";
import { isFloat } from "../../emit/types.ts";
import { shapeText } from "../../shapes/dimension.ts";
import { integersOfCode } from "../../values/scalar-types.ts";
import { type OperatorRule, perhapsViewRule, rule } from "../rule.ts";

/** The numbers of scales or zero points; torch takes the whole part of the latter. */
function writtenSteps(operand: Operand, what: string): readonly number[] {
  const numbers = writtenNumbers(operand);
  if (numbers === undefined)
    throw new ConvertError("unsupported", `a tensor is quantized with ${what} that data decide`);
  return numbers;
}

function checkFloats(x: Operand): void {
  if (x.dtype !== "F32") throw new ConvertError("malformed", `a tensor of ${x.dtype} is quantized`);
}

function oneOf(operand: Operand, what: string): number {
  const [number, ...others] = writtenSteps(operand, what);
  if (number === undefined || others.length > 0)
    throw new ConvertError("malformed", `${what} of shape ${shapeText(operand.shape)} for a whole tensor`);
  return number;
}

/** From floats to quantized tensors and back. */
export const quantizationRules: readonly OperatorRule[] = [
  rule(
    "quantize_per_tensor(Tensor self, Tensor scale, Tensor zero_point, int dtype)",
    ({ self, scale, zero_point, dtype }, builder) => {
      checkFloats(self);
      const integers = integersOfCode(dtype);
      const zeroPoint = Math.trunc(oneOf(zero_point, "a zero point"));
      const scheme = wholeScheme(integers, oneOf(scale, "a scale"), zeroPoint);
      return quantizedExactly(builder, self, integers, scheme);
    },
  ),
  rule(
    "quantize_per_tensor(Tensor self, float scale, int zero_point, int dtype)",
    ({ self, scale, zero_point, dtype }, builder) => {
      checkFloats(self);
      const integers = integersOfCode(dtype);
      return quantizedExactly(builder, self, integers, wholeScheme(integers, scale, zero_point));
    },
  ),
  rule(
    "quantize_per_channel(Tensor self, Tensor scales, Tensor zero_points, int axis, int dtype)",
    ({ self, scales: scaleRow, zero_points, axis, dtype }, builder) => {
      checkFloats(self);
      const integers = integersOfCode(dtype);
      if (isFloat(zero_points.dtype))
        throw new ConvertError("unsupported", "a tensor is quantized with zero points that are no integers");
      const scales = writtenSteps(scaleRow, "scales");
      const zeroPoints = writtenSteps(zero_points, "zero points");
      if (axis < 0 || self.shape[axis] !== scales.length || zeroPoints.length !== scales.length)
        throw new ConvertError(
          "malformed",
          `${scales.length} scales and ${zeroPoints.length} zero points along dimension ${axis} of ${shapeText(self.shape)}`,
        );
      for (const [index, scale] of scales.entries())
        checkScheme(integers, scale, zeroPoints[index] as number);
      return quantizedExactly(builder, self, integers, { scales, zeroPoints, axis });
    },
  ),
  rule("dequantize(Quantized self)", ({ self }, builder) => dequantized(builder, self)),
  perhapsViewRule("dequantize(Tensor self)", ({ self }, builder) => cast(builder, self, "F32")),
  rule("int_repr(Quantized self)", ({ self }) => self.origin.integers),
];
