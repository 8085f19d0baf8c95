import type { DType } from "../../core/dtype.ts";

/** An extent of an input: a number, or a name whose size the runtime settles, with an example. */
export type InputExtent = number | { readonly symbol: string; readonly hint: number };

/** A value that the program is given: tensors become inputs of the graph, all else is built into it. */
export type InputValue =
  /** Without a dtype, what the archive says, else float32. */
  | { readonly kind: "tensor"; readonly dtype: DType | undefined; readonly dims: readonly InputExtent[] }
  | { readonly kind: "int"; readonly value: bigint }
  | { readonly kind: "float"; readonly value: number }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "str"; readonly value: string }
  | { readonly kind: "none" }
  /** A value as a person wrote it, which the type of its parameter explains. */
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "list" | "tuple"; readonly items: readonly InputValue[] }
  | { readonly kind: "dict"; readonly entries: readonly (readonly [InputValue, InputValue])[] };

/** What a program is compiled for. */
export interface ScriptRequest {
  /** Arguments by position, before those by name. */
  readonly positional?: readonly InputValue[] | undefined;
  readonly named?: ReadonlyMap<string, InputValue> | undefined;
  /** Names of the graph's inputs, in order, instead of the parameters' own. */
  readonly inputNames?: readonly string[] | undefined;
  /** Method of the model to compile; `forward` by default. */
  readonly method?: string | undefined;
  /** Version of ONNX's operators; 18 by default. */
  readonly opset?: number | undefined;
}
