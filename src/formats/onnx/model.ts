import type { WireRun } from "../../containers/protobuf/repeated.ts";
import type { WireMessage } from "../../containers/protobuf/wire.ts";
import type { ByteSource } from "../../core/source.ts";

/**
 * An ONNX file without its weights: everything that is small is decoded, and everything else is a place in the file.
 *
 * All positions count bytes from the start of the file. A `WireMessage` is where a message lies, and leads through
 * `parent` to every message around it, each with the length prefix that counts it. `parts` is where a message lies that
 * a writer may have split over several fields, which readers have to merge: nearly always it is one.
 */
export interface OnnxModel {
  readonly source: ByteSource;
  /** 0 where the file does not say. */
  readonly irVersion: number;
  readonly producerName: string;
  readonly producerVersion: string;
  readonly domain: string;
  readonly modelVersion: bigint;
  readonly opsets: readonly OnnxOpset[];
  /** `metadata_props`; of a key that is there twice, the last. */
  readonly metadata: ReadonlyMap<string, string>;
  /** Empty, without parts, where the file has none. */
  readonly graph: OnnxGraph;
  readonly functions: readonly OnnxFunction[];
  /** Graphs of `training_info`, in pairs: initialization and algorithm, where they are there. */
  readonly trainingGraphs: readonly OnnxGraph[];
  /** The whole file. */
  readonly message: WireMessage;
}

/** A set of operators that the model uses; the domain of ONNX's own is `""`. */
export interface OnnxOpset {
  readonly domain: string;
  readonly version: number;
}

/** A graph: the main one, a body within a node, or one of training. */
export interface OnnxGraph {
  /**
   * Where it is: `""` for the main graph, else names of nodes and attributes with slashes: `if_1/then_branch`. A node
   * without a name goes by its type and position: `If_12`. Paths are unique within a model.
   */
  readonly path: string;
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxTensor[];
  readonly sparseInitializers: readonly OnnxSparseTensor[];
  /** With the names of initializers among them in old files and in some new ones: those are defaults, no real inputs. */
  readonly inputs: readonly OnnxValueInfo[];
  readonly outputs: readonly OnnxValueInfo[];
  readonly valueInfo: readonly OnnxValueInfo[];
  readonly metadata: ReadonlyMap<string, string>;
  readonly parts: readonly WireMessage[];
}

/** A function of the model. It has no initializers: weights reach it as inputs or lie in its Constant nodes. */
export interface OnnxFunction {
  readonly domain: string;
  readonly name: string;
  /** Tells functions of one domain and name apart; mostly `""`. */
  readonly overload: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Names of attributes that a call gives. */
  readonly attributes: readonly string[];
  readonly opsets: readonly OnnxOpset[];
  readonly nodes: readonly OnnxNode[];
  /** `functions/DOMAIN.NAME`, with `.OVERLOAD` where there is one: the path in front of its nodes' bodies. */
  readonly path: string;
  readonly message: WireMessage;
}

/** An operator at work. */
export interface OnnxNode {
  /** As the file has it; may be `""`, and need not be unique. */
  readonly name: string;
  /** Where it is in the model, unique: the path of its graph, and its name or else its type and position. */
  readonly path: string;
  readonly opType: string;
  readonly domain: string;
  readonly overload: string;
  /** Names of values; `""` is an optional one that is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: readonly OnnxAttribute[];
  readonly metadata: ReadonlyMap<string, string>;
  readonly message: WireMessage;
}

/** A named value of a node. `type` says which field counts; where it is 0, whichever is filled. */
export interface OnnxAttribute {
  readonly name: string;
  /** `AttributeProto.AttributeType`: 1 FLOAT, 2 INT, 3 STRING, 4 TENSOR, 5 GRAPH, 6 to 10 lists of these, 11 SPARSE_TENSOR … */
  readonly type: number;
  readonly float: number | undefined;
  readonly int: bigint | undefined;
  /** `undefined` too where the bytes are no text. */
  readonly text: string | undefined;
  /** The lists `floats` and `ints` as numbers, where they are short; as bytes they are in `lists`. */
  readonly floats: readonly number[] | undefined;
  readonly ints: readonly bigint[] | undefined;
  readonly texts: readonly string[];
  /** `t` or `tensors`. */
  readonly tensors: readonly OnnxTensor[];
  /** `sparse_tensor` or `sparse_tensors`. */
  readonly sparseTensors: readonly OnnxSparseTensor[];
  /** `g` or `graphs`. */
  readonly graphs: readonly OnnxGraph[];
  /** Within functions: the attribute of the call that gives the value. */
  readonly refersTo: string;
  /** Where the numbers of `float`, `int`, `floats` and `ints` lie. */
  readonly lists: OnnxLists;
  readonly message: WireMessage;
}

/** Numbers of an attribute by place; a single float or int is a run of one value. */
export interface OnnxLists {
  readonly float: readonly WireRun[];
  readonly int: readonly WireRun[];
  readonly floats: readonly WireRun[];
  readonly ints: readonly WireRun[];
  /** How many numbers `ints` has; of floats it follows from their bytes. */
  readonly intCount: number;
}

/** A tensor: what it is, and where its values lie. */
export interface OnnxTensor {
  readonly name: string;
  /** `TensorProto.DataType`, checked by nobody yet; dtypes.ts knows what it means. */
  readonly dataType: number;
  /** Extents; none is negative. */
  readonly dims: readonly number[];
  readonly home: OnnxHome;
  /** Where the whole TensorProto lies. */
  readonly parts: readonly WireMessage[];
}

/** Where the values of a tensor are. */
export type OnnxHome =
  /** Nowhere, as of a tensor without elements. */
  | { readonly kind: "none" }
  /** Little-endian bytes in `raw_data`. */
  | { readonly kind: "raw"; readonly start: number; readonly end: number }
  /** In a list of numbers: `field` is the number of `float_data`, `int32_data`, `int64_data`, `double_data` or `uint64_data`. */
  | { readonly kind: "typed"; readonly field: number; readonly runs: readonly WireRun[] }
  /** In `string_data`, which has text and no numbers. */
  | { readonly kind: "strings"; readonly count: number }
  /** In another file: `location`, `offset`, `length`, `checksum` and other keys, all unchecked texts. */
  | { readonly kind: "external"; readonly entries: ReadonlyMap<string, string> }
  /** One segment of a tensor that is cut into several, which nothing reads. */
  | { readonly kind: "segment" };

/** A tensor of mostly zeros. Its name is that of `values`. */
export interface OnnxSparseTensor {
  readonly values: OnnxTensor;
  /** INT64, ascending: positions in the flattened tensor, or rows of [count, rank]. */
  readonly indices: OnnxTensor;
  /** Extents of the dense tensor. */
  readonly dims: readonly number[];
  readonly message: WireMessage;
}

/** A named value with its type. */
export interface OnnxValueInfo {
  readonly name: string;
  readonly type: OnnxType | undefined;
  readonly metadata: ReadonlyMap<string, string>;
  readonly message: WireMessage;
}

/** The type of a value. */
export type OnnxType =
  | {
      readonly kind: "tensor" | "sparse tensor";
      /** `TensorProto.DataType`. */
      readonly elemType: number;
      /** A number, the name of a symbol, or `undefined` for any size; the whole is `undefined` where not even the rank is known. */
      readonly dims: readonly (number | string | undefined)[] | undefined;
    }
  | { readonly kind: "sequence" | "optional" | "map"; readonly element: OnnxType | undefined }
  | { readonly kind: "opaque" | "unknown" };
