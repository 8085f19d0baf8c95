import type { TensorDict } from "./dict.ts";
import type { LazyTensor } from "./tensor.ts";

/**
 * A TorchScript archive with its program: what a reader of weights hands on to a compiler. Nothing in it was run.
 * `Value` is what its pickles hold, a matter between the two.
 */
export interface ScriptArchive<Value = unknown> {
  /** As a person would name it. */
  readonly file: string;
  /** Version of the operators, as the archive says. */
  readonly version: number;
  /** The module. */
  readonly object: Value;
  /** What its code calls `CONSTANTS.c0`, `CONSTANTS.c1` …: a tuple. */
  readonly constants: Value;
  /** Why the archive has no state dict, where it has none; to be thrown by what takes nothing but tensors. */
  readonly absence?: Error | undefined;
  /** All source files by record name, such as `code/__torch__/net.py`; read at each call. */
  sources(): Promise<ReadonlyMap<string, string>>;
  /** The example inputs of a traced module by method, where the archive has them. Their tensors have no data. */
  exampleInputs(): Promise<Value | undefined>;
  /** Where a source file's code was written, as the archive has it for messages; `undefined` where it does not. */
  sourceRanges(file: string): Promise<Value | undefined>;
  /** The tensor that a value of the pickles is, by this name; `undefined` for every other value. */
  openTensor(value: Value, name: string): LazyTensor | undefined;
}

/** Where a dict's `extras` hold the program that came with its tensors. */
const extrasKey = "torchscript";

/** The same dict with the program that came with it. */
export function withScript(dict: TensorDict, archive: ScriptArchive): TensorDict {
  return { ...dict, extras: new Map([...dict.extras, [extrasKey, archive]]) };
}

/** The program that came with a dict, if one did. */
export function scriptOf(dict: TensorDict): ScriptArchive | undefined {
  return dict.extras.get(extrasKey) as ScriptArchive | undefined;
}
