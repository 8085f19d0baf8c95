import type { DType } from "../../core/dtype.ts";
import type { Operand } from "../emit/operand.ts";
import type { QuantizedOperand } from "../emit/quantized.ts";
import type { Dimension } from "../shapes/dimension.ts";
import type { Scalar, TensorOrScalar } from "../values/promotion.ts";
import type { PackedLayer } from "../values/value.ts";

/**
 * What an argument is to a rule, by the word that its signature has for it. `SymInt` takes sizes that may depend on the
 * inputs, `int` only what is known; `Tensor` is never quantized, `Quantized` always; `int[2]` repeats a single int; `any` takes what does not matter to a graph.
 */
interface ArgumentTypes {
  readonly Tensor: Operand;
  readonly "Tensor?": Operand | undefined;
  readonly "Tensor[]": readonly Operand[];
  readonly "Tensor?[]": readonly (Operand | undefined)[];
  readonly "Tensor|Scalar": TensorOrScalar;
  readonly Quantized: QuantizedOperand;
  readonly "Quantized[]": readonly QuantizedOperand[];
  readonly Packed: PackedLayer;
  readonly Scalar: Scalar;
  readonly "Scalar?": Scalar | undefined;
  readonly int: number;
  readonly "int?": number | undefined;
  readonly "int[]": readonly number[];
  readonly "int[]?": readonly number[] | undefined;
  readonly "int[1]?": readonly number[] | undefined;
  readonly "int[1]": readonly number[];
  readonly "int[2]": readonly number[];
  readonly "int[3]": readonly number[];
  readonly SymInt: Dimension;
  readonly "SymInt?": Dimension | undefined;
  readonly "SymInt[]": readonly Dimension[];
  readonly "SymInt[]?": readonly Dimension[] | undefined;
  readonly "SymInt[1]": readonly Dimension[];
  readonly "SymInt[2]": readonly Dimension[];
  readonly "SymInt[3]": readonly Dimension[];
  readonly float: number;
  readonly "float?": number | undefined;
  readonly "float[]": readonly number[];
  readonly "float[]?": readonly number[] | undefined;
  readonly bool: boolean;
  readonly "bool?": boolean | undefined;
  readonly "bool[]": readonly boolean[];
  readonly str: string;
  readonly "str?": string | undefined;
  readonly dtype: DType;
  readonly "dtype?": DType | undefined;
  readonly any: unknown;
}

/** The words for types in signatures. */
export type ArgumentType = keyof ArgumentTypes;

type Split<S extends string> = S extends `${infer First}, ${infer Rest}`
  ? First | Split<Rest>
  : S extends ""
    ? never
    : S;

type NameOf<P> = P extends `${string} ${infer N}=${string}`
  ? N
  : P extends `${string} ${infer N}`
    ? N
    : never;

type TypeOf<P> = P extends `${infer T} ${string}`
  ? T extends ArgumentType
    ? ArgumentTypes[T]
    : { readonly error: `unknown type ${T}` }
  : never;

/** The arguments that a rule of this signature is given, by name. */
export type ArgumentsOf<S extends string> = S extends `${string}(${infer P})${string}`
  ? { readonly [F in Exclude<Split<P>, "*"> as NameOf<F>]: TypeOf<F> }
  : never;

/** A parameter of an operator. */
export interface SchemaParameter {
  readonly name: string;
  readonly type: ArgumentType;
  /** As it is written; `undefined` where the argument must be given. */
  readonly default: string | undefined;
  /** Whether it can only be given by name, as those after `*`. */
  readonly isNamed: boolean;
}

/** A parsed signature. */
export interface Schema {
  /** As the program has it, without `torch.`: `conv2d`, `torchvision::nms`. */
  readonly name: string;
  readonly parameters: readonly SchemaParameter[];
  /** Whether the results form a list; several results are a tuple otherwise. */
  readonly givesList: boolean;
}

/**
 * Parses a signature such as `add(Tensor self, Tensor|Scalar other, *, Scalar alpha=1)`, or with ` -> Tensor[]` where
 * the results form a list. It is written by us: a broken one is a bug and throws a plain error.
 */
export function parseSchema(signature: string): Schema {
  const match = /^([\w:.]+)\(([^)]*)\)( -> Tensor\[\])?$/.exec(signature);
  if (match === null) throw new Error(`broken signature: ${signature}`);
  const [, name, list, result] = match;
  const parts = list === "" ? [] : (list as string).split(", ");
  const star = parts.indexOf("*");
  const parameters = parts
    .filter((part) => part !== "*")
    .map((part, index): SchemaParameter => {
      const field = /^(\S+) (\w+)(?:=(.*))?$/.exec(part);
      if (field === null) throw new Error(`broken parameter "${part}" in ${signature}`);
      return {
        type: field[1] as ArgumentType,
        name: field[2] as string,
        default: field[3],
        isNamed: star >= 0 && index >= star,
      };
    });
  return { name: name as string, parameters, givesList: result !== undefined };
}
