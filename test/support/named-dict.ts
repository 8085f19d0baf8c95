import { type ContextOptions, createContext, type Notice, type RunContext } from "../../src/core/context.ts";
import { type TensorDict, tensorDict } from "../../src/core/dict.ts";
import { bytesSource } from "../../src/core/source.ts";
import type { LazyTensor } from "../../src/core/tensor.ts";

/** A tensor of one byte for each name, and names that stand for others. */
export function namedDict(
  names: readonly string[],
  aliases: Readonly<Record<string, string>> = {},
): TensorDict {
  const tensors = names.map((name, index): [string, LazyTensor] => [
    name,
    { dtype: "U8", shape: [1], payload: bytesSource(name, Uint8Array.of(index % 256)) },
  ]);
  return { ...tensorDict(new Map(tensors)), aliases: new Map(Object.entries(aliases)) };
}

/** A context that collects what it is told. */
export function noticing(options: ContextOptions = {}): {
  readonly context: RunContext;
  readonly notices: Notice[];
} {
  const notices: Notice[] = [];
  return { context: createContext({ ...options, onNotice: (notice) => notices.push(notice) }), notices };
}
