import type { GraphBuilder } from "../emit/graph-builder.ts";
import type { OperatorRule } from "../operators/rule.ts";
import type { Program } from "../program/program.ts";
import type { Report } from "../report.ts";
import type { FunctionValue, ObjectValue, Value } from "../values/value.ts";

/** Arguments of a call, evaluated. */
export interface Arguments {
  readonly positional: readonly Value[];
  readonly named: ReadonlyMap<string, Value>;
}

/** What an evaluation works with; all parts of it see the same one. */
export interface Machine {
  readonly program: Program;
  readonly builder: GraphBuilder;
  readonly report: Report;
  /** `CONSTANTS.cN` of the archive. */
  readonly constants: readonly Value[];
  /** Version of the archive's operators. */
  readonly version: number;
  /** Rules by operator name; several are overloads, tried in order. */
  readonly rules: ReadonlyMap<string, readonly OperatorRule[]>;
  /** Calls a function or closure of the archive. */
  callFunction(callee: FunctionValue, args: Arguments): Value;
  /** Calls a method of an object, with the hooks of a module's `forward`. */
  callMethod(object: ObjectValue, name: string, args: Arguments): Value;
  /** Counts one step against the budget; throws kind `limit` when it is spent. */
  step(): void;
  /** Counts items of lists and characters of strings that the program makes; throws kind `limit` when they are too many. */
  hold(count: number): void;
  /** Told of each operator that is given a tensor of which nothing is known, with what that one came from. */
  watch?: ((operator: string, args: Arguments, subject: string) => void) | undefined;
  /** The modules that are being run, innermost last, by path. */
  readonly modules: string[];
}

/** Arguments without names. */
export function positionalArguments(...positional: readonly Value[]): Arguments {
  return { positional, named: new Map() };
}
