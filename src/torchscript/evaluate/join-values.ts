import type { DType } from "../../core/dtype.ts";
import { ConvertError } from "../../core/errors.ts";
import { number } from "../emit/arithmetic.ts";
import type { Draft, GraphBuilder } from "../emit/graph-builder.ts";
import { constant, isOpaque, type Operand } from "../emit/operand.ts";
import {
  boundsOf,
  type Dimension,
  isFromData,
  isSameDimension,
  isSameShape,
  isSymbolic,
  type Shape,
} from "../shapes/dimension.ts";
import { scalarType } from "../values/promotion.ts";
import { read, type Storage, type Tensor, tensorOf } from "../values/tensor.ts";
import { type DictValue, describe, isA, listOf, type PoisonValue, type Value } from "../values/value.ts";
import { freeze } from "./frozen.ts";

/** What a node with branches gives where they differ: the operands to choose from, and what becomes of the chosen one. */
interface Choice {
  readonly left: Operand;
  readonly right: Operand;
  take(chosen: Operand): void;
}

/** Collects what two branches leave behind and differs, until the node is made that chooses. */
export interface Joiner {
  /** The value of both branches as one; tensors in it are filled in by `finish`. */
  join(left: Value, right: Value): Value;
  /** What a tensor holds after both branches. */
  joinHeld(left: Operand, right: Operand, take: (chosen: Operand) => void): void;
  /** Why a value cannot be used from here on, if one cannot. */
  readonly conflict: string | undefined;
  /** Makes the node; `emit` gives the results for operands of both branches, which are of these dtypes and shapes. */
  finish(
    emit: (
      lefts: readonly Operand[],
      rights: readonly Operand[],
      types: readonly { readonly dtype: Operand["dtype"]; readonly shape: Shape }[],
    ) => readonly Operand[],
  ): void;
}

/** One side of a joiner: the nodes of a branch, and what a tensor holds at its end. */
export interface Side {
  readonly draft: Draft;
  read(tensor: Tensor): Operand;
}

/** Joins what two branches have made; `isOld` tells the lists and dicts that were there before them. */
export function createJoiner(
  builder: GraphBuilder,
  left: Side,
  right: Side,
  isOld: (value: Value) => boolean,
): Joiner {
  const [leftDraft, rightDraft] = [left.draft, right.draft];
  const readLeft = (tensor: Tensor): Operand => leftDraft.run(() => left.read(tensor));
  const readRight = (tensor: Tensor): Operand => rightDraft.run(() => right.read(tensor));
  const choices: Choice[] = [];
  let conflict: string | undefined;
  const joinedBy = new Map<Storage, Tensor[]>();

  /** What is written to one of those that may share memory makes the others unreadable. */
  function share(joined: Tensor, storage: Storage): void {
    const earlier = joinedBy.get(storage) ?? [];
    for (const other of [storage, ...earlier.map((tensor) => tensor.storage)]) {
      other.perhapsShared.add(joined.storage);
      joined.storage.perhapsShared.add(other);
    }
    joinedBy.set(storage, [...earlier, joined]);
  }

  function choose(left: Operand, right: Operand, take: (chosen: Operand) => void): void {
    choices.push({ left, right, take });
  }

  function joinTensors(left: Tensor, right: Tensor): Value {
    const [a, b] = [readLeft(left), readRight(right)];
    if (isOpaque(a) || isOpaque(b)) return tensorOf(isOpaque(a) ? a : b);
    const why = differenceOf(a, b);
    if (why !== undefined) return unusable(why);
    const joined = tensorOf(a);
    const isNumber = a.isNumber && b.isNumber;
    if (!isSameOperand(a, b))
      choose(a, b, (chosen) => Object.assign(joined, { held: { ...chosen, isNumber } }));
    share(joined, left.storage);
    if (right.storage !== left.storage) share(joined, right.storage);
    return joined;
  }

  function joinNumbers(left: Value, right: Value): Value | undefined {
    const [a, b] = [numberOperand(left), numberOperand(right)];
    if (a === undefined || b === undefined || a.dtype !== b.dtype) return undefined;
    const joined = tensorOf({ ...a, isNumber: true });
    choose(a, b, (chosen) => Object.assign(joined, { held: { ...chosen, isNumber: true } }));
    return joined;
  }

  /** Of a value that only one branch sets, the other gives anything of its type. */
  function joinPoison(value: Value, isLeft: boolean): Value {
    if (isSymbolic(value)) return joinWhole(isLeft ? value : 0n, isLeft ? 0n : value) as Value;
    if (isA(value, "tuple")) return { ...value, items: value.items.map((item) => joinPoison(item, isLeft)) };
    if (isA(value, "list")) return listOf(value.items.map((item) => joinPoison(item, isLeft)));
    return isA(value, "tensor") ? joinBlank(value, isLeft) : value;
  }

  function joinBlank(value: Tensor, isLeft: boolean): Value {
    const held = isLeft ? readLeft(value) : readRight(value);
    if (isOpaque(held)) return value;
    const shape = held.shape.map((extent) => (isFromData(extent) ? 0 : extent));
    const filler = (isLeft ? rightDraft : leftDraft).run(() => blankOf(builder, held.dtype, shape));
    const joined = tensorOf(held);
    const [a, b] = isLeft ? [held, filler] : [filler, held];
    choose(a, b, (chosen) => Object.assign(joined, { held: chosen }));
    share(joined, value.storage);
    return joined;
  }

  function joinItems(left: readonly Value[], right: readonly Value[]): Value[] | undefined {
    if (left.length !== right.length) return undefined;
    return left.map((item, index) => joiner.join(item, right[index] as Value));
  }

  function joinDicts(left: DictValue, right: DictValue): Value | undefined {
    const keys = [...left.entries.keys()];
    if (keys.length !== right.entries.size || !keys.every((key) => right.entries.has(key))) return undefined;
    const entries = [...left.entries].map(([key, [own, value]]) => {
      const other = right.entries.get(key)?.[1] as Value;
      return [key, [own, joiner.join(value, other)] as const] as const;
    });
    return chosenOf(left, right, { kind: "dict", entries: new Map(entries) });
  }

  function unusable(reason: string): PoisonValue {
    conflict ??= reason;
    return { kind: "poison", reason };
  }

  function joinContainers(left: Value, right: Value): Value | undefined {
    if (isA(left, "tuple") && isA(right, "tuple") && left.className === right.className) {
      const items = joinItems(left.items, right.items);
      return items && { ...left, items };
    }
    if (isA(left, "dict") && isA(right, "dict")) return joinDicts(left, right);
    if (!isA(left, "list") || !isA(right, "list")) return undefined;
    const items = joinItems(left.items, right.items);
    return items && chosenOf(left, right, listOf(items));
  }

  /** What was there before the branches is seen by others, who would have to see what becomes of the chosen one. */
  function chosenOf(left: Value, right: Value, chosen: Value): Value {
    if (isOld(left) || isOld(right)) freeze(left, right, chosen);
    return chosen;
  }

  const joiner: Joiner = {
    get conflict() {
      return conflict;
    },
    join(left, right) {
      if (isSame(left, right)) return left;
      if (isA(left, "poison")) return left.reason === undefined ? joinPoison(right, false) : left;
      if (isA(right, "poison")) return right.reason === undefined ? joinPoison(left, true) : right;
      if (isA(left, "tensor") && isA(right, "tensor")) return joinTensors(left, right);
      return (
        joinContainers(left, right) ??
        joinWhole(left, right) ??
        joinNumbers(left, right) ??
        unusable(twoSided(left, right))
      );
    },
    joinHeld(left, right, take) {
      const why = differenceOf(left, right);
      if (why !== undefined) throw new ConvertError("unsupported", `a tensor is written, and then is ${why}`);
      choose(left, right, take);
    },
    finish(emit) {
      if (choices.length === 0) return;
      const types = choices.map(({ left, right }) => ({
        dtype: left.dtype,
        shape: left.shape.map((extent, axis) => joinedExtent(extent, right.shape[axis] as Dimension)),
      }));
      const made = emit(
        choices.map(({ left }) => left),
        choices.map(({ right }) => right),
        types,
      );
      for (const [index, { left, right, take }] of choices.entries()) {
        const chosen = made[index] as Operand;
        take({ ...chosen, shape: settledShape(builder, chosen, left.shape, right.shape) });
      }
    },
  };

  /** Ints become a size that only data tell. */
  function joinWhole(left: Value, right: Value): Value | undefined {
    const isInt = (value: Value): value is bigint => typeof value === "bigint" || isSymbolic(value);
    if (!isInt(left) || !isInt(right)) return undefined;
    const [a, b] = [left, right].map((value) => (typeof value === "bigint" ? Number(value) : value));
    const bounds = [a as Dimension, b as Dimension].map(boundsOf);
    const source = { operand: constant("I64", [], [0]), axis: undefined };
    const joined = builder.sizeFromData(source, {
      least: Math.min(...bounds.map(({ least }) => least)),
      most: Math.max(...bounds.map(({ most }) => most)),
    });
    choose(constant("I64", [], [a as Dimension]), constant("I64", [], [b as Dimension]), (chosen) =>
      builder.define(joined.key, { operand: chosen, axis: undefined }),
    );
    return joined;
  }
  return joiner;
}

/** The extents of what was chosen: where the branches differ, the result itself tells. */
function settledShape(builder: GraphBuilder, chosen: Operand, left: Shape, right: Shape): Shape {
  return left.map((extent, axis) => {
    const other = right[axis] as Dimension;
    if (isSameDimension(extent, other)) return extent;
    const [a, b] = [boundsOf(extent), boundsOf(other)];
    return builder.sizeFromData(
      { operand: chosen, axis },
      { least: Math.max(0, Math.min(a.least, b.least)), most: Math.max(a.most, b.most) },
    );
  });
}

/** Whether two values are one for every program, without a look into containers. */
function isSame(left: Value, right: Value): boolean {
  if (Object.is(left, right)) return true;
  if (isSymbolic(left) && isSymbolic(right)) return isSameDimension(left, right);
  if (isA(left, "device") && isA(right, "device")) return left.name === right.name;
  return isA(left, "function") && isA(right, "function") && left.definition === right.definition;
}

function joinedExtent(left: Dimension, right: Dimension): Dimension {
  return isSameDimension(left, right) ? left : -1;
}

function blankOf(builder: GraphBuilder, dtype: DType, shape: Shape): Operand {
  const sizes = constant("I64", [shape.length], shape);
  return builder.node("Expand", [number(dtype, 0), sizes], { dtype, shape });
}

function isSameOperand(left: Operand, right: Operand): boolean {
  if (left === right) return true;
  const { origin, known } = left;
  if (known && right.known && isSameShape(left.shape, right.shape))
    return known.every((item, index) => isSameDimension(item, right.known?.[index] as Dimension));
  if (origin.kind === "constant" || right.origin.kind !== origin.kind) return false;
  return "name" in origin && "name" in right.origin && origin.name === right.origin.name;
}

function differenceOf(left: Operand, right: Operand): string | undefined {
  if (left.dtype !== right.dtype) return `${left.dtype} or ${right.dtype}, of which data decide`;
  if (left.shape.length === right.shape.length) return undefined;
  return `of ${left.shape.length} or ${right.shape.length} dimensions, of which data decide`;
}

function numberOperand(value: Value): Operand | undefined {
  if (typeof value === "number" || typeof value === "boolean")
    return constant(scalarType(value), [], [Number(value)]);
  return isA(value, "tensor") && read(value).shape.length === 0 ? read(value) : undefined;
}

function twoSided(left: Value, right: Value): string {
  return `${describe(left)} or ${describe(right)}, of which data decide`;
}
