import type { TensorDict } from "../core/dict.ts";
import { type LazyTensor, rowMajorStrides } from "../core/tensor.ts";

/**
 * Gives names that stand for a tensor that tensor again, sharing its bytes, so that a format that can share writes both
 * and one that cannot decides anew which to keep. With `only`, just the tied groups that have one of these names.
 */
export function restoreTies(dict: TensorDict, only?: readonly string[]): TensorDict {
  const groups = only && new Set(only.map((name) => dict.aliases.get(name) ?? name));
  const tensors = new Map(dict.tensors);
  const aliases = new Map<string, string>();
  for (const [name, kept] of dict.aliases) {
    const tensor = tensors.get(kept);
    if (tensor === undefined || tensors.has(name) || (groups && !groups.has(kept))) {
      aliases.set(name, kept);
      continue;
    }
    const shared = withView(tensor, kept);
    tensors.set(kept, shared);
    tensors.set(name, shared);
  }
  return { ...dict, tensors, aliases };
}

/** A tensor without a storage gets its own bytes as one: two tensors can only share what has a name. */
function withView(tensor: LazyTensor, name: string): LazyTensor {
  if (tensor.view !== undefined) return tensor;
  const { payload, shape } = tensor;
  const view = {
    storage: `tied ${name}`,
    source: payload,
    start: 0,
    end: payload.size,
    strides: rowMajorStrides(shape),
    contiguous: true,
  };
  return { ...tensor, view };
}
