import { ConvertError } from "../../../core/errors.ts";
import type { Operand } from "../../emit/operand.ts";
import { isQuantized, type QuantizedOperand, quantizedOperand } from "../../emit/quantized.ts";
import { layerOf, noWindows } from "../../program/packed.ts";
import { read } from "../../values/tensor.ts";
import { isA, type PackedLayer, type Value } from "../../values/value.ts";
import { requireClear } from "../call-operator.ts";
import type { Machine } from "../machine.ts";
import type { Builtin } from "./builtin.ts";

/** The one scale and zero point of a quantized tensor. */
function schemeOf(value: Value | undefined): readonly [scale: number, zeroPoint: number] | undefined {
  if (!isA(value, "tensor")) return undefined;
  const operand = requireClear(read(value));
  if (!isQuantized(operand))
    throw new ConvertError("malformed", "a tensor that is not quantized has no scale");
  const { scales, zeroPoints, axis } = operand.origin.scheme;
  if (axis !== undefined) throw new ConvertError("malformed", "the tensor has a scale for each channel");
  return [scales[0] as number, zeroPoints[0] as number];
}

function named(operand: Operand, name: string): Operand {
  const { origin } = operand;
  return origin.kind === "weight" ? { ...operand, origin: { ...origin, name } } : operand;
}

/** The weights under the names of the state dict: modules hand them to the kernel's own object as they are built. */
function namedLayer({ modules }: Machine, layer: PackedLayer): PackedLayer {
  const path = modules.at(-1);
  if (path === undefined) return layer;
  const stem = path === "" ? "_packed_params" : `${path}._packed_params`;
  const { integers, scheme } = layer.weight.origin;
  const weight: QuantizedOperand = quantizedOperand(named(integers, `${stem}.0`), scheme);
  return { ...layer, weight, bias: layer.bias && named(layer.bias, `${stem}.1`) };
}

function numbersOf(value: Value | undefined): readonly number[] {
  if (isA(value, "list") && value.items.every((item) => typeof item === "bigint"))
    return value.items.map(Number);
  throw new ConvertError("unsupported", "a quantized convolution with windows that are not known");
}

const convolution: Builtin = ([weight, bias, stride, padding, dilation, groups], machine) => {
  const layer = layerOf(weight, bias, {
    stride: numbersOf(stride),
    padding: numbersOf(padding),
    dilation: numbersOf(dilation),
    groups: Number(groups),
  });
  const packed = namedLayer(machine, layer);
  return { kind: "packed", layer: () => packed };
};

const linear: Builtin = ([weight, bias], machine) => {
  const packed = namedLayer(machine, layerOf(weight, bias, noWindows));
  return { kind: "packed", layer: () => packed };
};

/** What programs ask of quantized tensors, and the packing of parameters. */
export const quantizedBuiltins: readonly (readonly [string, Builtin])[] = [
  ["is_quantized", ([tensor]) => isA(tensor, "tensor") && isQuantized(requireClear(read(tensor)))],
  ["q_scale", ([tensor]) => schemeOf(tensor)?.[0]],
  [
    "q_zero_point",
    ([tensor]) => {
      const scheme = schemeOf(tensor);
      return scheme && BigInt(scheme[1]);
    },
  ],
  ["quantized::linear_prepack", linear],
  ["quantized::conv1d_prepack", convolution],
  ["quantized::conv2d_prepack", convolution],
  ["quantized::conv3d_prepack", convolution],
];
