import type { PickleValue } from "../../../containers/pickle/values.ts";
import type { RunContext } from "../../../core/context.ts";
import { ConvertError } from "../../../core/errors.ts";
import { bytesSource } from "../../../core/source.ts";
import type { LazyTensor } from "../../../core/tensor.ts";
import { sequenceItems } from "../values/python-values.ts";
import { asSparse, asTensor, type Quantizer, type TorchTensor } from "../values/torch-values.ts";
import { unreadTensor } from "../values/unread-tensors.ts";
import { densified } from "./densify.ts";
import { openTensor } from "./open-tensor.ts";

/** A name with the tensor under it. */
export type NamedTensor = readonly [name: string, tensor: LazyTensor];

/** Lists within lists; real ones are one or two deep. */
const maxDepth = 64;

/**
 * The tensors that a value of a state dict comes to: one as a rule, none where it is no tensor, several where it is
 * quantized or a list. A weight is never passed over in silence: what torch would rebuild as a tensor is read or
 * refused (kind `unsupported`). A list that holds itself, `within`, is opened once.
 */
export function openValue(
  name: string,
  value: PickleValue,
  file: string,
  context: RunContext,
  within: readonly PickleValue[] = [],
): readonly NamedTensor[] {
  const tensor = asTensor(value);
  if (tensor) return openQuantized(name, tensor, file, context);
  const sparse = asSparse(value);
  if (sparse) return [[name, densified(name, sparse, file, context)]];
  const items = tensorItems(value);
  if (items && within.length > maxDepth) {
    throw new ConvertError("unsupported", `"${name}" nests lists of tensors more than ${maxDepth} deep`, {
      file,
      tensor: name,
      hint: "name these tensors in a dict, and save that",
    });
  }
  if (items && within.includes(value)) return [];
  if (items) {
    const path = [...within, value];
    return items.flatMap((item, index) => openValue(`${name}.${index}`, item, file, context, path));
  }
  const unread = unreadTensor(value);
  if (unread === undefined) return [];
  throw new ConvertError("unsupported", `"${name}" ${unread}`, {
    file,
    tensor: name,
    hint: "docs/formats.md lists the kinds of tensors that are read",
  });
}

/** The items of a list, a tuple or a deque that holds tensors, as quantized modules pack weight and bias. */
export function tensorItems(value: PickleValue): readonly PickleValue[] | undefined {
  const items = sequenceItems(value);
  return items?.some((item) => asTensor(item) !== undefined) ? items : undefined;
}

/** A quantized tensor is written as its integers, with what gives them a meaning beside them. */
function openQuantized(
  name: string,
  tensor: TorchTensor,
  file: string,
  context: RunContext,
): readonly NamedTensor[] {
  const integers = openTensor(name, tensor, file, context);
  const { quantizer } = tensor;
  if (quantizer === undefined) return [[name, integers]];
  const meaning = quantizerTensors(name, quantizer, file, context);
  const [scale, zeroPoint] = meaning.map(([, part]) => part) as [LazyTensor, LazyTensor];
  const quantization = { scale, zeroPoint, axis: "axis" in quantizer ? quantizer.axis : undefined };
  const parts = meaning.map(([part, opened]): NamedTensor => [part, { ...opened, partOf: quantization }]);
  // Its bytes are not its values, so nothing else can be tied to it.
  return [[name, { ...integers, view: undefined, quantization }], ...parts];
}

function quantizerTensors(
  name: string,
  quantizer: Quantizer,
  file: string,
  context: RunContext,
): readonly NamedTensor[] {
  const scale = `${name}.scale`;
  const zeroPoint = `${name}.zero_point`;
  if ("scale" in quantizer) {
    return [
      [scale, scalar(scale, "F64", Float64Array.of(quantizer.scale), file)],
      [zeroPoint, scalar(zeroPoint, "I64", BigInt64Array.of(BigInt(quantizer.zeroPoint)), file)],
    ];
  }
  const axis = `${name}.axis`;
  return [
    [scale, openTensor(scale, quantizer.scales, file, context)],
    [zeroPoint, openTensor(zeroPoint, quantizer.zeroPoints, file, context)],
    [axis, scalar(axis, "I64", BigInt64Array.of(BigInt(quantizer.axis)), file)],
  ];
}

function scalar(
  name: string,
  dtype: "F64" | "I64",
  value: Float64Array | BigInt64Array,
  file: string,
): LazyTensor {
  return {
    dtype,
    shape: [],
    payload: bytesSource(`${file}#${name}`, new Uint8Array(value.buffer as ArrayBuffer)),
  };
}
