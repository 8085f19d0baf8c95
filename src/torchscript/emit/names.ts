import { ConvertError } from "../../core/errors.ts";

/** Hands out names that are unique within a graph. */
export interface Names {
  /** Takes a name for an input or an output; throws kind `unsupported` where it is taken. */
  reserve(name: string): void;
  isTaken(name: string): boolean;
  value(stem: string): string;
  node(stem: string): string;
  symbol(stem: string): string;
}

/** No name is taken yet. */
export function createNames(): Names {
  const values = new Set<string>();
  const counts = new Map<string, number>();

  function next(stem: string): string {
    const count = counts.get(stem) ?? 0;
    counts.set(stem, count + 1);
    return count === 0 ? stem : `${stem}_${count}`;
  }

  return {
    reserve(name) {
      if (values.has(name))
        throw new ConvertError("unsupported", `two values of the graph would be called "${name}"`);
      values.add(name);
    },
    isTaken: (name) => values.has(name),
    value(stem) {
      let name = next(`${stem}_output`);
      while (values.has(name)) name = next(`${stem}_output`);
      values.add(name);
      return name;
    },
    node: (stem) => next(stem),
    symbol: (stem) => next(`symbol ${stem}`).slice("symbol ".length),
  };
}
