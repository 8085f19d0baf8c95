import type { TensorDict } from "./dict.ts";
import type { DType } from "./dtype.ts";
import type { LazyTensor, TensorInfo } from "./tensor.ts";

/**
 * Operators and the values that flow between them, as ONNX means it: values have names, each is made once (by an
 * input, an initializer or a node), and nodes stand in an order in which everything is made before it is used.
 */
export interface OperatorGraph extends GraphBody {
  /** Weights, in the order in which they are written; names are values of the graph. */
  readonly initializers: ReadonlyMap<string, LazyTensor>;
  /** One for each domain that a node of the graph or of its subgraphs uses. */
  readonly opsets: readonly OperatorSet[];
  /** Strings that travel with the model; only names beginning with `tensorferry.` are ours. */
  readonly metadata?: ReadonlyMap<string, string> | undefined;
}

/** What a graph and the subgraph of a branch or a loop have in common. A subgraph also sees the values around it. */
export interface GraphBody {
  /** Not empty: the checker of ONNX wants one. */
  readonly name: string;
  readonly nodes: readonly GraphNode[];
  /** What a caller has to give; no initializers among them. */
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
  /** Types of values between them, where they are known. */
  readonly values?: readonly GraphValue[] | undefined;
  readonly docString?: string | undefined;
}

/** A version of a set of operators. */
export interface OperatorSet {
  /** `""` is ONNX's own. */
  readonly domain: string;
  readonly version: number;
}

/** An extent that is known, or the name of one that the inputs settle; `""` where there is not even a name. */
export type Dimension = number | string;

/** A value with its type. */
export interface GraphValue {
  readonly name: string;
  readonly dtype: DType;
  /** Row-major extents; `[]` is a scalar, `undefined` a tensor of unknown rank. */
  readonly dims: readonly Dimension[] | undefined;
}

/** One call of an operator. */
export interface GraphNode {
  readonly opType: string;
  /** `""` is ONNX's own. */
  readonly domain: string;
  /** May be empty; where it is not, it is unique in the graph. */
  readonly name: string;
  /** Names of values; `""` is an optional input that is not given. */
  readonly inputs: readonly string[];
  /** Names of values; `""` is an output that nobody uses. */
  readonly outputs: readonly string[];
  /** In the order in which they are written. */
  readonly attributes: ReadonlyMap<string, GraphAttribute>;
  readonly docString?: string | undefined;
}

/**
 * A constant argument of an operator. Integers are signed 64-bit, and `bigint` because the largest and the smallest
 * of them mean something (to the end, from the start); floats are rounded to 32 bits when they are written.
 */
export type GraphAttribute =
  | { readonly kind: "int"; readonly value: bigint }
  | { readonly kind: "ints"; readonly value: readonly bigint[] }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "floats"; readonly value: readonly number[] }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "strings"; readonly value: readonly string[] }
  | { readonly kind: "tensor"; readonly value: ConstantTensor }
  | { readonly kind: "graph"; readonly value: GraphBody };

/** A small tensor in memory, such as an axis or a fill value; weights belong to the initializers. */
export interface ConstantTensor extends TensorInfo {
  /** The elements: contiguous, row-major, little-endian; not copied, and not to change. */
  readonly bytes: Uint8Array;
}

/** An `int` attribute of a safe integer or a bigint. */
export function intAttribute(value: number | bigint): GraphAttribute {
  return { kind: "int", value: BigInt(value) };
}

/** An `ints` attribute of safe integers and bigints. */
export function intsAttribute(values: readonly (number | bigint)[]): GraphAttribute {
  return { kind: "ints", value: values.map(BigInt) };
}

/** Where a dict's `extras` hold the graph that its tensors are the initializers of. */
const extrasKey = "graph";

/** A dict of a graph's initializers that carries the graph along; a format that holds graphs writes it with them. */
export function graphDict(graph: OperatorGraph): TensorDict {
  return {
    tensors: graph.initializers,
    metadata: graph.metadata ?? new Map(),
    aliases: new Map(),
    leftovers: [],
    extras: new Map([[extrasKey, graph]]),
  };
}

/** The graph that a dict carries along, if it does. */
export function graphOf(dict: TensorDict): OperatorGraph | undefined {
  return dict.extras.get(extrasKey) as OperatorGraph | undefined;
}

/** The tensors that Constant nodes of a graph hold, by the names of their values; those within subgraphs are not among them. */
export function constantsOf(graph: OperatorGraph): ReadonlyMap<string, ConstantTensor> {
  const constants = new Map<string, ConstantTensor>();
  for (const { opType, domain, outputs, attributes } of graph.nodes) {
    const value = attributes.get("value");
    if (opType === "Constant" && domain === "" && value?.kind === "tensor")
      constants.set(outputs[0] as string, value.value);
  }
  return constants;
}
