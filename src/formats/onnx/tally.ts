import type { RunContext } from "../../core/context.ts";
import { checkLimit } from "../../core/limits.ts";

/** Counts what a model makes us keep, so that a small file cannot make much of little. Throws kind `limit`. */
export interface Tally {
  /** One more node, tensor, attribute, name or other thing that is kept. */
  add(): void;
  /** So many more bytes of text. */
  addText(characters: number): void;
}

/** Bounds of one file: limit `entries` for each graph's worth of things, `headerBytes` for all text together. */
export function createTally(file: string, { limits }: RunContext): Tally {
  let things = 0;
  let characters = 0;
  return {
    add() {
      if (++things > limits.entries * thingsPerEntry) {
        const entries = Math.ceil(things / thingsPerEntry);
        checkLimit(limits, "entries", entries, "nodes and tensors of the graph", { file });
      }
    },
    addText(count) {
      characters += count;
      if (characters > limits.headerBytes)
        checkLimit(limits, "headerBytes", characters, "names and texts of the graph", { file });
    },
  };
}

/** A node has attributes, and names of inputs and outputs; a tensor has extents. */
const thingsPerEntry = 4;
