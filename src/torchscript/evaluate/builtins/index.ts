import { isSymbolic, largerOf, type SymbolicDimension, smallerOf } from "../../shapes/dimension.ts";
import { isA, type Value } from "../../values/value.ts";
import { dimensionValue } from "../evaluate-expression.ts";
import { programError } from "../raised.ts";
import type { Builtin } from "./builtin.ts";
import { containerBuiltins } from "./containers.ts";
import { isEqual } from "./equality.ts";
import { numberBuiltins } from "./numbers.ts";
import { quantizedBuiltins } from "./quantized.ts";
import { stackedListBuiltins } from "./stacked-lists.ts";
import { stringBuiltins, textOf } from "./strings.ts";
import { tensorLiteralBuiltins } from "./tensor-literals.ts";
import { tensorBuiltins } from "./tensors.ts";

/** Words of the language that are neither numbers, strings, containers nor tensors. */
const languageBuiltins: readonly (readonly [string, Builtin])[] = [
  ["__is__", ([left, right], machine) => isSame(left as Value, right as Value, machine)],
  ["__isnot__", ([left, right], machine) => !isSame(left as Value, right as Value, machine)],
  [
    "RaiseException",
    ([message], machine) => {
      throw programError(textOf(machine, message ?? null));
    },
  ],
  [
    "warn",
    ([message], machine) => {
      machine.report.warn(textOf(machine, message ?? null));
      return null;
    },
  ],
  ["Print", () => null],
  ["print", () => null],
  ["is_grad_enabled", () => true],
  ["set_grad_enabled", () => null],
  ["is_autocast_enabled", () => false],
  ["is_autocast_cpu_enabled", () => false],
  ["is_scripting", () => true],
  ["is_tracing", () => false],
  ["_profiler_enabled", () => false],
  ["wait", ([value]) => value as Value],
  ["awaitable_wait", ([value]) => value as Value],
  ["device", ([name]) => (typeof name === "string" ? { kind: "device", name } : undefined)],
  ["type", ([device]) => (isA(device, "device") ? (device.name.split(":")[0] as string) : undefined)],
  ["get_default_dtype", () => 6n],
  ["len", ([value]) => lengthOf(value as Value)],
  ["sum", ([list]) => sumOf(list)],
  ["all", ([list]) => truthOf(list, (items) => items.every(isTrue))],
  ["any", ([list]) => truthOf(list, (items) => items.some(isTrue))],
  ["max", ([list]) => extremeOf(list, (a, b) => a > b)],
  ["min", ([list]) => extremeOf(list, (a, b) => a < b)],
];

function isSame(left: Value, right: Value, machine: Parameters<Builtin>[1]): boolean {
  if (left === null || right === null) return left === right;
  if (typeof left === "object" && typeof right === "object" && !isA(left, "device")) return left === right;
  return isEqual(left, right, machine);
}

function lengthOf(value: Value): Value | undefined {
  if (isA(value, "list") && value.stacked !== undefined)
    return dimensionValue(value.stacked.held.shape[0] ?? 0);
  if (isA(value, "list") || isA(value, "tuple")) return BigInt(value.items.length);
  return isA(value, "dict") ? BigInt(value.entries.size) : undefined;
}

/** Of a list of ints, or of floats; bools count as ints. */
function sumOf(list: Value | undefined): Value | undefined {
  if (!isA(list, "list")) return undefined;
  if (list.items.some((item) => typeof item === "number")) {
    const isFloat = list.items.every((item) => typeof item === "number");
    return isFloat ? list.items.reduce<number>((sum, item) => sum + (item as number), 0) : undefined;
  }
  const isWhole = list.items.every((item) => typeof item === "bigint" || typeof item === "boolean");
  return isWhole ? list.items.reduce<bigint>((sum, item) => sum + BigInt(item as bigint), 0n) : undefined;
}

/** Of a list of bools or numbers; of nothing it is what Python says. */
function truthOf(list: Value | undefined, judge: (items: readonly Value[]) => boolean): Value | undefined {
  if (!isA(list, "list")) return undefined;
  const isPlain = (item: Value): boolean => ["bigint", "number", "boolean"].includes(typeof item);
  return list.items.every(isPlain) ? judge(list.items) : undefined;
}

function isTrue(item: Value): boolean {
  return Boolean(item);
}

function extremeOf(list: Value | undefined, wins: (a: number, b: number) => boolean): Value | undefined {
  if (!isA(list, "list") || list.items.length === 0) return undefined;
  const isPlain = (item: Value): boolean => typeof item === "bigint" || typeof item === "number";
  const isInt = (item: Value): item is bigint | SymbolicDimension =>
    typeof item === "bigint" || isSymbolic(item);
  if (list.items.some(isSymbolic) && list.items.every(isInt))
    return dimensionValue(
      list.items
        .map((item) => (typeof item === "bigint" ? Number(item) : item))
        .reduce(wins(1, 0) ? largerOf : smallerOf),
    );
  if (!list.items.every(isPlain)) return undefined;
  return list.items.reduce((best, item) => (wins(item as number, best as number) ? item : best));
}

/** How many arguments words take at least that take more or less than one. */
const leastArguments: ReadonlyMap<string, number> = new Map(
  Object.entries({
    0: "is_grad_enabled is_autocast_enabled is_autocast_cpu_enabled is_scripting is_tracing _profiler_enabled get_default_dtype print Print warn RaiseException dict set_grad_enabled",
    2: "append extend remove index count Delete get __contains__ __getitem__ update __is__ __isnot__ mul join startswith endswith find",
    3: "insert _set_item setdefault __range_length __derive_index replace",
  }).flatMap(([least, words]) => words.split(" ").map((word): [string, number] => [word, Number(least)])),
);

function byName(pairs: readonly (readonly [string, Builtin])[]): ReadonlyMap<string, Builtin> {
  const all = new Map<string, readonly Builtin[]>();
  for (const [name, builtin] of pairs) all.set(name, [...(all.get(name) ?? []), builtin]);
  return new Map(
    [...all].map(([name, candidates]) => [
      name,
      (args, machine, named) => {
        if (args.length < (leastArguments.get(name) ?? 1)) return undefined;
        for (const candidate of candidates) {
          const value = candidate(args, machine, named);
          if (value !== undefined) return value;
        }
        return undefined;
      },
    ]),
  );
}

/** The operators on Python's values by name, without their namespace. */
export const builtins: ReadonlyMap<string, Builtin> = byName([
  ...stackedListBuiltins,
  ...languageBuiltins,
  ...numberBuiltins,
  ...containerBuiltins,
  ...stringBuiltins,
  ...tensorBuiltins,
  ...quantizedBuiltins,
  ...tensorLiteralBuiltins,
]);
