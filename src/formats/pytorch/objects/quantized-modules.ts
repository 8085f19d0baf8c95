import {
  isKind,
  type PickleDict,
  type PickleHost,
  type PickleValue,
} from "../../../containers/pickle/values.ts";
import { bytesSource } from "../../../core/source.ts";
import { type TorchDType, torchDTypeByName } from "../values/dtypes.ts";
import { attributesOf } from "../values/python-values.ts";
import { asTensor, host } from "../values/torch-values.ts";
import type { NamedValue } from "./named-value.ts";
import { reachableTensors } from "./reachable.ts";

/** Whether a module is of one of torch's quantized classes, which keep their weights where no registry lists them. */
export function isQuantizedClass(module: PickleValue): boolean {
  const callable = isKind(module, "call") ? module.callable : undefined;
  return isKind(callable, "global") && /(^|\.)quantized(\.|$)/.test(callable.module);
}

/**
 * What a quantized module adds to its state dict behind its parameters and buffers: its own scale and zero point, which
 * are Python numbers, and the weights that it packs for its kernels, `(weight, bias)` under the numbers 0 and 1.
 */
export function quantizedEntries(module: PickleValue, prefix: string): readonly NamedValue[] {
  const attributes = attributesOf(module);
  if (attributes === undefined) return convolutionEntries(module, prefix) ?? [];
  const own = scaleEntries(attributes.get("scale"), attributes.get("zero_point"), prefix);
  return [...own, ...packedEntries(attributes, prefix)];
}

/** Convolutions pickle themselves as their arguments, with weight, bias, scale and zero point at the end. */
function convolutionEntries(module: PickleValue, prefix: string): readonly NamedValue[] | undefined {
  const state = isKind(module, "call") && isKind(module.state, "tuple") ? module.state.items : [];
  const [weight, bias, scale, zeroPoint] = state.slice(10);
  if (state.length !== 15 || asTensor(weight)?.quantizer === undefined) return undefined;
  return [
    [`${prefix}weight`, weight as PickleValue],
    ...(asTensor(bias) ? [[`${prefix}bias`, bias as PickleValue] as const] : []),
    ...scaleEntries(scale, zeroPoint, prefix),
  ];
}

/** What `torch.tensor` makes of the two numbers. */
function scaleEntries(
  scale: PickleValue | undefined,
  zeroPoint: PickleValue | undefined,
  prefix: string,
): readonly NamedValue[] {
  if (!isKind(scale, "float") || typeof zeroPoint !== "number") return [];
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, BigInt(zeroPoint), true);
  const single = new Uint8Array(4);
  new DataView(single.buffer).setFloat32(0, scale.value, true);
  return [
    [`${prefix}scale`, scalar(`${prefix}scale`, "float32", single)],
    [`${prefix}zero_point`, scalar(`${prefix}zero_point`, "int64", bytes)],
  ];
}

function scalar(name: string, type: "float32" | "int64", bytes: Uint8Array): PickleHost {
  const dtype = torchDTypeByName.get(type) as TorchDType;
  // No key of a file has a space, so it is a storage of its own.
  const storage = {
    type: "storage",
    key: `number ${name}`,
    dtype,
    source: bytesSource(name, bytes),
  } as const;
  return host({ type: "tensor", storage, dtype, offset: 0, shape: [], strides: [] });
}

function packedEntries(attributes: PickleDict, prefix: string): readonly NamedValue[] {
  const registries = new Set(["_parameters", "_buffers", "_modules"]);
  return [...attributes.entries()].flatMap(([name, value]) => {
    if (typeof name !== "string" || registries.has(name)) return [];
    const packed = packedPair(value);
    if (packed) return packed.map((item, index): NamedValue => [`${prefix}${name}.${index}`, item]);
    return reachableTensors(value, prefix + name).map(({ path, value }): NamedValue => [path, value]);
  });
}

/** An object of libtorch that holds weight and bias: its state is `((weight, bias), class)`. */
function packedPair(value: PickleValue): readonly PickleValue[] | undefined {
  const state = isKind(value, "call") && isKind(value.state, "tuple") ? value.state.items : [];
  const [pair, name] = state;
  const isLinear = typeof name === "string" && name.endsWith(".LinearPackedParamsBase");
  return isLinear && isKind(pair, "tuple") ? pair.items : undefined;
}
