import { ConvertError } from "../../../core/errors.ts";
import { binary, cast, divide, multiply } from "../../emit/arithmetic.ts";
import { stringAttribute } from "../../emit/attributes.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { axisOf, squeeze, unsqueeze } from "../../emit/layout.ts";
import type { Operand } from "../../emit/operand.ts";
import { reduce } from "../../emit/reduce.ts";
import { type Dimension, shapeText } from "../../shapes/dimension.ts";
import { promoted } from "../../values/promotion.ts";
import { type OperatorRule, rule } from "../rule.ts";

/** What an equation says: the letters of each operand's axes, and of the result's. */
interface Equation {
  readonly inputs: readonly string[];
  readonly output: string;
}

/** Letters that stand for the axes of `...`, counted from the last one. */
const hidden = "αβγδεζηθ";

/** Reads an equation; `...` becomes letters of its own, the last axes alike in all operands. */
function parseEquation(text: string, operands: readonly Operand[]): Equation {
  const [left, right] = text.replaceAll(/\s/g, "").split("->") as [string, string | undefined];
  const terms = left.split(",");
  if (terms.length !== operands.length)
    throw new ConvertError("malformed", `einsum "${text}" of ${operands.length} tensors`);
  const counts = terms.map((term, index) => {
    const rank = (operands[index] as Operand).shape.length;
    const count = rank - term.replace("...", "").length;
    if (count < 0 || (count > 0 && !term.includes("...")))
      throw new ConvertError("malformed", `einsum "${text}" of a tensor with ${rank} dimensions`);
    return count;
  });
  const most = Math.max(0, ...counts);
  if (most > hidden.length) throw new ConvertError("unsupported", `einsum with "..." for ${most} dimensions`);
  const dots = (count: number): string => hidden.slice(0, count).split("").reverse().join("");
  const inputs = terms.map((term, index) => term.replace("...", dots(counts[index] as number)));
  return { inputs, output: right?.replace("...", dots(most)) ?? implicitOutput(inputs, dots(most)) };
}

/** Without `->`: the axes of `...`, then the letters that occur once, as they are sorted. */
function implicitOutput(inputs: readonly string[], dots: string): string {
  const all = inputs.join("");
  const once = [...all].filter((letter) => !hidden.includes(letter) && all.split(letter).length === 2);
  return dots + once.sort().join("");
}

/** The extent of each letter; 1 gives way to others, as in broadcasting. */
function extentsOf(
  builder: GraphBuilder,
  { inputs }: Equation,
  operands: readonly Operand[],
): ReadonlyMap<string, Dimension> {
  const extents = new Map<string, Dimension>();
  for (const [index, term] of inputs.entries()) {
    for (const [axis, letter] of [...term].entries()) {
      const own = operands[index]?.shape[axis] as Dimension;
      const known = extents.get(letter);
      if (known === undefined || known === 1) extents.set(letter, own);
      else if (own !== 1 && !builder.guards.decide(known, "==", own))
        throw new ConvertError(
          "malformed",
          `einsum of shapes ${operands.map(({ shape }) => shapeText(shape)).join(" and ")}`,
        );
    }
  }
  return extents;
}

/** Sums of products over the letters that the result does not have. */
function einsum(builder: GraphBuilder, text: string, operands: readonly Operand[]): Operand {
  const [first] = operands;
  if (first === undefined || operands.some(({ dtype }) => dtype !== first.dtype))
    throw new ConvertError("malformed", "einsum of tensors of several dtypes");
  if (!["F16", "BF16", "F32", "F64", "I32", "I64"].includes(first.dtype))
    throw new ConvertError("unsupported", `einsum of ${first.dtype}`);
  const equation = parseEquation(text, operands);
  const extents = extentsOf(builder, equation, operands);
  const shape = [...equation.output].map((letter) => {
    const extent = extents.get(letter);
    if (extent === undefined) throw new ConvertError("malformed", `einsum "${text}" gives what is not there`);
    return extent;
  });
  if (new Set(equation.output).size < shape.length)
    throw new ConvertError("malformed", `einsum "${text}" gives an axis twice`);
  const wide = first.dtype === "F16" ? "F32" : first.dtype;
  const terms = equation.inputs.map((term, index) =>
    fitted(builder, cast(builder, operands[index] as Operand, wide), term, extents),
  );
  const inputs = terms.map(({ operand }) => operand);
  const written = relabelled(`${terms.map(({ letters }) => letters).join(",")}->${equation.output}`);
  const result = builder.node(
    "Einsum",
    inputs,
    { dtype: wide, shape },
    { equation: stringAttribute(written) },
  );
  return cast(builder, result, first.dtype);
}

/** Without the axes of extent 1 that are broadcast. */
function fitted(
  builder: GraphBuilder,
  operand: Operand,
  term: string,
  extents: ReadonlyMap<string, Dimension>,
): { readonly operand: Operand; readonly letters: string } {
  const letters = [...term];
  const single = letters.flatMap((letter, axis) =>
    operand.shape[axis] === 1 && extents.get(letter) !== 1 ? [axis] : [],
  );
  return {
    operand: squeeze(builder, operand, single),
    letters: letters.filter((_, axis) => !single.includes(axis)).join(""),
  };
}

/** The same equation in small letters from `a` on, which every runtime takes. */
function relabelled(equation: string): string {
  const names = new Map<string, string>();
  return equation.replaceAll(/[^,\->]/g, (letter) => {
    const known = names.get(letter);
    if (known !== undefined) return known;
    if (names.size === 26) throw new ConvertError("unsupported", "einsum with more than 26 letters");
    const name = String.fromCharCode(97 + names.size);
    names.set(letter, name);
    return name;
  });
}

/** `v * g / |v|`, the length taken over all axes but one. */
function weightNorm(builder: GraphBuilder, v: Operand, g: Operand, dim: number): Operand {
  const axis = axisOf(dim, v.shape.length);
  const others = [...v.shape.keys()].filter((own) => own !== axis);
  return multiply(builder, v, divide(builder, g, reduce(builder, "ReduceL2", v, others, true)));
}

type Outer = "a(Tensor self, Tensor vec2)";

/** Products that are no plain matrix product. */
export const productRules: readonly OperatorRule[] = [
  rule("einsum(str equation, Tensor[] tensors, *, any path=None)", ({ equation, tensors }, builder) =>
    einsum(builder, equation, tensors),
  ),
  ...["outer", "ger"].map((name) =>
    rule(`${name}(Tensor self, Tensor vec2)` as Outer, ({ self, vec2 }, builder) => {
      if (self.shape.length !== 1 || vec2.shape.length !== 1)
        throw new ConvertError("malformed", "the outer product of what is no vector");
      const [a, b] = promoted(builder, self, vec2) as [Operand, Operand];
      const [down, across] = [unsqueeze(builder, a, [1]), unsqueeze(builder, b, [0])];
      return a.dtype === "BOOL" ? binary(builder, "And", down, across) : multiply(builder, down, across);
    }),
  ),
  rule("_weight_norm(Tensor v, Tensor g, int dim=0)", ({ v, g, dim }, builder) =>
    weightNorm(builder, v, g, dim),
  ),
];
