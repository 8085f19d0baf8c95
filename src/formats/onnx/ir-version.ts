import type { DType } from "../../core/dtype.ts";
import type { GraphBody, OperatorSet } from "../../core/graph.ts";
import { onnxDTypeFor } from "./dtypes.ts";

/** The first in which an initializer need not be an input as well. */
const initializersAlone = 4;

/** The IR version of the release that brought a set of operators, each from that version on (FORMAT.md, "IR versions"). */
const irOfOpset: readonly (readonly [opset: number, ir: number])[] = [
  [28, 14],
  [25, 13],
  [24, 12],
  [23, 11],
  [21, 10],
  [19, 9],
  [15, 8],
  [12, 7],
  [11, 6],
  [10, 5],
];

/** The lowest IR version that has all types and operators of a model; a runtime refuses one above its own. */
export function irVersionFor(
  body: GraphBody,
  dtypes: Iterable<DType>,
  opsets: readonly OperatorSet[],
): number {
  let version = initializersAlone;
  for (const dtype of [...dtypes, ...dtypesIn(body)])
    version = Math.max(version, onnxDTypeFor.get(dtype)?.irVersion ?? 0);
  for (const { domain, version: opset } of opsets) {
    if (domain !== "" && domain !== "ai.onnx") continue;
    version = Math.max(version, irOfOpset.find(([first]) => opset >= first)?.[1] ?? 0);
  }
  return version;
}

function* dtypesIn({ inputs, outputs, values = [], nodes }: GraphBody): Generator<DType> {
  for (const { dtype } of [...inputs, ...outputs, ...values]) yield dtype;
  for (const { attributes } of nodes) {
    for (const { kind, value } of attributes.values()) {
      if (kind === "tensor") yield value.dtype;
      else if (kind === "graph") yield* dtypesIn(value);
    }
  }
}
