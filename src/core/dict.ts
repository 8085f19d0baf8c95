import type { GraphReport } from "./graph-report.ts";
import type { LazyTensor } from "./tensor.ts";

/** Something that the input holds beside tensors and that a tensor dict cannot carry. */
export interface Leftover {
  /** Its place in the input, dotted: `epoch`, `optimizer.state`. */
  readonly name: string;
  /** What it is, in a word or two: `an int`, `a dict of 3`. */
  readonly what: string;
}

/** Named tensors in file order, plus the strings that travel with them. */
export interface TensorDict {
  readonly tensors: ReadonlyMap<string, LazyTensor>;
  readonly metadata: ReadonlyMap<string, string>;
  /** Names that stood for a tensor that is kept under another one: dropped name to kept name. */
  readonly aliases: ReadonlyMap<string, string>;
  /** What stood among the tensors and is none; it stays behind, and is reported. */
  readonly leftovers: readonly Leftover[];
  /** What the input carries beyond that, by format id, where only that format looks inside; or the graph of `graphOf`. */
  readonly extras: ReadonlyMap<string, unknown>;
}

/** A dict of these tensors and nothing else. */
export function tensorDict(tensors: ReadonlyMap<string, LazyTensor>): TensorDict {
  return { tensors, metadata: new Map(), aliases: new Map(), leftovers: [], extras: new Map() };
}

/**
 * What savers write into metadata is of two kinds: names of dropped tied tensors with the name that was kept, which are
 * told by the kept one being a tensor and the dropped one being none; and all the rest.
 */
export function splitMetadata(
  strings: Iterable<readonly [key: string, value: string]>,
  tensors: { has(name: string): boolean },
): Pick<TensorDict, "metadata" | "aliases"> {
  const metadata = new Map<string, string>();
  const aliases = new Map<string, string>();
  for (const [key, value] of strings) {
    const isAlias = key !== "format" && tensors.has(value) && !tensors.has(key);
    (isAlias ? aliases : metadata).set(key, value);
  }
  return { metadata, aliases };
}

/** Bytes of all payloads together. */
export function payloadBytes(dict: TensorDict): number {
  let bytes = 0;
  for (const tensor of dict.tensors.values()) bytes += tensor.payload.size;
  return bytes;
}

/** One dict that a file can be read as. A checkpoint may hold several; a plain weights file has one, at `""`. */
export interface Candidate {
  /** Where it stands in the file, dotted, as `--select` takes it. */
  readonly path: string;
  /** Tensors that belong to training and not to a model, such as an optimizer's moments. */
  readonly auxiliary: boolean;
  readonly tensorCount: number;
  readonly bytes: number;
  load(): TensorDict;
}

/** What a reader found in a file: the dicts, and the other things that lie about at the top. */
export interface Checkpoint {
  readonly container: string;
  readonly candidates: readonly Candidate[];
  /** Dicts that are taken only when somebody selects them, such as arrays of another library beside the tensors. */
  unlisted?(): readonly Candidate[];
  /** Set where the file holds a graph of operators. */
  readonly graph?: GraphReport | undefined;
  /** Why there are no candidates, where more can be said than that. */
  readonly absence?: { readonly message: string; readonly hint: string } | undefined;
}

/** A checkpoint that is one dict and nothing else. */
export function singleDict(container: string, dict: TensorDict): Checkpoint {
  const candidate: Candidate = {
    path: "",
    auxiliary: false,
    tensorCount: dict.tensors.size,
    bytes: payloadBytes(dict),
    load: () => dict,
  };
  return { container, candidates: [candidate] };
}
