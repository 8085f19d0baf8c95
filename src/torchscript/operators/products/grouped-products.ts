import { ConvertError } from "../../../core/errors.ts";
import { cast } from "../../emit/arithmetic.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { concat, gather, slice } from "../../emit/layout.ts";
import { matmul } from "../../emit/linear.ts";
import { integers, type Operand, scalar } from "../../emit/operand.ts";
import { type Dimension, shapeText } from "../../shapes/dimension.ts";
import { withDataExtent } from "../indexing/data-selection.ts";
import { type OperatorRule, rule } from "../rule.ts";

/** Rows in groups, each times a matrix of its own; `ends` has where each group ends, the last one with the rows. */
function groupedProduct(builder: GraphBuilder, rows: Operand, matrices: Operand, ends: Operand): Operand {
  const [groups] = matrices.shape;
  if (rows.shape.length !== 2 || matrices.shape.length !== 3 || ends.shape.length !== 1)
    throw new ConvertError(
      "unsupported",
      `a grouped product of ${shapeText(rows.shape)} and ${shapeText(matrices.shape)}`,
    );
  if (typeof groups !== "number" || !builder.guards.decide(groups, "==", ends.shape[0] as Dimension))
    throw new ConvertError(
      "malformed",
      `${shapeText(ends.shape)} ends of groups for ${String(groups)} matrices`,
    );
  const borders = concat(builder, [integers([0]), cast(builder, ends, "I64")], 0);
  const parts = Array.from({ length: groups }, (_, group) => {
    const own = builder.node(
      "Slice",
      [
        rows,
        slice(builder, borders, 0, group, group + 1),
        slice(builder, borders, 0, group + 1, group + 2),
        integers([0]),
      ],
      { dtype: rows.dtype, shape: [-1, rows.shape[1] as Dimension] },
    );
    const counted = withDataExtent(builder, own, 0, rows.shape[0] as Dimension);
    return matmul(builder, counted, gather(builder, matrices, scalar("I64", group), 0));
  });
  return {
    ...concat(builder, parts, 0),
    shape: [rows.shape[0] as Dimension, matrices.shape[2] as Dimension],
  };
}

/** Products of a mixture of experts. */
export const groupedProductRules: readonly OperatorRule[] = [
  rule(
    "_grouped_mm(Tensor self, Tensor mat2, Tensor? offs=None, Tensor? bias=None, dtype? out_dtype=None)",
    ({ self, mat2, offs, bias, out_dtype }, builder) => {
      if (offs === undefined || bias !== undefined || out_dtype !== undefined)
        throw new ConvertError(
          "unsupported",
          "a grouped product without ends of groups, or with a bias or dtype",
        );
      return groupedProduct(builder, self, mat2, offs);
    },
  ),
];
