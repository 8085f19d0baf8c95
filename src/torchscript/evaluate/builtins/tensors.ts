import { ConvertError } from "../../../core/errors.ts";
import { axisOf } from "../../emit/layout.ts";
import { constant, knownNumbers } from "../../emit/operand.ts";
import { categoryOf } from "../../emit/types.ts";
import { scalarOfOperand } from "../../operators/bind.ts";
import { type Dimension, elementsOf, isSymbolic } from "../../shapes/dimension.ts";
import { dtypeCode } from "../../values/scalar-types.ts";
import { read, type Tensor, tensorOf } from "../../values/tensor.ts";
import { isA, listOf, type Value } from "../../values/value.ts";
import { requireClear } from "../call-operator.ts";
import { conversions } from "../conversions.ts";
import { dimensionValue } from "../evaluate-expression.ts";
import type { Builtin } from "./builtin.ts";

/** A question about a tensor that is answered without its elements. */
function about(
  name: string,
  answer: (tensor: Tensor, args: readonly Value[]) => Value,
): readonly [string, Builtin] {
  return [name, ([tensor, ...rest]) => (isA(tensor, "tensor") ? answer(tensor, rest) : undefined)];
}

function shapeOf(tensor: Tensor): readonly Dimension[] {
  return requireClear(read(tensor)).shape;
}

function sizes(tensor: Tensor, [axis]: readonly Value[]): Value {
  const shape = shapeOf(tensor);
  if (axis === undefined || axis === null) return listOf(shape.map(dimensionValue));
  return dimensionValue(shape[axisOf(Number(axis), shape.length)] ?? 1);
}

/** `x.tolist()` of what is known. */
function nested(values: readonly Value[], shape: readonly number[]): Value {
  const [extent, ...inner] = shape;
  if (extent === undefined) return values[0] as Value;
  const step = inner.reduce((product, own) => product * own, 1);
  return listOf(
    Array.from({ length: extent }, (_, index) =>
      nested(values.slice(index * step, (index + 1) * step), inner),
    ),
  );
}

function toList(tensor: Tensor): Value {
  const operand = requireClear(read(tensor));
  const known = knownNumbers(operand);
  if (known === undefined)
    throw new ConvertError("unsupported", "a list is made of a tensor whose elements depend on data");
  const values = known.map((value) => scalarOfOperand(constant(operand.dtype, [], [value])) as Value);
  return nested(values, operand.shape as readonly number[]);
}

/** What two shapes broadcast to; by its older name too. */
const broadcastShapes: Builtin = ([left, right], { builder }) => {
  if (!isA(left, "list") || !isA(right, "list")) return undefined;
  const [a, b] = [left, right].map(({ items }) =>
    items.map((item) => (isSymbolic(item) ? item : Number(item))),
  ) as [Dimension[], Dimension[]];
  return listOf(builder.guards.broadcast(a, b).map(dimensionValue));
};

/** `NumToTensor`: a Python number as a 0-d tensor, which keeps what is known of it. */
function numberTensor(value: Value | undefined): Value | undefined {
  if (isSymbolic(value)) return tensorOf(constant("I64", [], [value]));
  if (typeof value === "bigint") return tensorOf(constant("I64", [], [Number(value)]));
  if (typeof value === "boolean") return tensorOf(constant("BOOL", [], [value ? 1 : 0]));
  return typeof value === "number" ? tensorOf(constant("F64", [], [value])) : undefined;
}

/** What programs ask of tensors without looking at their elements. */
export const tensorBuiltins: readonly (readonly [string, Builtin])[] = [
  ["broadcast_shapes", broadcastShapes],
  ["_infer_size", broadcastShapes],
  about("size", sizes),
  about("sym_size", sizes),
  about("shape", sizes),
  about("dim", (tensor) => BigInt(shapeOf(tensor).length)),
  about("ndimension", (tensor) => BigInt(shapeOf(tensor).length)),
  about("len", (tensor) => dimensionValue(shapeOf(tensor)[0] ?? 0)),
  about("numel", (tensor) => dimensionValue(elementsOf(shapeOf(tensor)))),
  about("dtype", (tensor) => dtypeCode(requireClear(read(tensor)))),
  about("device", () => ({ kind: "device", name: "cpu" })),
  about("layout", () => 0n),
  about("is_cuda", () => false),
  about("is_cpu", () => true),
  about("is_mps", () => false),
  about("is_xla", () => false),
  about("is_mkldnn", () => false),
  about("is_sparse", () => false),
  about("is_nested", () => false),
  about("is_meta", () => false),
  about("is_leaf", () => true),
  about("get_device", () => -1n),
  // With gradients, attention modules take the path of plain operators instead of a fused one; the numbers are the same.
  about("requires_grad", () => true),
  about("is_floating_point", (tensor) => categoryOf(requireClear(read(tensor)).dtype) === "float"),
  about("is_complex", (tensor) => categoryOf(requireClear(read(tensor)).dtype) === "complex"),
  about("is_contiguous", () => true),
  about("tolist", toList),
  about("_shape_as_tensor", (tensor) => tensorOf(constant("I64", [shapeOf(tensor).length], shapeOf(tensor)))),
  [
    "item",
    ([tensor], machine) => {
      if (!isA(tensor, "tensor")) return undefined;
      const { dtype } = requireClear(read(tensor));
      if (dtype === "BOOL") return conversions.toBool(machine, tensor);
      const isWhole = categoryOf(dtype) === "integer";
      return isWhole ? conversions.toInt(machine, tensor) : conversions.toFloat(machine, tensor);
    },
  ],
  ["NumToTensor", ([value]) => numberTensor(value)],
];
