import type { DType } from "../../../core/dtype.ts";
import { ConvertError } from "../../../core/errors.ts";
import { cast, number } from "../../emit/arithmetic.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { expand, reshape } from "../../emit/layout.ts";
import { constant, maxKnown, type Operand } from "../../emit/operand.ts";
import {
  addDimensions,
  type Dimension,
  divideDimensions,
  largerOf,
  multiplyDimensions,
  type Shape,
  shapeText,
  staticShape,
  subtractDimensions,
} from "../../shapes/dimension.ts";
import { asOperand, type Scalar, scalarType } from "../../values/promotion.ts";
import { spacedRules } from "../layout/spaces.ts";
import { type OperatorRule, perhapsViewRule, rule } from "../rule.ts";

/** A tensor of one value throughout; where the shape is known and small, its elements are known too. */
function filled(builder: GraphBuilder, shape: Shape, value: Operand): Operand {
  if (shape.some((extent) => typeof extent === "number" && extent < 0))
    throw new ConvertError("malformed", `a tensor is made of the shape ${shapeText(shape)}`);
  const extents = staticShape(shape);
  const count = extents?.reduce((product, extent) => product * extent, 1);
  const known = value.known?.[0];
  if (count !== undefined && count <= maxKnown && typeof known === "number")
    return constant(value.dtype, shape, new Array<number>(count).fill(known));
  return expand(builder, value, shape);
}

/** `dtype` and what does not matter, as nearly every function that creates a tensor takes them. */
const options = "dtype? dtype=None, any layout=None, any device=None, any pin_memory=None";

type Sized = "a(SymInt[] size, dtype? dtype=None)";
type New = "a(Tensor self, SymInt[] size, dtype? dtype=None)";
type Like = "a(Tensor self, dtype? dtype=None)";

/** What an uninitialized tensor holds is nobody's business: zeros. */
const constants: readonly (readonly [string, number])[] = [
  ["zeros", 0],
  ["ones", 1],
  ["empty", 0],
];

const constantRules: readonly OperatorRule[] = constants.flatMap(([name, value]) => [
  rule(`${name}(SymInt[] size, *, ${options}, any memory_format=None)` as Sized, ({ size, dtype }, builder) =>
    filled(builder, size, number(dtype ?? "F32", value)),
  ),
  rule(`new_${name}(Tensor self, SymInt[] size, *, ${options})` as New, ({ self, size, dtype }, builder) =>
    filled(builder, size, number(dtype ?? self.dtype, value)),
  ),
  rule(
    `${name}_like(Tensor self, *, ${options}, any memory_format=None)` as Like,
    ({ self, dtype }, builder) => filled(builder, self.shape, number(dtype ?? self.dtype, value)),
  ),
]);

/** The dtype of `full`: that of the value, but always a float before version 5 of the operators. */
function fullType(value: Scalar, dtype: DType | undefined, version: number): DType {
  return dtype ?? (version < 5 ? "F32" : scalarType(value));
}

const fullRules: readonly OperatorRule[] = [
  rule(
    `full(SymInt[] size, Scalar fill_value, *, ${options})` as "full(SymInt[] size, Scalar fill_value, dtype? dtype=None)",
    ({ size, fill_value, dtype }, builder, { version }) =>
      filled(builder, size, asOperand(builder, fill_value, fullType(fill_value, dtype, version))),
  ),
  rule(
    `new_full(Tensor self, SymInt[] size, Scalar fill_value, *, ${options})` as "a(Tensor self, SymInt[] size, Scalar fill_value, dtype? dtype=None)",
    ({ self, size, fill_value, dtype }, builder) =>
      filled(builder, size, asOperand(builder, fill_value, dtype ?? self.dtype)),
  ),
  rule(
    `full_like(Tensor self, Scalar fill_value, *, ${options}, any memory_format=None)` as "a(Tensor self, Scalar fill_value, dtype? dtype=None)",
    ({ self, fill_value, dtype }, builder) =>
      filled(builder, self.shape, asOperand(builder, fill_value, dtype ?? self.dtype)),
  ),
];

/** A number that data tell is a tensor from here on. */
function asOrdinary(operand: Operand): Operand {
  return operand.isNumber ? { ...operand, isNumber: false } : operand;
}

const numberRules: readonly OperatorRule[] = [
  rule(
    "tensor(Scalar data, *, dtype? dtype=None, any device=None, any requires_grad=False)",
    // Torch makes floats in the program float32 first.
    ({ data, dtype }, builder) =>
      asOperand(builder, typeof data === "number" ? Math.fround(data) : data, dtype ?? scalarType(data)),
  ),
  rule(
    "tensor(Tensor data, *, dtype? dtype=None, any device=None, any requires_grad=False)",
    ({ data, dtype }, builder) => asOrdinary(cast(builder, data, dtype ?? data.dtype)),
  ),
  rule(
    `scalar_tensor(Scalar s, *, ${options})` as "a(Scalar s, dtype? dtype=None)",
    ({ s, dtype }, builder) => asOperand(builder, s, dtype ?? "F32"),
  ),
];

type Arange = "a(Scalar start, Scalar end, Scalar step, dtype? dtype=None)";

/** Numbers from `start` on in steps, up to and without `end`. Symbolic ends are left to the runtime. */
function range(
  builder: GraphBuilder,
  start: Scalar,
  end: Scalar,
  step: Scalar,
  dtype: DType | undefined,
): Operand {
  const isWhole = [start, end, step].every((value) => scalarType(value) === "I64");
  const own = dtype ?? (isWhole ? "I64" : "F32");
  if (typeof end === "object" || typeof start === "object" || typeof step === "object")
    return symbolicRange(builder, start, end, step, own);
  const [from, to, by] = [Number(start), Number(end), Number(step)];
  const count = Math.ceil((to - from) / by);
  if (!(count >= 0))
    throw new ConvertError("malformed", `there is no range from ${from} to ${to} in steps of ${by}`);
  if (count > maxKnown) throw new ConvertError("unsupported", `a range of ${count} numbers`);
  return constant(
    own,
    [count],
    Array.from({ length: count }, (_, index) => from + index * by),
  );
}

/** Of ints of which some are only known when the graph runs. */
function symbolicRange(
  builder: GraphBuilder,
  start: Scalar,
  end: Scalar,
  step: Scalar,
  dtype: DType,
): Operand {
  if ([start, end, step].some((value) => scalarType(value) !== "I64") || typeof step === "object")
    throw new ConvertError("unsupported", "a range of symbolic length that does not count whole numbers");
  const inputs = [start, end, step].map((value) => asOperand(builder, value, "I64"));
  const [from, to] = [start, end].map((value) => (typeof value === "object" ? value : Number(value)));
  const by = Number(step);
  const span = multiplyDimensions(subtractDimensions(to as Dimension, from as Dimension), Math.sign(by));
  const size = Math.abs(by);
  const count = divideDimensions(addDimensions(span, size - 1), size);
  // Torch refuses a range that runs the wrong way, where the runtime gives none.
  const extent = builder.guards.permits(count, ">=", 0) ? largerOf(count, 0) : count;
  return cast(builder, builder.node("Range", inputs, { dtype: "I64", shape: [extent] }), dtype);
}

/** A vector along each axis of a grid that all of them span; `xy` has the first two axes exchanged. */
export function grids(
  builder: GraphBuilder,
  tensors: readonly Operand[],
  indexing: string,
): readonly Operand[] {
  const [first, second, ...rest] = tensors;
  if (indexing === "xy" && first !== undefined && second !== undefined) {
    const [down, across, ...others] = grids(builder, [second, first, ...rest], "ij") as [Operand, Operand];
    return [across, down, ...others];
  }
  const shape = tensors.map(({ shape: [extent] }) => extent ?? 1);
  return tensors.map((tensor, axis) => {
    const own = shape.map((extent, index) => (index === axis ? extent : 1));
    return expand(builder, reshape(builder, tensor, own), shape);
  });
}

function identity(rows: number, columns: number, dtype: DType): Operand {
  if (rows < 0 || columns < 0) throw new ConvertError("malformed", `eye of ${rows} by ${columns}`);
  if (rows * columns > maxKnown) throw new ConvertError("unsupported", `eye of ${rows} by ${columns}`);
  const cells = Array.from({ length: rows * columns }, (_, at) =>
    at % columns === Math.floor(at / columns) ? 1 : 0,
  );
  return constant(dtype, [rows, columns], cells);
}

const patterns: readonly OperatorRule[] = [
  perhapsViewRule(
    'meshgrid(Tensor[] tensors, *, str indexing="ij") -> Tensor[]',
    ({ tensors, indexing }, builder) => grids(builder, tensors, indexing),
  ),
  rule(`eye(int n, *, ${options})` as "a(int n, dtype? dtype=None)", ({ n, dtype }) =>
    identity(n, n, dtype ?? "F32"),
  ),
  rule(`eye(int n, int m, *, ${options})` as "a(int n, int m, dtype? dtype=None)", ({ n, m, dtype }) =>
    identity(n, m, dtype ?? "F32"),
  ),
];

const ranges: readonly OperatorRule[] = [
  rule(`arange(Scalar end, *, ${options})` as "a(Scalar end, dtype? dtype=None)", ({ end, dtype }, builder) =>
    range(builder, 0n, end, 1n, dtype),
  ),
  rule(
    `arange(Scalar start, Scalar end, *, ${options})` as "a(Scalar start, Scalar end, dtype? dtype=None)",
    ({ start, end, dtype }, builder) => range(builder, start, end, 1n, dtype),
  ),
  rule(
    `arange(Scalar start, Scalar end, Scalar step, *, ${options})` as Arange,
    ({ start, end, step, dtype }, builder) => range(builder, start, end, step, dtype),
  ),
];

/** Tensors made from nothing but sizes and numbers. */
export const creationRules: readonly OperatorRule[] = [
  ...spacedRules,
  ...constantRules,
  ...fullRules,
  ...numberRules,
  ...ranges,
  ...patterns,
];
