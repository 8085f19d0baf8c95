import type { DType } from "../../core/dtype.ts";
import { ConvertError } from "../../core/errors.ts";
import { number } from "../emit/arithmetic.ts";
import type { GraphBuilder } from "../emit/graph-builder.ts";
import { expand } from "../emit/layout.ts";
import { constant, maxKnown, type Operand } from "../emit/operand.ts";
import { type Dimension, type Shape, staticShape } from "../shapes/dimension.ts";
import { asOperand, type Scalar, scalarType } from "../values/promotion.ts";
import { type OperatorRule, rule } from "./rule.ts";

/** A tensor of one value throughout; where the shape is known and small, its elements are known too. */
function filled(builder: GraphBuilder, shape: Shape, value: Operand): Operand {
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

const numberRules: readonly OperatorRule[] = [
  rule(
    "tensor(Scalar data, *, dtype? dtype=None, any device=None, any requires_grad=False)",
    ({ data, dtype }, builder) => asOperand(builder, data, dtype ?? scalarType(data)),
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

function symbolicRange(
  builder: GraphBuilder,
  start: Scalar,
  end: Scalar,
  step: Scalar,
  dtype: DType,
): Operand {
  if (start !== 0n || step !== 1n || dtype !== "I64")
    throw new ConvertError("unsupported", "a range of symbolic length that does not count up from 0");
  const inputs = [start, end, step].map((value) => asOperand(builder, value, "I64"));
  return builder.node("Range", inputs, { dtype, shape: [end as Dimension] });
}

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
  ...constantRules,
  ...fullRules,
  ...numberRules,
  ...ranges,
];
