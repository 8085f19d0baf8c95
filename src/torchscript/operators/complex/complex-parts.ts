import type { DType } from "../../../core/dtype.ts";
import { ConvertError } from "../../../core/errors.ts";
import { type ComplexParts, complexOf, isComplex, partsOf, partType } from "../../emit/complex.ts";
import type { GraphBuilder } from "../../emit/graph-builder.ts";
import { isOperand, type Operand } from "../../emit/operand.ts";
import { arithmeticRules } from "../elements/arithmetic.ts";
import { conversionRules } from "../elements/conversions.ts";
import { identityRules } from "../elements/identities.ts";
import { indexingRules } from "../indexing/indexing.ts";
import { maskingRules } from "../indexing/masking.ts";
import { joinRules } from "../layout/joins.ts";
import { repeatingRules } from "../layout/repeating.ts";
import { viewRules } from "../layout/views.ts";
import { reductionRules } from "../reductions/reductions.ts";
import type { OperatorRule, RuleResult } from "../rule.ts";
import type { SchemaParameter } from "../schema.ts";

type Part = keyof ComplexParts;

/** Operators that do the same to real and imaginary parts; other arguments than these hold no numbers of the result. */
const separable: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(
    [
      ...["view", "view_as", "reshape", "reshape_as", "_unsafe_view", "flatten", "ravel", "unflatten"],
      ...["permute", "transpose", "swapaxes", "swapdims", "t", "numpy_T", "mT", "movedim", "moveaxis"],
      ...["unsqueeze", "squeeze", "expand", "expand_as", "broadcast_to", "select", "slice", "narrow"],
      ...["detach", "alias", "data", "resolve_conj", "resolve_neg", "cpu", "lift", "contiguous", "clone"],
      ...["lift_fresh", "lift_fresh_copy", "to", "index_select", "repeat", "tile", "roll", "flip"],
      ...["fft_fftshift", "fft_ifftshift"],
      ...["split", "split_with_sizes", "chunk", "unbind", "sum", "mean", "zero"],
    ].map((name) => [name, ["self"]]),
  ),
  cat: ["tensors"],
  concat: ["tensors"],
  concatenate: ["tensors"],
  stack: ["tensors"],
  add: ["self", "other"],
  sub: ["self", "other"],
  rsub: ["self", "other"],
  copy: ["self", "src"],
};

/** What a part of the result is made of: the parts of numbers, of all else the thing itself. */
function partOf(
  builder: GraphBuilder,
  part: Part,
  { type }: SchemaParameter,
  value: unknown,
  isNumber: boolean,
): unknown {
  if (type.startsWith("dtype") && value !== undefined) return partDType(value as DType);
  if (!isNumber) return value;
  if (Array.isArray(value))
    return value.map((item) => (isOperand(item) ? partsOf(builder, item)[part] : item));
  if (isOperand(value)) return { ...partsOf(builder, value)[part], isNumber: value.isNumber };
  if (part === "real") return value;
  return typeof value === "number" ? 0 : 0n;
}

function partDType(dtype: DType): DType {
  const own = partType(dtype);
  if (own !== dtype) return own;
  throw new ConvertError("unsupported", `complex numbers become ${dtype} and lose their imaginary parts`);
}

/** The same operator of complex numbers, by what it does to each of their parts. */
function separately(original: OperatorRule): OperatorRule {
  const { schema, scatter } = original;
  const numbers = separable[schema.name] as readonly string[];
  type Args = Parameters<OperatorRule["emit"]>[0];
  const argsOf = (args: Args, part: Part, builder: GraphBuilder): Args =>
    Object.fromEntries(
      schema.parameters.map((own) => [
        own.name,
        partOf(builder, part, own, args[own.name], numbers.includes(own.name)),
      ]),
    ) as Args;
  return {
    ...original,
    numbers: "complex",
    emit(args, builder, context) {
      const written: unknown = args["self" as keyof Args];
      if (schema.name === "copy" && isOperand(written) && !isComplex(written))
        throw new ConvertError("unsupported", "complex numbers are written into real ones");
      const [real, imaginary] = (["real", "imaginary"] as const).map((part) =>
        original.emit(argsOf(args, part, builder), builder, context),
      ) as [RuleResult, RuleResult];
      return joined(real, imaginary);
    },
    scatter:
      scatter &&
      ((args, value, builder, index) => {
        const [real, imaginary] = (["real", "imaginary"] as const).map((part) =>
          scatter(argsOf(args, part, builder), partsOf(builder, value)[part], builder, index),
        ) as [Operand, Operand];
        return complexOf({ real, imaginary });
      }),
  };
}

function joined(real: RuleResult, imaginary: RuleResult): RuleResult {
  if (isOperand(real)) return complexOf({ real, imaginary: imaginary as Operand });
  const others = imaginary as readonly Operand[];
  return real.map((own, index) => complexOf({ real: own, imaginary: others[index] as Operand }));
}

/** `x.to(other)` takes the dtype of a tensor, which may be real. */
function isLike({ name, parameters }: OperatorRule["schema"]): boolean {
  return name === "to" && parameters.some((own) => own.name === "other");
}

/** Operators of complex tensors that are those of real ones for each part. */
export const complexPartRules: readonly OperatorRule[] = [
  ...viewRules,
  ...identityRules,
  ...conversionRules,
  ...joinRules,
  ...repeatingRules,
  ...indexingRules,
  ...maskingRules,
  ...reductionRules,
  ...arithmeticRules,
]
  .filter(({ schema }) => Object.hasOwn(separable, schema.name) && !isLike(schema))
  .map(separately);
