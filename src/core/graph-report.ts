/** What `inspect` tells of a file that holds a graph of operators beside its weights. */
export interface GraphReport {
  readonly name: string;
  /** The program that wrote the file, with its version; `""` where it does not say. */
  readonly producer: string;
  /** Version of the file format. */
  readonly irVersion: number;
  /** Sets of operators; the domain of ONNX's own is `""`. */
  readonly opsets: readonly { readonly domain: string; readonly version: number }[];
  /** What a caller has to give: tensors that the file has values for are not among them. */
  readonly inputs: readonly GraphReportValue[];
  readonly outputs: readonly GraphReportValue[];
  /** Nodes by type, those within other nodes too, the most frequent first; the type has its domain before it where that is not ONNX's own. */
  readonly operators: Readonly<Record<string, number>>;
  /** Names of functions that the file defines. */
  readonly functions: readonly string[];
}

/** An input or output of a graph. */
export interface GraphReportValue {
  readonly name: string;
  /** A dtype, or in words what is no tensor: `sequence of F32`. */
  readonly type: string;
  /** Extents; a text is one that the caller settles, `"?"` one without a name; `null` where not even the rank is known. */
  readonly shape: readonly (number | string)[] | null;
}
