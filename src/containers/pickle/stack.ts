import { ConvertError } from "../../core/errors.ts";
import { checkLimit, type Limits } from "../../core/limits.ts";
import type { PickleValue } from "./values.ts";

/** The stack of values with its marks, and the memo: as CPython's C unpickler keeps them. */
export interface PickleStack {
  push(value: PickleValue): void;
  pop(): PickleValue;
  /** The top, left where it is. */
  top(): PickleValue;
  /** The value `depth` below the top, marks not counted; `undefined` where there are not as many. */
  peek(depth: number): PickleValue | undefined;
  mark(): void;
  /** Everything above the last mark, in the order it was pushed; mark and values are gone. */
  popToMark(): PickleValue[];
  /** POP drops a mark if that is on top, else a value. */
  drop(): void;
  /** Stores the top under `index`; the memo holds references, so later changes show. */
  memoize(index: number): void;
  /** MEMOIZE's index: as many as are stored. */
  readonly memoSize: number;
  recall(index: number): PickleValue;
}

/** An empty stack; `site` tells where the machine is when something is refused. */
export function createPickleStack(limits: Limits, site: () => { file: string; offset: number }): PickleStack {
  const values: PickleValue[] = [];
  const marks: number[] = [];
  // Indices are dense in practice, where an array is several times faster than a map; sparse ones still work.
  const memo: PickleValue[] = [];
  let memoized = 0;

  let pushed = 0;

  /** Every value and mark was pushed once, so this bounds what a pickle can hold. */
  function count(): void {
    if (++pushed > limits.pickleValues)
      checkLimit(limits, "pickleValues", pushed, "the number of values in the pickle", site());
  }

  function fail(message: string): never {
    throw new ConvertError("malformed", message, site());
  }

  function checkNotEmpty(): void {
    if (values.length <= (marks.at(-1) ?? 0)) fail("the pickle takes a value from an empty stack");
  }

  return {
    push(value) {
      count();
      values.push(value);
    },
    pop() {
      checkNotEmpty();
      return values.pop() as PickleValue;
    },
    top() {
      checkNotEmpty();
      return values[values.length - 1] as PickleValue;
    },
    peek: (depth) => values[values.length - 1 - depth],
    mark() {
      count();
      marks.push(values.length);
    },
    popToMark() {
      const start = marks.pop();
      return start === undefined
        ? fail("the pickle goes back to a mark that it never set")
        : values.splice(start);
    },
    drop() {
      if (marks.length > 0 && marks.at(-1) === values.length) marks.pop();
      else {
        checkNotEmpty();
        values.pop();
      }
    },
    memoize(index) {
      checkNotEmpty();
      if (memo[index] === undefined) memoized++;
      memo[index] = values[values.length - 1] as PickleValue;
    },
    get memoSize() {
      return memoized;
    },
    recall(index) {
      const value = memo[index];
      return value === undefined ? fail(`the pickle recalls value ${index}, which it never stored`) : value;
    },
  };
}
