import { ConvertError } from "../../core/errors.ts";
import { knownNumbers, type Operand } from "../emit/operand.ts";
import { isQuantized } from "../emit/quantized.ts";
import { read } from "../values/tensor.ts";
import { isA, type PackedLayer, type PackedValue, type Value } from "../values/value.ts";

/** An object of libtorch by the state that it was pickled with; frozen archives have such among their constants. */
export function packedOf(kind: "linear" | "convolution", state: Value, path: string): PackedValue {
  let known: PackedLayer | undefined;
  const layer = (): PackedLayer => {
    known ??= kind === "linear" ? linearLayer(state) : convolutionLayer(state);
    if (known !== undefined) return known;
    throw new ConvertError("unsupported", `the parameters of the quantized layer "${path}"`);
  };
  return { kind: "packed", layer };
}

/** A layer of a quantized weight and perhaps a bias of floats. Throws kind `unsupported` for others, as those of half precision. */
export function layerOf(
  weight: Value | undefined,
  bias: Value | undefined,
  numbers: Omit<PackedLayer, "weight" | "bias">,
): PackedLayer {
  const own = operandOf(weight);
  const added = operandOf(bias);
  if (own === undefined || !isQuantized(own) || own.dtype !== "I8")
    throw new ConvertError("unsupported", "a quantized layer whose weights are not of qint8");
  if (bias !== null && bias !== undefined && added?.dtype !== "F32")
    throw new ConvertError("unsupported", "a quantized layer whose bias is not of float32");
  return { weight: own, bias: added, ...numbers };
}

/** Of a layer that has no windows. */
export const noWindows = { stride: [], padding: [], dilation: [], groups: 1 } as const;

function operandOf(value: Value | undefined): Operand | undefined {
  return isA(value, "tensor") ? read(value) : undefined;
}

function itemsOf(value: Value | undefined): readonly Value[] {
  return isA(value, "tuple") || isA(value, "list") ? value.items : [];
}

/** `(weight, bias)`, or that and the name of a class. */
function linearLayer(state: Value): PackedLayer {
  const [first, second] = itemsOf(state);
  const [weight, bias] = isA(first, "tuple") ? first.items : [first, second];
  return layerOf(weight, bias, noWindows);
}

/** `("2", [numbers, weight], [bias])`; the numbers are `[axes, stride…, padding…, dilation…, output padding…, groups, transposed]`. */
function convolutionLayer(state: Value): PackedLayer | undefined {
  const [version, tensors, optional] = itemsOf(state);
  const [config, weight] = itemsOf(tensors);
  const [bias] = itemsOf(optional);
  const operand = operandOf(config);
  const numbers = operand && knownNumbers(operand);
  const axes = numbers?.[0] ?? 0;
  if (version !== "2" || numbers?.length !== 4 * axes + 3 || numbers.at(-1) !== 0) return undefined;
  const row = (index: number): readonly number[] => numbers.slice(1 + index * axes, 1 + (index + 1) * axes);
  return layerOf(weight, bias, {
    stride: row(0),
    padding: row(1),
    dilation: row(2),
    groups: numbers.at(-2) as number,
  });
}
