import { ConvertError } from "../../../core/errors.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { axisOf, slice } from "../../emit/layout.ts";
import { knownNumbers, type Operand } from "../../emit/operand.ts";
import { overwriteSlice } from "../../emit/overwrite.ts";
import { addDimensions, type Dimension, remainderOfDimensions, shapeText } from "../../shapes/dimension.ts";
import { type OperatorRule, viewRule } from "../rule.ts";
import { evenParts, partList } from "./joins.ts";
import { type Range, rangeOf } from "./views.ts";

/** A number of parts, the first of them longer by one where it does not come out even; or the indices between them. */
type Cuts = number | readonly number[];

/** The parts of an axis; those between indices may overlap, or be empty. */
function partsBetween(builder: GraphBuilder, x: Operand, dim: number, cuts: Cuts): readonly Range[] {
  const axis = axisOf(dim, x.shape.length);
  const extent = x.shape[axis];
  if (extent === undefined) throw new ConvertError("malformed", "a 0-d tensor is split");
  if (typeof cuts !== "number") {
    const starts = [undefined, ...cuts];
    return starts.map((start, index) => rangeOf(builder, x, axis, start, cuts[index]));
  }
  if (cuts < 1) throw new ConvertError("malformed", `a tensor is split into ${cuts} sections`);
  let start: Dimension = 0;
  return sectionsOf(builder, extent, cuts).map((own) => {
    const end = addDimensions(start, own);
    const range = { axis, start, end };
    start = end;
    return range;
  });
}

function sectionsOf(builder: GraphBuilder, extent: Dimension, count: number): readonly Dimension[] {
  const even = evenParts(builder, extent, count);
  if (even !== undefined) return even;
  const whole = builder.guards.settle(extent, "an extent that is split in sections");
  const longer = whole % count;
  return partList(count, 0).map((_, index) => Math.floor(whole / count) + (index < longer ? 1 : 0));
}

function cutParts(builder: GraphBuilder, x: Operand, dim: number, cuts: Cuts): readonly Operand[] {
  return partsBetween(builder, x, dim, cuts).map(({ axis, start, end }) =>
    slice(builder, x, axis, start, end),
  );
}

function overwriteCut(
  builder: GraphBuilder,
  x: Operand,
  value: Operand,
  dim: number,
  cuts: Cuts,
  index: number,
): Operand {
  const { axis, start, end } = partsBetween(builder, x, dim, cuts)[index] as Range;
  return overwriteSlice(builder, x, value, axis, start, end, 1);
}

/** Sections or indices as a tensor, whose numbers have to be known. */
function knownCuts(cuts: Operand): Cuts {
  if (cuts.dtype !== "I64" || cuts.shape.length > 1)
    throw new ConvertError("malformed", `sections of ${cuts.dtype} with ${cuts.shape.length} dimensions`);
  const numbers = knownNumbers(cuts);
  if (numbers === undefined) throw new ConvertError("unsupported", "a tensor is split where data tell");
  return cuts.shape.length === 0 ? (numbers[0] as number) : numbers;
}

/** The axis that `hsplit` and its like cut: the columns of a vector are its elements. */
function sideAxis(name: string, x: Operand): number {
  const [least, axis] = { hsplit: [1, 1], vsplit: [2, 0], dsplit: [3, 2] }[name] as [number, number];
  if (x.shape.length < least)
    throw new ConvertError("malformed", `${name} of a tensor of ${shapeText(x.shape)}`);
  return Math.min(axis, x.shape.length - 1);
}

/** Their sections have to come out even. */
function checkEven(builder: GraphBuilder, x: Operand, axis: number, sections: number): void {
  const extent = x.shape[axis] as Dimension;
  if (sections > 0 && builder.guards.permits(remainderOfDimensions(extent, sections), "==", 0)) return;
  throw new ConvertError(
    "malformed",
    `a tensor of ${shapeText(x.shape)} is split into ${sections} equal sections`,
  );
}

type Sections = "a(Tensor self, int sections, int dim=0) -> Tensor[]";
type Indices = "a(Tensor self, int[] indices, int dim=0) -> Tensor[]";
type SideSections = "a(Tensor self, int sections) -> Tensor[]";
type SideIndices = "a(Tensor self, int[] indices) -> Tensor[]";

/** Tensors cut into sections, or at indices. */
export const sectionRules: readonly OperatorRule[] = [
  viewRule(
    "tensor_split(Tensor self, int sections, int dim=0) -> Tensor[]" as Sections,
    ({ self, sections, dim }, builder) => cutParts(builder, self, dim, sections),
    ({ self, sections, dim }, value, builder, index) =>
      overwriteCut(builder, self, value, dim, sections, index),
  ),
  viewRule(
    "tensor_split(Tensor self, int[] indices, int dim=0) -> Tensor[]" as Indices,
    ({ self, indices, dim }, builder) => cutParts(builder, self, dim, indices),
    ({ self, indices, dim }, value, builder, index) =>
      overwriteCut(builder, self, value, dim, indices, index),
  ),
  viewRule(
    "tensor_split(Tensor self, Tensor tensor_indices_or_sections, int dim=0) -> Tensor[]",
    ({ self, tensor_indices_or_sections, dim }, builder) =>
      cutParts(builder, self, dim, knownCuts(tensor_indices_or_sections)),
    ({ self, tensor_indices_or_sections, dim }, value, builder, index) =>
      overwriteCut(builder, self, value, dim, knownCuts(tensor_indices_or_sections), index),
  ),
  ...["hsplit", "vsplit", "dsplit"].flatMap((name) => [
    viewRule(
      `${name}(Tensor self, int sections) -> Tensor[]` as SideSections,
      ({ self, sections }, builder) => {
        const axis = sideAxis(name, self);
        checkEven(builder, self, axis, sections);
        return cutParts(builder, self, axis, sections);
      },
      ({ self, sections }, value, builder, index) =>
        overwriteCut(builder, self, value, sideAxis(name, self), sections, index),
    ),
    viewRule(
      `${name}(Tensor self, int[] indices) -> Tensor[]` as SideIndices,
      ({ self, indices }, builder) => cutParts(builder, self, sideAxis(name, self), indices),
      ({ self, indices }, value, builder, index) =>
        overwriteCut(builder, self, value, sideAxis(name, self), indices, index),
    ),
  ]),
];
