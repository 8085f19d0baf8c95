import { ConvertError } from "../../../core/errors.ts";
import { describe, type Value } from "../../values/value.ts";
import type { Machine } from "../machine.ts";

/**
 * An operator on Python's values, computed at once. `undefined` hands the call on to the rules for tensors, because
 * one name serves both.
 */
export type Builtin = (
  args: readonly Value[],
  machine: Machine,
  named: ReadonlyMap<string, Value>,
) => Value | undefined;

/** Refuses arguments that an operator on Python's values cannot take. */
export function unfit(name: string, args: readonly Value[]): never {
  throw new ConvertError("unsupported", `"${name}" is called with ${args.map(describe).join(" and ")}`);
}
