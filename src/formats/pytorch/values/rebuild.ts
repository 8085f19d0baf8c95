import type { PickleDict, PickleGlobal, PickleHost, PickleValue } from "../../../containers/pickle/values.ts";
import { isKind } from "../../../containers/pickle/values.ts";
import type { RunContext } from "../../../core/context.ts";
import { ConvertError } from "../../../core/errors.ts";
import { type TorchDType, torchDTypeByName } from "./dtypes.ts";
import type { LazyBits } from "./lazy-bits.ts";
import { wholeLocalTensor } from "./local-tensor.ts";
import {
  asSparse,
  asStorage,
  asTensor,
  host,
  type SparseLayout,
  sizesOf,
  type TorchTensor,
} from "./torch-values.ts";
import { unreadType } from "./unread-tensors.ts";

/**
 * The calls that make tensors, by module and name, with what they come to. Only these are understood; the match is
 * exact, and none of them runs anything. FORMAT.md, "Rebuild calls", lists their arguments.
 */
const rebuilders: Readonly<
  Record<string, (args: readonly PickleValue[], fail: Fail) => PickleHost | undefined>
> = {
  "torch._utils _rebuild_tensor": (args, fail) => rebuildTensor(args, undefined, undefined, fail),
  "torch._utils _rebuild_tensor_v2": (args, fail) => rebuildTensor(args, undefined, args[6], fail),
  "torch._utils _rebuild_tensor_v3": (args, fail) =>
    unreadType(args[6]) === undefined
      ? rebuildTensor(args, dtypeOf(args[6], fail), args[7], fail)
      : undefined,
  "torch._utils _rebuild_parameter": innerTensor,
  "torch._utils _rebuild_parameter_with_state": innerTensor,
  "torch._utils _rebuild_qtensor": rebuildQuantized,
  "torch._utils _rebuild_sparse_tensor": rebuildSparse,
  "torch._utils _rebuild_sparse_csr_tensor": rebuildSparse,
  "torch.nn.parameter Parameter": innerTensor,
  "torch._tensor _rebuild_from_type_v2": rebuildFromType,
};

type Rebuilder = (args: readonly PickleValue[], fail: Fail) => PickleHost | undefined;

const rebuildersByName: ReadonlyMap<string, Rebuilder> = new Map(Object.entries(rebuilders));

function rebuilderOf({ module, name }: PickleGlobal): Rebuilder | undefined {
  // Two calls of three make something else, an empty OrderedDict of hooks mostly.
  return module.startsWith("torch.") ? rebuildersByName.get(`${module} ${name}`) : undefined;
}

type Fail = (message: string) => never;

/** What a call makes, if it makes a tensor; `undefined` for every other call. Throws kind `malformed` for broken arguments. */
export function rebuildCall(
  callable: PickleGlobal,
  args: PickleValue,
  file: string,
  offset: number,
  context: RunContext,
): PickleHost | undefined {
  // To be written again as it was, an object keeps its calls.
  const rebuilder = context.whole ? undefined : rebuilderOf(callable);
  if (rebuilder === undefined) return undefined;
  const fail: Fail = (message) => {
    throw new ConvertError("malformed", `${callable.name} ${message}`, { file, offset });
  };
  if (!isKind(args, "tuple")) return fail("is called without arguments");
  return rebuilder(args.items, fail);
}

function rebuildTensor(
  args: readonly PickleValue[],
  dtypeArgument: TorchDType | undefined,
  flags: PickleValue | undefined,
  fail: Fail,
): PickleHost | undefined {
  const [storageArgument, offset, size, stride] = args;
  const storage = asStorage(storageArgument) ?? fail("is given no storage");
  const dtype = dtypeArgument ?? storage.dtype ?? fail("is given an untyped storage and no dtype");
  const shape = sizesOf(size) ?? fail("is given a broken shape");
  const strides = sizesOf(stride) ?? fail("is given broken strides");
  if (typeof offset !== "number" || offset < 0) return fail("is given a broken storage offset");
  if (shape.length !== strides.length)
    return fail(`is given ${shape.length} sizes and ${strides.length} strides`);
  const bits = isKind(flags, "dict") && flags.size > 0 ? lazyBits(flags, fail) : undefined;
  return host({ type: "tensor", storage, dtype, offset, shape, strides, bits } satisfies TorchTensor);
}

/** The quantizer is `(per_tensor_affine, scale, zero point)` or `(per_channel_affine, scales, zero points, axis)`. */
function rebuildQuantized(args: readonly PickleValue[], fail: Fail): PickleHost | undefined {
  const tensor = asTensor(rebuildTensor(args, undefined, undefined, fail));
  const [scheme, scale, zeroPoint, axis] = isKind(args[4], "tuple") ? args[4].items : [];
  if (tensor === undefined || !isKind(scheme, "global")) return fail("is given a broken quantizer");
  if (scheme.name === "per_tensor_affine" && isKind(scale, "float") && typeof zeroPoint === "number") {
    return host({ ...tensor, quantizer: { scale: scale.value, zeroPoint } });
  }
  const scales = asTensor(scale);
  const zeroPoints = asTensor(zeroPoint);
  if (scales === undefined || zeroPoints === undefined || typeof axis !== "number")
    return fail("is given a broken quantizer");
  return host({ ...tensor, quantizer: { scales, zeroPoints, axis } });
}

/** `(layout, (indices, values, size))` for COO, `(layout, (compressed, plain, values, size))` for the others. */
function rebuildSparse([layoutValue, data]: readonly PickleValue[], fail: Fail): PickleHost | undefined {
  const layout = sparseLayout(layoutValue);
  const parts = isKind(data, "tuple") ? data.items : [];
  if (layout === undefined) return fail("is given a layout that is not known");
  const count = layout === "coo" ? 1 : 2;
  const indices = parts.slice(0, count).map((part) => asTensor(part) ?? fail("is given no indices"));
  const values = asTensor(parts[count]) ?? fail("is given no values");
  const shape = sizesOf(parts[count + 1]) ?? fail("is given a broken shape");
  return host({ type: "sparse", layout, shape, indices, values });
}

/** `torch.serialization._get_layout("torch.sparse_coo")`. */
function sparseLayout(value: PickleValue | undefined): SparseLayout | undefined {
  const name = isKind(value, "call") && isKind(value.args, "tuple") ? value.args.items[0] : undefined;
  const layout =
    typeof name === "string" ? /^torch\.sparse_(coo|csr|csc|bsr|bsc)$/.exec(name)?.[1] : undefined;
  return layout as SparseLayout | undefined;
}

function lazyBits(flags: PickleDict, fail: Fail): LazyBits {
  for (const [key] of flags.entries())
    if (key !== "conj" && key !== "neg") return fail("is given an unknown flag");
  return { conj: flags.get("conj") === true, neg: flags.get("neg") === true };
}

function dtypeOf(value: PickleValue | undefined, fail: Fail): TorchDType {
  const dtype =
    isKind(value, "global") && value.module === "torch" ? torchDTypeByName.get(value.name) : undefined;
  return dtype ?? fail("is given no dtype");
}

/** Parameters wrap a tensor; what they add (gradient flag, hooks, attributes) is no weight. */
function innerTensor(args: readonly PickleValue[]): PickleHost | undefined {
  return asTensor(args[0]) || asSparse(args[0]) ? (args[0] as PickleHost) : undefined;
}

/** Tensors with Python attributes, such as buffers, and subclasses of tensors: the tensor that the inner call makes. */
function rebuildFromType(args: readonly PickleValue[], fail: Fail): PickleHost | undefined {
  const whole = wholeLocalTensor(args);
  if (whole !== undefined) return whole;
  const [inner, , innerArgs] = args;
  if (!isKind(inner, "global") || inner.name === "_rebuild_from_type_v2") return undefined;
  const rebuilder = rebuilderOf(inner);
  return isKind(innerArgs, "tuple") ? rebuilder?.(innerArgs.items, fail) : undefined;
}
