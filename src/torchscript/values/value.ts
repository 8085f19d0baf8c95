import type { Operand } from "../emit/operand.ts";
import type { QuantizedOperand } from "../emit/quantized.ts";
import type { FunctionDefinition } from "../language/syntax.ts";
import type { SymbolicDimension } from "../shapes/dimension.ts";
import type { Tensor } from "./tensor.ts";

/**
 * A value of the program while it is evaluated. Python's ints are bigint and its floats number, so that `1` and `1.0`
 * stay apart; a size that depends on the graph's inputs is a symbolic dimension and counts as an int.
 */
export type Value =
  | null
  | boolean
  | bigint
  | number
  | string
  | SymbolicDimension
  | Tensor
  | ListValue
  | TupleValue
  | DictValue
  | ObjectValue
  | FunctionValue
  | DeviceValue
  | EnumValue
  | PackedValue
  | PoisonValue;

/** A list; shared by all who hold it, as in Python. */
export interface ListValue {
  readonly kind: "list";
  readonly items: Value[];
  /** Its tensors along a first axis, where only data tell how many there are; `items` cannot be read then. */
  stacked?: Tensor | undefined;
}

/** A tuple; of a NamedTuple also its class and the names of its fields. */
export interface TupleValue {
  readonly kind: "tuple";
  readonly items: readonly Value[];
  readonly className?: string | undefined;
  readonly fields?: readonly string[] | undefined;
}

/** A dict, in the order of insertion; keys are what `dictKey` makes of them. */
export interface DictValue {
  readonly kind: "dict";
  readonly entries: Map<unknown, readonly [key: Value, value: Value]>;
}

/** An object of a class of the archive: a module, or one that the program makes. */
export interface ObjectValue {
  readonly kind: "object";
  /** Qualified: `__torch__.net.Net`. */
  readonly className: string;
  /** Where it stands in the module tree, dotted; `""` for the root and for objects outside. */
  readonly path: string;
  readonly attributes: Map<string, Value>;
}

/** A function of the archive by its qualified name, or a closure with what it captured. */
export interface FunctionValue {
  readonly kind: "function";
  readonly definition: FunctionDefinition;
  /** The source file, for messages. */
  readonly file: string;
  readonly captured?: ReadonlyMap<string, Value> | undefined;
}

/** A torch.device by its text. Everything here is computed where the runtime likes. */
export interface DeviceValue {
  readonly kind: "device";
  readonly name: string;
}

/** A member of an Enum. */
export interface EnumValue {
  readonly kind: "enum";
  readonly className: string;
  readonly name: string;
  readonly value: Value;
}

/** An object of libtorch that holds what a quantized layer computes with. */
export interface PackedValue {
  readonly kind: "packed";
  /** What it holds. Throws kind `unsupported` where that is not read. */
  layer(): PackedLayer;
}

/** The parameters of a quantized layer; a linear one has no numbers for axes. */
export interface PackedLayer {
  readonly weight: QuantizedOperand;
  readonly bias: Operand | undefined;
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
}

/** A variable that no path assigns before it is read: legal to hand on, never to use. */
export interface PoisonValue {
  readonly kind: "poison";
  /** Why no graph can have it, for a value that data choose. */
  readonly reason?: string | undefined;
}

/** A list of these items, which it owns. */
export function listOf(items: Value[]): ListValue {
  return { kind: "list", items };
}

/** Gives a list other items, which may be many. */
export function refillList({ items }: ListValue, others: readonly Value[]): void {
  items.splice(0);
  for (const other of others) items.push(other);
}

/** A tuple of these items. */
export function tupleOf(items: readonly Value[]): TupleValue {
  return { kind: "tuple", items };
}

/** Narrows to one of the records above. */
export function isA<K extends Exclude<Value, null | boolean | bigint | number | string>["kind"]>(
  value: Value | undefined,
  kind: K,
): value is Extract<Value, { kind: K }> {
  return typeof value === "object" && value !== null && value.kind === kind;
}

/** What a value is, for people: `an int`, `a Tensor`, `a list of 3`. */
export function describe(value: Value): string {
  if (value === null) return "None";
  switch (typeof value) {
    case "boolean":
      return "a bool";
    case "bigint":
      return "an int";
    case "number":
      return "a float";
    case "string":
      return "a string";
    default:
      return describeRecord(value);
  }
}

function describeRecord(value: Exclude<Value, null | boolean | bigint | number | string>): string {
  switch (value.kind) {
    case "symbolic":
      return `the size ${value.key}`;
    case "tensor":
      return "a Tensor";
    case "list":
    case "tuple":
      if (isA(value, "list") && value.stacked !== undefined) return "a list of which data decide the length";
      return `a ${value.kind} of ${value.items.length}`;
    case "dict":
      return `a dict of ${value.entries.size}`;
    case "object":
      return `an object of ${value.className}`;
    case "function":
      return `the function ${value.definition.name}`;
    case "enum":
      return `${value.className}.${value.name}`;
    case "packed":
      return "the parameters of a quantized layer";
    default:
      if (value.kind === "poison") return value.reason ?? "a value that was never set";
      return `the device ${value.name}`;
  }
}
