import { isGlobal, isKind, type PickleValue } from "../../../containers/pickle/values.ts";
import { isDistributedTensor } from "./local-tensor.ts";

/** Types of bits without a meaning, which `_rebuild_tensor_v3` gives as its seventh argument. */
const namelessBits = /^bits\d/;

/** What is wrong with a value that torch would make a tensor of and we do not; `undefined` for all other values. */
export function unreadTensor(value: PickleValue | undefined): string | undefined {
  if (!isKind(value, "call") || !isKind(value.callable, "global")) return undefined;
  const { module, name } = value.callable;
  const args = isKind(value.args, "tuple") ? value.args.items : [];
  if (name === "ShardedTensor" && /^torch\.distributed\._shard/.test(module))
    return "is a ShardedTensor, of which each rank's file has a part; convert the folder of torch.distributed.checkpoint";
  // A parameter is as unread as the tensor that it wraps.
  const inner = unreadTensor(args[0]);
  if (inner !== undefined) return inner;
  const makesTensor = /^torch(\._utils|\._tensor|\.tensor)?$/.test(module) && /^_rebuild_/.test(name);
  if (!makesTensor && !(module === "torch.nn.parameter" && name === "Parameter")) return undefined;
  if (name === "_rebuild_meta_tensor_no_storage") return "is a meta tensor: it has a shape, but no data";
  if (isNested(name, args))
    return "is a nested tensor, which is several tensors of different shapes; save what its unbind() gives";
  if (isDistributedTensor(args))
    return "is a DTensor of which the file holds one part; save its full_tensor(), or convert the folder of torch.distributed.checkpoint";
  const bits = bitsType(args[6]);
  if (bits !== undefined) return `has the type torch.${bits}, which stands for no numbers`;
  return `is a kind of tensor that is not read yet: ${module}.${name}`;
}

/** The name of a type that gives its bits no meaning; `undefined` for any other argument. */
export function bitsType(value: PickleValue | undefined): string | undefined {
  return isKind(value, "global") && value.module === "torch" && namelessBits.test(value.name)
    ? value.name
    : undefined;
}

/** The strided layout has a call of its own, the jagged one is a subclass. */
function isNested(name: string, [inner]: readonly PickleValue[]): boolean {
  return (
    name === "_rebuild_nested_tensor" ||
    isGlobal(inner, "torch.nested._internal.nested_tensor", "_rebuild_njt")
  );
}
