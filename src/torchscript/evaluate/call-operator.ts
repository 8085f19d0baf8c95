import type { DType } from "../../core/dtype.ts";
import { ConvertError, isConvertError } from "../../core/errors.ts";
import { cast } from "../emit/arithmetic.ts";
import { expand } from "../emit/layout.ts";
import { isOpaque, type Operand } from "../emit/operand.ts";
import { hasSameSteps } from "../emit/quantized.ts";
import { categories, categoryOf } from "../emit/types.ts";
import { bindRule } from "../operators/bind.ts";
import { adviceOn } from "../operators/creation/random.ts";
import type { OperatorRule, RuleContext, RuleResult } from "../operators/rule.ts";
import { perhapsViewOf, read, type Tensor, tensorOf, viewOf, write } from "../values/tensor.ts";
import { isA, listOf, tupleOf, type Value } from "../values/value.ts";
import { builtins } from "./builtins/index.ts";
import { checkFrozen } from "./frozen.ts";
import type { CodePlace } from "./locate.ts";
import type { Arguments, Machine } from "./machine.ts";

/** Where a call stands, for the report. */
interface Place {
  readonly module: string;
  readonly source: string;
  readonly code: CodePlace;
}

/**
 * Calls an operator: one on Python's values is computed at once, one on tensors adds its nodes. What there is no rule
 * for is noted in the report and gives an opaque tensor, so that one run finds all of them.
 */
export function callOperator(machine: Machine, name: string, args: Arguments, place: Place): Value {
  checkFrozen(name, args.positional);
  const computed = builtins.get(name)?.(args.positional, machine, args.named);
  if (computed !== undefined) return computed;
  const opaque = opaqueAmong([...args.positional, ...args.named.values()]);
  if (opaque !== undefined) {
    if (opaque.origin.kind === "opaque") machine.watch?.(name, args, opaque.origin.operator);
    const isWatched = machine.watch !== undefined;
    return isWatched || hasRule(machine, name) ? tensorOf(opaque) : refuse(machine, name, "", place);
  }
  try {
    const attempt = applyRules(machine, name, args) ?? applyInPlace(machine, name, args);
    if (attempt !== undefined && !("reason" in attempt)) return attempt.value;
    return refuse(machine, name, attempt?.reason ?? adviceOn(name), place);
  } catch (error) {
    // Others, such as shapes that do not fit, are about what the program was given.
    if (!isConvertError(error, "unsupported")) throw error;
    return refuse(machine, name, error.message, place);
  }
}

/** Whether there is a rule for an operator at all; of its arguments nothing may be known. */
function hasRule({ rules }: Machine, name: string): boolean {
  return builtins.has(name) || rules.has(name) || rules.has(nameOfCopy(name) ?? name);
}

function refuse(machine: Machine, name: string, reason: string, place: Place): Tensor {
  machine.report.refuse(name, reason, place);
  return tensorOf({
    kind: "operand",
    dtype: "F32",
    shape: [],
    known: undefined,
    origin: { kind: "opaque", operator: name },
  });
}

/** The first argument of which nothing is known; lists are looked into. */
function opaqueAmong(values: readonly Value[]): Operand | undefined {
  for (const value of values) {
    if (isA(value, "tensor") && value.view === undefined && isOpaque(value.held)) return value.held;
    const inner = isA(value, "list") || isA(value, "tuple") ? opaqueAmong(value.items) : undefined;
    if (inner !== undefined) return inner;
  }
  return undefined;
}

/** The value of an operator, or why no overload takes these arguments; `undefined` where there is no rule at all. */
type Attempt = { readonly value: Value } | { readonly reason: string } | undefined;

function applyRules(machine: Machine, name: string, { positional, named }: Arguments): Attempt {
  const rules = machine.rules.get(name);
  if (rules === undefined) return undefined;
  const reasons: string[] = [];
  for (const rule of rules) {
    const bound = bindRule(rule, positional, named);
    if (bound.fits) return { value: applyRule(machine, rule, bound.args, positional[0]) };
    if (!reasons.includes(bound.reason)) reasons.push(bound.reason);
  }
  return { reason: reasons.join(", or ") };
}

function applyRule(
  machine: Machine,
  rule: OperatorRule,
  args: Readonly<Record<string, unknown>>,
  first: Value | undefined,
): Value {
  const emit = (changed: Readonly<Record<string, unknown>> = {}): RuleResult =>
    rule.emit(
      { ...args, ...changed } as Parameters<OperatorRule["emit"]>[0],
      machine.builder,
      contextOf(machine),
    );
  const result = emit();
  const several = isSeveral(result);
  const operands = several ? result : [result];
  const tensors = operands.map((operand, index) => {
    if (rule.memory === "perhaps") return perhapsView(first, operand, index);
    if (rule.memory === "own" || !isA(first, "tensor")) return tensorOf(operand);
    return viewTensor(machine, rule, args, first, operand, index, emit);
  });
  if (rule.schema.givesList) return listOf([...tensors]);
  return several ? tupleOf(tensors) : (tensors[0] as Tensor);
}

/** What may share the memory of the first argument; of a list, each result that of the tensor in its place. */
function perhapsView(first: Value | undefined, operand: Operand, index: number): Tensor {
  const source = isA(first, "list") || isA(first, "tuple") ? first.items[index] : first;
  // What has another dtype is a copy for sure.
  const isCopy = !isA(source, "tensor") || operand.dtype !== source.held.dtype;
  return isCopy ? tensorOf(operand) : perhapsViewOf(source, operand);
}

function isSeveral(result: RuleResult): result is readonly Operand[] {
  return Array.isArray(result);
}

function viewTensor(
  machine: Machine,
  rule: OperatorRule,
  args: Readonly<Record<string, unknown>>,
  base: Tensor,
  held: Operand,
  index: number,
  emit: (changed: Readonly<Record<string, unknown>>) => RuleResult,
): Tensor {
  const self = rule.schema.parameters[0]?.name as string;
  const { scatter } = rule;
  return viewOf(
    {
      base,
      operator: rule.schema.name,
      derive: (changed) => [emit({ [self]: changed })].flat()[index] as Operand,
      scatter:
        scatter &&
        ((changed, value) =>
          scatter(
            { ...args, [self]: changed } as Parameters<typeof scatter>[0],
            value,
            machine.builder,
            index,
          )),
    },
    held,
  );
}

/** What does the same to a copy: `add` for `add_`, `__and__` for `__iand__`. */
function nameOfCopy(name: string): string | undefined {
  if (/^__i\w+__$/.test(name)) return `__${name.slice(3)}`;
  return name.endsWith("_") && !name.endsWith("__") ? name.slice(0, -1) : undefined;
}

/** `add_` and its like: computes `add` and writes the result where the first argument shows it. */
function applyInPlace(machine: Machine, name: string, { positional, named }: Arguments): Attempt {
  const target = positional[0];
  const copies = nameOfCopy(name);
  if (copies === undefined || !isA(target, "tensor")) return undefined;
  const rules = machine.rules.get(copies);
  if (rules === undefined) return undefined;
  const reasons: string[] = [];
  for (const rule of rules) {
    const bound = bindRule(rule, positional, named);
    if (!bound.fits) {
      reasons.push(bound.reason);
      continue;
    }
    const held = read(target);
    const result = rule.emit(
      bound.args as Parameters<OperatorRule["emit"]>[0],
      machine.builder,
      contextOf(machine),
    );
    if (isSeveral(result)) return { reason: "it has several results" };
    if (rule.memory !== "own" && result !== held)
      return { reason: "it changes in place what the tensor shows, which is not supported" };
    checkWritten(result.dtype, held.dtype, name);
    if (!hasSameSteps(result, held))
      return { reason: "it would give a quantized tensor other steps in place" };
    const value = expand(machine.builder, cast(machine.builder, result, held.dtype), held.shape);
    write(target, value, name);
    return { value: target };
  }
  return { reason: reasons.join(", or ") };
}

/** Torch writes no floats into integers, and nothing but bools into bools, where it computes in place. */
function checkWritten(from: DType, into: DType, name: string): void {
  if (categories.indexOf(categoryOf(from)) <= categories.indexOf(categoryOf(into))) return;
  throw new ConvertError("malformed", `"${name}" would write ${from} into a tensor of ${into}`);
}

function contextOf(machine: Machine): RuleContext {
  return { version: machine.version, warn: machine.report.warn };
}

/** Refuses (kind `unsupported`) an operand of which nothing is known. */
export function requireClear(operand: Operand): Operand {
  if (operand.origin.kind !== "opaque") return operand;
  throw new ConvertError("unsupported", `the operator ${operand.origin.operator} is not supported`);
}
