import { reshape } from "../../emit/layout.ts";
import { type Dimension, multiplyDimensions } from "../../shapes/dimension.ts";
import { tensorOf } from "../../values/tensor.ts";
import { isA } from "../../values/value.ts";
import type { Builtin } from "./builtin.ts";

/** What can be done with a list of which data decide the length: its tensors are put together. */
export const stackedListBuiltins: readonly (readonly [string, Builtin])[] = [
  [
    "stack",
    ([list, dim]) => {
      if (!isA(list, "list") || list.stacked === undefined || (dim ?? 0n) !== 0n) return undefined;
      return tensorOf(list.stacked);
    },
  ],
  [
    "cat",
    ([list, dim], { builder }) => {
      if (!isA(list, "list") || list.stacked === undefined || (dim ?? 0n) !== 0n) return undefined;
      const [count, rows, ...rest] = list.stacked.shape;
      if (rows === undefined) return undefined;
      return tensorOf(
        reshape(builder, list.stacked, [multiplyDimensions(count as Dimension, rows), ...rest]),
      );
    },
  ],
];
