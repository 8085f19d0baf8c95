import { intAttribute } from "./attributes.ts";
import type { Attributes, GraphBuilder } from "./graph-builder.ts";
import type { Operand, OperandType } from "./operand.ts";
import { typeCode } from "./types.ts";

/** Operators that move elements as they are, and take bfloat16 in ONNX Runtime too. */
const moving: ReadonlySet<string> = new Set([
  "Cast",
  "Concat",
  "Gather",
  "GatherElements",
  "GatherND",
  "Identity",
  "If",
  "Loop",
  "Reshape",
  "Shape",
  "Slice",
  "Split",
  "Squeeze",
  "Transpose",
  "Unsqueeze",
]);

/** Whether a node would have to compute in bfloat16: at the opsets there are, several operators do not know it, and ONNX Runtime's processors run few that do. */
export function computesInBfloat(
  opType: string,
  operands: readonly (Operand | undefined)[],
  results: readonly OperandType[],
): boolean {
  return !moving.has(opType) && [...operands, ...results].some((type) => type?.dtype === "BF16");
}

/** The same nodes in float32, each result rounded back to bfloat16: what torch does on processors. */
export function nodesOfFloats(
  builder: GraphBuilder,
  opType: string,
  operands: readonly (Operand | undefined)[],
  results: readonly OperandType[],
  attributes: Attributes,
): readonly Operand[] {
  const recast = (operand: Operand, dtype: "F32" | "BF16"): Operand =>
    builder.node("Cast", [operand], { ...operand, dtype }, { to: intAttribute(typeCode(dtype)) });
  const wide = operands.map((operand) => (operand?.dtype === "BF16" ? recast(operand, "F32") : operand));
  const types = results.map(
    ({ dtype, shape }) => ({ dtype: dtype === "BF16" ? "F32" : dtype, shape }) as const,
  );
  return builder
    .nodes(opType, wide, types, attributes)
    .map((output, index) => (results[index]?.dtype === "BF16" ? recast(output, "BF16") : output));
}
