import { ConvertError } from "../../core/errors.ts";
import {
  type Dimension,
  dimensionText,
  hintOf,
  isSameDimension,
  type Shape,
  shapeText,
} from "./dimension.ts";

/** What has been taken for granted about symbolic sizes, so that the graph is right only where it holds. */
export interface Guards {
  /** Sentences such as `H == W`, each once, in order. */
  readonly texts: readonly string[];
  /** Decides a comparison by the example's sizes, and records it. Throws kind `unsupported` where only data tell. */
  decide(left: Dimension, operator: Comparison, right: Dimension): boolean;
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
      if (a === undefined || b === undefined)
        throw dependsOnData(`${dimensionText(left)} ${operator} ${dimensionText(right)}`);
      const holds = compare[operator](a, b);
      note(`${dimensionText(left)} ${holds ? operator : opposite[operator]} ${dimensionText(right)}`);
      return holds;
    },
    settle(dimension, why) {
      if (typeof dimension === "number") return dimension;
      if (dimension.hint === undefined) throw dependsOnData(`${why}, ${dimensionText(dimension)},`);
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
        const a = at(left, axis);
        const b = at(right, axis);
        if (a === 1) return b;
        if (b === 1 || isSameDimension(a, b)) return a;
        if (guards.decide(a, "==", b)) return typeof a === "number" ? a : b;
        if (guards.decide(a, "==", 1)) return b;
        if (guards.decide(b, "==", 1)) return a;
        throw new ConvertError(
          "malformed",
          `shapes ${shapeText(left)} and ${shapeText(right)} do not broadcast`,
        );
      });
    },
  };
  return guards;
}

function dependsOnData(what: string): ConvertError {
  return new ConvertError("unsupported", `${what} depends on data, and has to be known to make a graph`);
}
