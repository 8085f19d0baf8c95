import { isGlobal, isKind, type PickleHost, type PickleValue } from "../../../containers/pickle/values.ts";
import { attributesOf } from "./python-values.ts";
import { asTensor, sizesOf } from "./torch-values.ts";

/** Whether arguments of `_rebuild_from_type_v2` make a DTensor: `(rebuild, class, arguments, state)`. */
export function isDistributedTensor([inner, type]: readonly PickleValue[]): boolean {
  return (
    isGlobal(inner, "torch._utils", "_rebuild_wrapper_subclass") &&
    isKind(type, "global") &&
    type.name === "DTensor" &&
    /^torch\.distributed\.(_)?tensor(\.api|\._api)?$/.test(type.module)
  );
}

/**
 * The part of a DTensor that this file has, where it is all of it: a copy, or the shard of a mesh of one. `undefined`
 * where it has another shape than the whole, or is a summand of it.
 */
export function wholeLocalTensor(args: readonly PickleValue[]): PickleHost | undefined {
  const [, , call, state] = args;
  if (!isDistributedTensor(args) || !isKind(call, "tuple")) return undefined;
  const local = attribute(state, "_local_tensor");
  const tensor = asTensor(local);
  // The arguments of `_rebuild_wrapper_subclass`: class, dtype, size, stride, …
  const size = sizesOf(call.items[2]);
  if (tensor === undefined || size === undefined || tensor.shape.join() !== size.join()) return undefined;
  const placements = attributesOf(attribute(state, "_spec"))?.get("placements");
  if (!isKind(placements, "tuple")) return undefined;
  return placements.items.every(isCopyOrShard) ? (local as PickleHost) : undefined;
}

/** The state of an object: a dict, or a dict and one of slots. */
function attribute(state: PickleValue | undefined, name: string): PickleValue | undefined {
  const parts = isKind(state, "tuple") ? state.items : [state];
  for (const part of parts) {
    const value = isKind(part, "dict") ? part.get(name) : undefined;
    if (value !== undefined) return value;
  }
  return undefined;
}

function isCopyOrShard(value: PickleValue): boolean {
  const type = isKind(value, "call") ? value.callable : undefined;
  return isKind(type, "global") && (type.name === "Replicate" || type.name === "Shard");
}
