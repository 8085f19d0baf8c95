import { ConvertError, isConvertError } from "../../core/errors.ts";
import type { Arguments, Machine } from "../evaluate/machine.ts";
import { typeName } from "../evaluate/types.ts";
import { requireClass } from "../program/program.ts";
import type { Dimension, Shape } from "../shapes/dimension.ts";
import { read, tensorOf } from "../values/tensor.ts";
import { isA, type ObjectValue, type Value } from "../values/value.ts";
import { givenBy } from "./argument-types.ts";

/**
 * Throws kind `usage` where parameters have neither a value nor a default. The hint proposes shapes for tensors, by what
 * the program first does with each; nothing is ever taken for granted.
 */
export function requireInputs(machine: Machine, root: ObjectValue, method: string, args: Arguments): void {
  const definition = requireClass(machine.program, root.className).definition.methods.get(method);
  const missing = (definition?.parameters.slice(1) ?? []).filter(
    (parameter) => !args.named.has(parameter.name) && parameter.default === undefined,
  );
  if (missing.length === 0) return;
  const isTensor = (type: (typeof missing)[number]["type"]): boolean =>
    type === undefined || typeName(type) === "Tensor";
  const tensors = missing.filter(({ type }) => isTensor(type)).map(({ name }) => name);
  const uses = firstUses(machine, root, method, args, tensors);
  const words = missing.map(({ name, type }) => givenBy(name, type, uses.get(name)?.shape));
  const reasons = [...uses].map(([name, { operator }]) => `${operator} of ${name}`);
  const names = missing.map(({ name }) => `"${name}"`).join(", ");
  throw new ConvertError(
    "usage",
    `${method} needs ${missing.length === 1 ? "a value" : "values"} for ${names}`,
    {
      hint:
        reasons.length === 0
          ? `give it by ${words.join(" ")}`
          : `going by ${reasons.join(", ")}, it may be ${words.join(" ")}; the extents that the program leaves open are only examples`,
    },
  );
}

interface FirstUse {
  readonly operator: string;
  /** As `--input` takes it. */
  readonly shape: string;
}

/** Runs the program with inputs of which nothing is known, as far as it goes. */
function firstUses(
  machine: Machine,
  root: ObjectValue,
  method: string,
  args: Arguments,
  names: readonly string[],
): ReadonlyMap<string, FirstUse> {
  const decided = new Map<string, FirstUse | undefined>();
  machine.watch = (operator, given, subject) => {
    const name = subject.startsWith(inputMark) ? subject.slice(inputMark.length) : undefined;
    if (name === undefined || decided.has(name) || keepsShape.test(operator)) return;
    const shape = proposals[operator.replace(/_$/, "")]?.(given.positional);
    decided.set(name, shape === undefined ? undefined : { operator, shape });
  };
  const unknown = names.map((name): [string, Value] => {
    const origin = { kind: "opaque", operator: `${inputMark}${name}` } as const;
    return [name, tensorOf({ kind: "operand", dtype: "F32", shape: [], known: undefined, origin })];
  });
  try {
    machine.callMethod(root, method, { ...args, named: new Map([...args.named, ...unknown]) });
  } catch (error) {
    // It gets as far as it gets.
    if (!isConvertError(error)) throw error;
  } finally {
    machine.watch = undefined;
  }
  return new Map([...decided].filter((entry): entry is [string, FirstUse] => entry[1] !== undefined));
}

const inputMark = "input ";

/** Operators after which a tensor has the shape that it had. */
const keepsShape =
  /^(relu|to|contiguous|detach|clone|float|add|sub|mul|div|dropout|type_as|alias|neg|sigmoid|tanh)_?$/;

type Propose = (args: readonly Value[]) => string | undefined;

const spatial: Readonly<Record<number, string>> = { 1: "1000", 2: "224,224", 3: "16,112,112" };

/** The shape of an argument that is a tensor, of a list that of its first. */
function shapeOf(value: Value | undefined): Shape | undefined {
  if (isA(value, "list")) return shapeOf(value.items[0]);
  return isA(value, "tensor") ? read(value).shape : undefined;
}

function images(channels: Dimension | undefined, rank: number): string | undefined {
  const extents = spatial[rank];
  return typeof channels === "number" && extents ? `1,${channels},${extents}` : undefined;
}

/** A convolution; where it is transposed, the weight has the input's channels first. */
function convolution(groupsAt: number, isTransposed: (args: readonly Value[]) => boolean): Propose {
  return (args) => {
    const weight = shapeOf(args[1]);
    if (weight === undefined) return undefined;
    const groups = Number(args[groupsAt] ?? 1n);
    const channels = isTransposed(args) ? weight[0] : Number(weight[1]) * groups;
    return images(channels, weight.length - 2);
  };
}

const features = (extent: Dimension | undefined, ...others: readonly number[]): string | undefined =>
  typeof extent === "number" ? [...others, extent].join(",") : undefined;

const recurrent: Propose = (args) => {
  const width = shapeOf(args[2])?.[1];
  return args[8] === true ? features(width, 1, 16) : features(width, 16, 1);
};

const plain = convolution(6, () => false);
const turned = convolution(6, () => true);

const proposals: Readonly<Record<string, Propose | undefined>> = {
  conv1d: plain,
  conv2d: plain,
  conv3d: plain,
  conv_transpose1d: turned,
  conv_transpose2d: turned,
  conv_transpose3d: turned,
  _convolution: convolution(8, (args) => args[6] === true),
  linear: ([, weight]) => features(shapeOf(weight)?.[1], 1),
  matmul: ([, weight]) => features(shapeOf(weight)?.[0], 1),
  addmm: ([, , weight]) => features(shapeOf(weight)?.[0], 1),
  embedding: () => "1,16:i64",
  lstm: recurrent,
  gru: recurrent,
  rnn_tanh: recurrent,
  rnn_relu: recurrent,
};
