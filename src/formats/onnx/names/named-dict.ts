import { safeProduct } from "../../../bytes/size.ts";
import type { RunContext } from "../../../core/context.ts";
import type { Leftover, TensorDict } from "../../../core/dict.ts";
import type { LazyTensor } from "../../../core/tensor.ts";
import { entriesOf } from "../entries.ts";
import type { OnnxModel } from "../model.ts";
import { restoreStateDict } from "./restore.ts";

/** A dict under other names, and what there is to say about it. */
export interface NamedDict {
  readonly dict: TensorDict;
  /** Tells what is not as it was; to be called when the dict is taken. */
  warn(context: RunContext): void;
}

/** Constants up to this size are shapes, axes and factors. */
const smallConstant = 64;

/**
 * The dict of a model as PyTorch would call it, where that is wanted, or where PyTorch wrote the file and nothing else is
 * wanted; otherwise the dict as it is. Constants of the graph are no parameters and stay behind, as leftovers if large.
 */
export function nameDict(model: OnnxModel, dict: TensorDict, context: RunContext): NamedDict {
  const { naming } = context;
  const isWanted = (naming.names ?? (model.producerName === "pytorch" ? "pytorch" : "onnx")) === "pytorch";
  if (!isWanted) return { dict, warn: () => undefined };
  const restored = restoreStateDict(model, dict.tensors, naming);
  const tensors = new Map<string, LazyTensor>(restored.tensors);
  const leftovers: Leftover[] = [...dict.leftovers];
  const own = new Set(model.graph.initializers);
  for (const { key, place, tensor } of entriesOf(model)) {
    const found = dict.tensors.get(key);
    if (found === undefined || own.has(tensor)) continue;
    if (place === "initializer" && !tensors.has(key)) tensors.set(key, found);
    else if (place === "initializer") leftovers.push({ name: key, what: "a tensor of a body of the graph" });
    else if ((safeProduct(tensor.dims) ?? 0) > smallConstant)
      leftovers.push({ name: key, what: "a constant of the graph; --names onnx has it" });
  }
  return { dict: { ...dict, tensors, leftovers }, warn: restored.warn };
}
