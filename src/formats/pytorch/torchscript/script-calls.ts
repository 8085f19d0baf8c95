import { isKind, type PickleGlobal, type PickleValue } from "../../../containers/pickle/values.ts";
import { asTensor, host, type SparseLayout, sizesOf } from "../values/torch-values.ts";

/** libtorch's numbers of layouts; 0 is strided, and 3 is a processor's own. */
const layouts: ReadonlyMap<PickleValue, SparseLayout> = new Map([
  [1, "coo"],
  [2, "csr"],
  [4, "csc"],
  [5, "bsr"],
  [6, "bsc"],
]);

/**
 * What libtorch's pickler writes otherwise than Python's: lists and dicts with their types around them, and sparse
 * tensors with other arguments (FORMAT.md, "TorchScript"). `undefined` for every other call.
 */
export function scriptCall({ module, name }: PickleGlobal, args: PickleValue): PickleValue | undefined {
  const items = isKind(args, "tuple") ? args.items : [];
  if (module === "torch.jit._pickle" && /^(restore_type_tag|build_[a-z]+list)$/.test(name)) {
    const [content] = items;
    return isKind(content, "list") || isKind(content, "dict") ? content : undefined;
  }
  if (module === "torch._utils" && name === "_rebuild_sparse_tensor") return sparseTensor(items);
  return undefined;
}

/** `(layout, size, requires_grad, indices, values, hooks)`, and two tensors of indices where they are compressed. */
function sparseTensor(items: readonly PickleValue[]): PickleValue | undefined {
  const layout = layouts.get(items[0] ?? null);
  const shape = sizesOf(items[1]);
  const count = layout === "coo" ? 1 : 2;
  const tensors = items.slice(3, 4 + count).map(asTensor);
  const [values, ...indices] = [...tensors].reverse();
  if (layout === undefined || shape === undefined || values === undefined) return undefined;
  const known = indices.reverse().filter((tensor) => tensor !== undefined);
  return known.length === count ? host({ type: "sparse", layout, shape, indices: known, values }) : undefined;
}
