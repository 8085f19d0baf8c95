import { ConvertError } from "../../core/errors.ts";
import type { Operand } from "./operand.ts";

/** Inputs of operators that have to be of one dtype, by their position; "all" for each of them. */
const alike: ReadonlyMap<string, readonly number[] | "all"> = new Map<string, readonly number[] | "all">([
  ...[
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Pow",
    "Mod",
    "Equal",
    "Less",
    "LessOrEqual",
    "Greater",
    "GreaterOrEqual",
  ].map((opType) => [opType, [0, 1]] as const),
  ["MatMul", [0, 1]],
  ["Gemm", [0, 1, 2]],
  ["Conv", [0, 1, 2]],
  ["ConvTranspose", [0, 1, 2]],
  ["LSTM", [0, 1, 2, 3]],
  ["GRU", [0, 1, 2, 3]],
  ["RNN", [0, 1, 2, 3]],
  ["InstanceNormalization", [0, 1, 2]],
  ["PRelu", [0, 1]],
  ["Where", [1, 2]],
  ["GridSample", "all"],
  ["Concat", "all"],
  ["Max", "all"],
  ["Min", "all"],
  ["Einsum", "all"],
]);

/** Throws kind `malformed` where an operator is given dtypes that it cannot take together; torch refuses them as well. */
export function checkTypes(opType: string, inputs: readonly (Operand | undefined)[]): void {
  const known = alike.get(opType);
  if (known === undefined) return;
  const positions = known === "all" ? [...inputs.keys()] : known;
  const own = positions.map((position) => inputs[position]?.dtype).filter((dtype) => dtype !== undefined);
  const other = own.find((dtype) => dtype !== own[0]);
  if (other === undefined) return;
  throw new ConvertError("malformed", `${opType} is given a tensor of ${own[0]} and one of ${other}`, {
    hint: "tensors that are computed with have to be of one dtype: give inputs that of the weights, as in --input x=1,3:f16",
  });
}
