import type { DType } from "../../core/dtype.ts";
import type { GraphBody, GraphValue, OperatorSet } from "../../core/graph.ts";
import type { LazyTensor } from "../../core/tensor.ts";

/** The types that every runtime can hand out; one with others among the outputs does not load, or ends the process. */
const handedOut: ReadonlySet<DType> = new Set<DType>([
  "F32",
  "F64",
  "F16",
  "I64",
  "I32",
  "I16",
  "I8",
  "U64",
  "U32",
  "U16",
  "U8",
  "BOOL",
]);

/** A model has to name one. This goes with the first IR version in which initializers stand alone. */
export const weightsOpset: OperatorSet = { domain: "", version: 9 };

/**
 * A graph for weights without one: each is an output as it is. A runtime refuses a graph without outputs, so where none
 * of the types can be one, an empty input is passed through.
 */
export function weightsGraph(tensors: ReadonlyMap<string, LazyTensor>): GraphBody {
  const outputs: GraphValue[] = [];
  for (const [name, { dtype, shape }] of tensors)
    if (handedOut.has(dtype)) outputs.push({ name, dtype, dims: shape });
  if (outputs.length > 0) return { name: "weights", nodes: [], inputs: [], outputs };
  const nothing: GraphValue = { name: freeName("nothing", tensors), dtype: "F32", dims: [0] };
  return { name: "weights", nodes: [], inputs: [nothing], outputs: [nothing] };
}

function freeName(name: string, taken: ReadonlyMap<string, unknown>): string {
  return taken.has(name) ? freeName(`${name}_`, taken) : name;
}
