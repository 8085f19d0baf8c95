import { cast } from "../../emit/arithmetic.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { expand } from "../../emit/layout.ts";
import type { Operand } from "../../emit/operand.ts";
import { asOperand } from "../../values/promotion.ts";
import { type OperatorRule, perhapsViewRule, rule } from "../rule.ts";

function filled(builder: GraphBuilder, x: Operand, value: Operand): Operand {
  return expand(builder, cast(builder, value, x.dtype), x.shape);
}

type To = "a(Tensor self, dtype? dtype=None)";

/** Each way in which programs write `to`; devices and memory formats mean nothing to a graph. */
const conversions: readonly string[] = [
  "to(Tensor self, dtype dtype, any non_blocking=False, bool copy=False, any memory_format=None)",
  "to(Tensor self, any device, dtype dtype, any non_blocking=False, bool copy=False, any memory_format=None)",
  "to(Tensor self, *, dtype? dtype=None, any layout=None, any device=None, any pin_memory=None, any non_blocking=False, bool copy=False, any memory_format=None)",
  "to(Tensor self, dtype? dtype, any layout, any device, any pin_memory, any non_blocking=False, bool copy=False, any memory_format=None)",
  "to(Tensor self, any device=None, dtype? dtype=None, any non_blocking=False, bool copy=False)",
];

/** Changes of dtype, and writing of whole tensors. */
export const conversionRules: readonly OperatorRule[] = [
  perhapsViewRule(
    "to(Tensor self, Tensor other, any non_blocking=False, bool copy=False, any memory_format=None)",
    ({ self, other }, builder) => cast(builder, self, other.dtype),
  ),
  ...conversions.map((signature) =>
    perhapsViewRule(signature as To, ({ self, dtype }, builder) =>
      dtype === undefined ? self : cast(builder, self, dtype),
    ),
  ),
  perhapsViewRule(
    "as_tensor(Tensor data, *, dtype? dtype=None, any device=None)" as "a(Tensor data, dtype? dtype=None)",
    ({ data, dtype }, builder) => (dtype === undefined ? data : cast(builder, data, dtype)),
  ),
  perhapsViewRule("type_as(Tensor self, Tensor other)", ({ self, other }, builder) =>
    cast(builder, self, other.dtype),
  ),
  perhapsViewRule("_cast_Float(Tensor self, any non_blocking=False)", ({ self }, builder) =>
    cast(builder, self, "F32"),
  ),
  rule("copy(Tensor self, Tensor src, any non_blocking=False)", ({ self, src }, builder) =>
    filled(builder, self, src),
  ),
  rule("fill(Tensor self, Tensor|Scalar value)", ({ self, value }, builder) =>
    filled(builder, self, asOperand(builder, value, self.dtype)),
  ),
  rule("zero(Tensor self)", ({ self }, builder) => filled(builder, self, asOperand(builder, 0n, self.dtype))),
];
