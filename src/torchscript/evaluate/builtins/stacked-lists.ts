import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { axisOf, reshape, transpose } from "../../emit/layout.ts";
import type { Operand } from "../../emit/operand.ts";
import { type Dimension, multiplyDimensions } from "../../shapes/dimension.ts";
import { read, tensorOf } from "../../values/tensor.ts";
import { isA, type Value } from "../../values/value.ts";
import type { Builtin } from "./builtin.ts";

/** The axis that an argument names; the first where it is left out. */
function axisIn(dim: Value | undefined, rank: number): number {
  return axisOf(typeof dim === "bigint" ? Number(dim) : 0, rank);
}

/** The operand with its first axis moved to another place. */
function withFirstAt(builder: GraphBuilder, operand: Operand, place: number): Operand {
  const rest = operand.shape.map((_, axis) => axis).slice(1);
  return transpose(builder, operand, [...rest.slice(0, place), 0, ...rest.slice(place)]);
}

/** What can be done with a list of which data decide the length: its tensors are put together. */
export const stackedListBuiltins: readonly (readonly [string, Builtin])[] = [
  [
    "stack",
    ([list, dim], { builder }) => {
      if (!isA(list, "list") || list.stacked === undefined) return undefined;
      const whole = read(list.stacked);
      return tensorOf(withFirstAt(builder, whole, axisIn(dim, whole.shape.length)));
    },
  ],
  [
    "cat",
    ([list, dim], { builder }) => {
      if (!isA(list, "list") || list.stacked === undefined) return undefined;
      const whole = read(list.stacked);
      const { shape } = whole;
      if (shape.length === 1) return undefined;
      const axis = axisIn(dim, shape.length - 1);
      const joined = multiplyDimensions(shape[0] as Dimension, shape[axis + 1] as Dimension);
      const turned = withFirstAt(builder, whole, axis);
      return tensorOf(
        reshape(builder, turned, [...shape.slice(1, axis + 1), joined, ...shape.slice(axis + 2)]),
      );
    },
  ],
];
