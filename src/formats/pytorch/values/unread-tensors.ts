import { isGlobal, isKind, type PickleValue } from "../../../containers/pickle/values.ts";
import { torchDTypeByName } from "./dtypes.ts";
import { isDistributedTensor } from "./local-tensor.ts";
import { problemOf } from "./torch-values.ts";

/** Calls around a tensor that are looked into; torch itself makes two, and parameters of parameters would go on for ever. */
const maxWrappers = 16;

/** What is wrong with a value that torch would make a tensor of and we do not; `undefined` for all other values. */
export function unreadTensor(value: PickleValue | undefined, wrappers = 0): string | undefined {
  if (!isKind(value, "call") || !isKind(value.callable, "global")) return problemOf(value);
  const { module, name } = value.callable;
  const args = isKind(value.args, "tuple") ? value.args.items : [];
  if (isSharded(value.callable)) return sharded;
  // A parameter is as unread as the tensor that it wraps.
  const inner = wrappers < maxWrappers ? unreadTensor(args[0], wrappers + 1) : undefined;
  if (inner !== undefined) return inner;
  const makesTensor = /^torch(\._utils|\._tensor|\.tensor)?$/.test(module) && /^_rebuild_/.test(name);
  if (!makesTensor && !(module === "torch.nn.parameter" && name === "Parameter")) return undefined;
  if (name === "_rebuild_meta_tensor_no_storage") return "is a meta tensor: it has a shape, but no data";
  if (isNested(name, args))
    return "is a nested tensor, which is several tensors of different shapes; save what its unbind() gives";
  if (isDistributedTensor(args))
    return "is a DTensor of which the file holds one part; save its full_tensor(), or convert the folder of torch.distributed.checkpoint";
  const subclass = name === "_rebuild_from_type_v2" ? args[1] : undefined;
  if (isSharded(subclass)) return sharded;
  if (isKind(subclass, "global"))
    return `is of the class ${subclass.module}.${subclass.name}, and only that class knows its values; save what it gives as a plain tensor, often by dequantize()`;
  const type = name === "_rebuild_tensor_v3" ? unreadType(args[6]) : undefined;
  // FORMAT.md, "Element types": bits8 and its like.
  if (type?.startsWith("bits")) return `has the type torch.${type}, which stands for no numbers`;
  if (type !== undefined) return `has the type torch.${type}, which is not read`;
  return `is a kind of tensor that is not read yet: ${module}.${name}`;
}

const sharded =
  "is a ShardedTensor, of which each rank's file has a part; save a full state dict (StateDictType.FULL_STATE_DICT), or convert the folder of torch.distributed.checkpoint";

function isSharded(type: PickleValue | undefined): boolean {
  return (
    isKind(type, "global") && type.name === "ShardedTensor" && /^torch\.distributed\._shard/.test(type.module)
  );
}

/** The name of a type of torch's that has no counterpart here, bits without a meaning among them; `undefined` for any other argument. */
export function unreadType(value: PickleValue | undefined): string | undefined {
  const isType = isKind(value, "global") && value.module === "torch";
  return isType && !torchDTypeByName.has(value.name) ? value.name : undefined;
}

/** The strided layout has a call of its own, the jagged one is a subclass. */
function isNested(name: string, [inner]: readonly PickleValue[]): boolean {
  return (
    name === "_rebuild_nested_tensor" ||
    isGlobal(inner, "torch.nested._internal.nested_tensor", "_rebuild_njt")
  );
}
