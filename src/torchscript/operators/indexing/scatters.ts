import { ConvertError } from "../../../core/errors.ts";
import { cast } from "../../emit/arithmetic.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { axisOf, gather, reshape, slice, unsqueeze } from "../../emit/layout.ts";
import { type Operand, scalar } from "../../emit/operand.ts";
import { overwriteSlice } from "../../emit/overwrite.ts";
import { addDimensions, type Dimension, elementsOf, shapeText } from "../../shapes/dimension.ts";
import { rangeOf, selectedIndex } from "../layout/views.ts";
import { type OperatorRule, rule } from "../rule.ts";
import { indexPut } from "./advanced-index.ts";
import { indicesOf } from "./indexing.ts";

/** What is written has to have the shape of what it replaces. */
function checkFits(builder: GraphBuilder, source: Operand, part: Operand): void {
  const fits =
    source.shape.length === part.shape.length &&
    source.shape.every((extent, axis) => builder.guards.permits(extent, "==", part.shape[axis] as Dimension));
  if (!fits)
    throw new ConvertError(
      "malformed",
      `${shapeText(source.shape)} is written to a part of shape ${shapeText(part.shape)}`,
    );
}

/** Copies of tensors with one part replaced. */
export const scatterRules: readonly OperatorRule[] = [
  rule(
    "select_scatter(Tensor self, Tensor src, int dim, SymInt index)",
    ({ self, src, dim, index }, builder) => {
      const axis = axisOf(dim, self.shape.length);
      const at = selectedIndex(builder, self, axis, index);
      const isThere =
        builder.guards.permits(at, ">=", 0) && builder.guards.permits(at, "<", self.shape[axis] ?? 0);
      if (!isThere)
        throw new ConvertError("malformed", `there is no such element in ${shapeText(self.shape)}`);
      checkFits(builder, src, gather(builder, self, scalar("I64", at), axis));
      const value = unsqueeze(builder, cast(builder, src, self.dtype), [axis]);
      return overwriteSlice(builder, self, value, axis, at, addDimensions(at, 1), 1);
    },
  ),
  rule(
    "slice_scatter(Tensor self, Tensor src, int dim=0, SymInt? start=None, SymInt? end=None, int step=1)",
    ({ self, src, dim, start, end, step }, builder) => {
      const range = rangeOf(builder, self, dim, start, end);
      checkFits(builder, src, slice(builder, self, range.axis, range.start, range.end, step));
      const value = cast(builder, src, self.dtype);
      return overwriteSlice(builder, self, value, range.axis, range.start, range.end, step);
    },
  ),
  rule(
    "put(Tensor self, Tensor index, Tensor source, bool accumulate=False)",
    ({ self, index, source, accumulate }, builder) => {
      if (!builder.guards.permits(elementsOf(index.shape), "==", elementsOf(source.shape)))
        throw new ConvertError(
          "malformed",
          `${shapeText(source.shape)} put to ${shapeText(index.shape)} places`,
        );
      const places = reshape(builder, indicesOf(builder, index), [-1]);
      const flat = reshape(builder, self, [-1]);
      const written = indexPut(builder, flat, [places], reshape(builder, source, [-1]), accumulate);
      return reshape(builder, written, self.shape);
    },
  ),
];
