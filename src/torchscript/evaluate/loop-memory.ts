import type { Storage } from "../values/tensor.ts";
import type { Slot } from "./slots.ts";

/** What is known of the memory of slots. */
interface SharedSlots {
  /** Slots that may show the same memory: `slot:slot`. */
  readonly shared: Set<string>;
  /** Slots whose first value a turn writes in place before it sets another one. */
  readonly spoilt: ReadonlySet<number>;
}

/** Why memory cannot be read any more. */
export const spoiltMemory =
  "a loop of which data decide the turns writes in place what others see, and then sets it to something else";

/** Slots that begin with the same memory, and memory that turns have spoilt. */
export function noteMemory({ shared, spoilt }: SharedSlots, initial: readonly Slot[]): void {
  for (const [slot, { storage }] of initial.entries()) {
    if (storage === undefined) continue;
    if (spoilt.has(slot)) storage.stale = spoiltMemory;
    for (const [other, { storage: theirs }] of initial.slice(0, slot).entries())
      if (theirs === storage || (theirs && storage.perhapsShared.has(theirs))) shared.add(`${other}:${slot}`);
  }
}

/** Notes that two places may be the same memory. */
export function shareMemory(left: Storage, right: Storage): void {
  if (left === right) return;
  left.perhapsShared.add(right);
  right.perhapsShared.add(left);
}

/** Other slots that are given or leave behind the same memory. */
export function sharersOf(
  slot: number,
  storage: Storage,
  given: readonly Slot[],
  left: readonly Slot[],
): readonly number[] {
  return [...given.keys()].filter(
    (other) => other !== slot && [given[other], left[other]].some((own) => own?.storage === storage),
  );
}
