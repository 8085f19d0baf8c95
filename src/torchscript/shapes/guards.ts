import { ConvertError } from "../../core/errors.ts";
import {
  boundsOf,
  type Dimension,
  dimensionText,
  hintOf,
  isFromData,
  isSameDimension,
  largerOf,
  multiplyDimensions,
  type Shape,
  shapeText,
  smallerOf,
  subtractDimensions,
} from "./dimension.ts";

/** What has been taken for granted about symbolic sizes, so that the graph is right only where it holds. */
export interface Guards {
  /** Sentences such as `H == W`, each once, in order. */
  readonly texts: readonly string[];
  /** Decides a comparison by the example's sizes, and records it. Throws kind `unsupported` where only data tell. */
  decide(left: Dimension, operator: Comparison, right: Dimension): boolean;
  /** Decides a comparison as `decide` does, but gives `undefined` where only data tell. */
  attempt(left: Dimension, operator: Comparison, right: Dimension): boolean | undefined;
  /** Whether a comparison holds, or may hold: what only data tell is left to the runtime to refuse. */
  permits(left: Dimension, operator: Comparison, right: Dimension): boolean;
  /** Records what else has been taken for granted. */
  assume(text: string): void;
  /** The number that a size is; throws kind `unsupported` where it is symbolic, since the graph would be right for one size only. */
  settle(dimension: Dimension, why: string): number;
  /** The shape that two shapes broadcast to; throws kind `malformed` where they do not. */
  broadcast(left: Shape, right: Shape): Shape;
}

/** A comparison of two integers. */
export type Comparison = "==" | "!=" | "<" | "<=" | ">" | ">=";

const compare: Readonly<Record<Comparison, (left: number, right: number) => boolean>> = {
  "==": (left, right) => left === right,
  "!=": (left, right) => left !== right,
  "<": (left, right) => left < right,
  "<=": (left, right) => left <= right,
  ">": (left, right) => left > right,
  ">=": (left, right) => left >= right,
};

const opposite: Readonly<Record<Comparison, Comparison>> = {
  "==": "!=",
  "!=": "==",
  "<": ">=",
  "<=": ">",
  ">": "<=",
  ">=": "<",
};

/** Nothing taken for granted yet. */
export function createGuards(): Guards {
  const texts: string[] = [];
  const note = (text: string): void => {
    if (!texts.includes(text)) texts.push(text);
  };

  const guards: Guards = {
    texts,
    decide(left, operator, right) {
      if (isSameDimension(left, right)) return compare[operator](0, 0);
      if (typeof left === "number" && typeof right === "number") return compare[operator](left, right);
      const a = hintOf(left);
      const b = hintOf(right);
      if (a === undefined || b === undefined) {
        const proven = provenBy(left, operator, right);
        if (proven !== undefined) return proven;
        throw dependsOnData(`whether ${briefText(left)} ${operator} ${briefText(right)}`);
      }
      const proven = provenBy(left, operator, right);
      if (proven !== undefined) return proven;
      const holds = compare[operator](a, b);
      note(sentence(left, holds ? operator : opposite[operator], right));
      return holds;
    },
    attempt(left, operator, right) {
      const isOpen = isFromData(left) || isFromData(right);
      if (!isOpen || isSameDimension(left, right)) return guards.decide(left, operator, right);
      return provenBy(left, operator, right);
    },
    permits: (left, operator, right) => guards.attempt(left, operator, right) ?? true,
    assume: note,
    settle(dimension, why) {
      if (typeof dimension === "number") return dimension;
      if (dimension.hint === undefined) throw dependsOnData(`${why}, ${briefText(dimension)},`);
      throw new ConvertError(
        "unsupported",
        `${why} has to be one number, and is ${dimensionText(dimension)}`,
        {
          hint: "give the inputs numbers in the place of names",
        },
      );
    },
    broadcast(left, right) {
      const rank = Math.max(left.length, right.length);
      const at = (shape: Shape, axis: number): Dimension => shape[axis - (rank - shape.length)] ?? 1;
      return Array.from({ length: rank }, (_, axis) => {
        const extent = broadcastExtent(guards, at(left, axis), at(right, axis));
        if (extent !== undefined) return extent;
        throw new ConvertError(
          "malformed",
          `shapes ${shapeText(left)} and ${shapeText(right)} do not broadcast`,
        );
      });
    },
  };
  return guards;
}

const mirrored: Readonly<Record<Comparison, Comparison>> = {
  "==": "==",
  "!=": "!=",
  "<": ">",
  "<=": ">=",
  ">": "<",
  ">=": "<=",
};

/** `N > 4`; a number stands on the right, so that what is the same reads the same. */
function sentence(left: Dimension, operator: Comparison, right: Dimension): string {
  const turns = typeof left === "number";
  const [first, second] = turns ? [right, left] : [left, right];
  return `${dimensionText(first)} ${turns ? mirrored[operator] : operator} ${dimensionText(second)}`;
}

/** `undefined` where two extents do not broadcast. */
function broadcastExtent(guards: Guards, a: Dimension, b: Dimension): Dimension | undefined {
  if (a === 1) return b;
  if (b === 1 || isSameDimension(a, b)) return a;
  if (guards.attempt(a, "==", b) === undefined) return broadcastByData(a, b);
  if (guards.decide(a, "==", b)) return typeof a === "number" ? a : b;
  if (guards.decide(a, "==", 1)) return b;
  return guards.decide(b, "==", 1) ? a : undefined;
}

/** What the bounds of two sizes say of a comparison; `undefined` where they leave it open. */
function provenBy(left: Dimension, operator: Comparison, right: Dimension): boolean | undefined {
  const { least, most } = boundsOf(subtractDimensions(left, right));
  const [low, high] = [compare[operator](least, 0), compare[operator](most, 0)];
  if (least === most) return low;
  if (operator === "==" || operator === "!=") return least > 0 || most < 0 ? operator === "!=" : undefined;
  return low === high ? low : undefined;
}

/** What two extents broadcast to where only the runtime knows whether they are equal or one of them is 1. */
function broadcastByData(left: Dimension, right: Dimension): Dimension {
  if (typeof left === "number") return left;
  if (typeof right === "number") return right;
  // Beside an extent of 0, the other one may be 1.
  const isAny = smallerOf(smallerOf(left, right), 1);
  return multiplyDimensions(largerOf(left, right), isAny);
}

/** Sizes that were computed at length say nothing to people. */
function briefText(dimension: Dimension): string {
  const text = dimensionText(dimension);
  return text.length > 40 ? "a computed size" : text;
}

function dependsOnData(what: string): ConvertError {
  return new ConvertError("unsupported", `${what} depends on data, and has to be known to make a graph`);
}
