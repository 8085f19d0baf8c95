import { ConvertError } from "../../core/errors.ts";
import type { Operand } from "../emit/operand.ts";
import { staticShape } from "../shapes/dimension.ts";
import { read, type Storage, tensorOf } from "../values/tensor.ts";
import { isA, type ListValue, type Value } from "../values/value.ts";
import type { Slot } from "./slots.ts";
import type { State } from "./state.ts";

/** Lists that were empty before and hold one tensor now. */
export function grownLists(before: State, after: State): readonly ListValue[] {
  return [...before.lists.keys()].filter((list) => {
    const now = after.lists.get(list);
    return before.lists.get(list)?.length === 0 && now?.length === 1 && isA(now[0], "tensor");
  });
}

/**
 * Runs one turn of a loop that appends to a list, which nothing else may be done with meanwhile; gives what it appends.
 * It has to be one tensor, of a shape that is the same in all turns.
 */
export function appendedBy(list: ListValue, turn: () => void): () => Slot {
  const appended: Value[] = [];
  seal(list, "a list is read in a loop of which data decide the turns", (items) => appended.push(...items));
  try {
    turn();
  } finally {
    unseal(list);
  }
  return () => {
    const [item] = appended;
    if (appended.length !== 1 || !isA(item, "tensor"))
      throw new ConvertError(
        "unsupported",
        "a list grows by more or less than a tensor in each turn of a loop",
      );
    const operand = read(item);
    if (staticShape(operand.shape) === undefined)
      throw new ConvertError("unsupported", "a list of tensors of which data decide the shape");
    return { operand, storage: item.storage };
  };
}

/**
 * Makes a list stand for tensors along the first axis of `stacked`. The last of them may be what the loop leaves
 * behind in `others`: where that is written, the list cannot be read any more.
 */
export function stackList(list: ListValue, stacked: Operand, others: readonly Storage[]): void {
  seal(list, "a list is used of which data decide the length");
  list.stacked = tensorOf(stacked);
  for (const other of others) other.perhapsShared.add(list.stacked.storage);
}

function seal(list: ListValue, message: string, push?: (items: readonly Value[]) => void): void {
  const items = new Proxy<Value[]>([], {
    get(_, key) {
      if (key === "push" && push !== undefined) return (...values: readonly Value[]) => push(values);
      throw new ConvertError("unsupported", message);
    },
  });
  Object.defineProperty(list, "items", { value: items, configurable: true });
}

function unseal(list: ListValue): void {
  Object.defineProperty(list, "items", { value: [], configurable: true });
}
