import type { GraphBuilder } from "../emit/graph-builder.ts";
import type { Operand } from "../emit/operand.ts";
import { type ArgumentsOf, parseSchema, type Schema } from "./schema.ts";

/** What a rule may know beside its arguments. */
export interface RuleContext {
  /** Version of the archive's operators, which decides a few defaults. */
  readonly version: number;
  /** Tells the user something once. */
  warn(message: string): void;
}

/** What a rule gives: one tensor, or several, which become a tuple or the list that the signature says. */
export type RuleResult = Operand | readonly Operand[];

/** How an operator of torch becomes nodes. Arguments have been bound to the signature, so that rules of one name are overloads. */
export interface OperatorRule {
  readonly schema: Schema;
  /** Of which numbers it is: real ones unless this says `complex`, for arguments of which one is complex at least, or `any`. */
  readonly numbers?: "complex" | "any" | undefined;
  emit(args: Readonly<Record<string, never>>, builder: GraphBuilder, context: RuleContext): RuleResult;
  /** What memory the result has: its own, that of the first argument, or perhaps that of the first argument. */
  readonly memory: "own" | "view" | "perhaps";
  /** For a view: the first argument with `value` in the place of the view, of several the one with this index. */
  scatter?:
    | ((
        args: Readonly<Record<string, never>>,
        value: Operand,
        builder: GraphBuilder,
        index: number,
      ) => Operand)
    | undefined;
}

type Emit<S extends string> = (
  args: ArgumentsOf<S>,
  builder: GraphBuilder,
  context: RuleContext,
) => RuleResult;

/** An operator whose result is a new tensor. With it comes the operator in place of the same name and a final `_`. */
export function rule<const S extends string>(signature: S, emit: Emit<S>): OperatorRule {
  return { schema: parseSchema(signature), emit: emit as OperatorRule["emit"], memory: "own" };
}

/** An operator whose result shows the memory of its first argument. Without `scatter` nothing can be written through it. */
export function viewRule<const S extends string>(
  signature: S,
  emit: Emit<S>,
  scatter?: (args: ArgumentsOf<S>, value: Operand, builder: GraphBuilder, index: number) => Operand,
): OperatorRule {
  const schema = parseSchema(signature);
  return {
    schema,
    emit: emit as OperatorRule["emit"],
    memory: "view",
    scatter: scatter as OperatorRule["scatter"],
  };
}

/** An operator that copies or not, by strides that are not followed here. */
export function perhapsViewRule<const S extends string>(signature: S, emit: Emit<S>): OperatorRule {
  return { schema: parseSchema(signature), emit: emit as OperatorRule["emit"], memory: "perhaps" };
}

/** The same rule under other names. */
export function alias(original: OperatorRule, ...names: readonly string[]): readonly OperatorRule[] {
  return names.map((name) => ({ ...original, schema: { ...original.schema, name } }));
}
