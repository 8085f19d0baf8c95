import type { TensorInfo } from "./tensor.ts";

/** How to call tensors of a file that has other names and layouts than the program that trained them. */
export interface Naming {
  /** Id of the format whose names are wanted, `pytorch`, or of the file's own; by default the reader decides by what wrote the file. */
  readonly names?: string | undefined;
  /** Names and shapes of a checkpoint of the same network, in its order. */
  readonly reference?: ReadonlyMap<string, TensorInfo> | undefined;
  /** What becomes of weights that were multiplied with those of a norm: that `product`, or a convolution and a norm that do the same. */
  readonly fused?: "product" | "equivalent" | undefined;
  /** Added to the variance of such norms, which the file does not say; 1e-5 by default. */
  readonly normEpsilon?: number | undefined;
}
