import { ConvertError } from "../../core/errors.ts";
import type { Limits } from "../../core/limits.ts";
import { computedName, createPickleGlobals, type PickleGlobals } from "./globals.ts";
import type { MachineState } from "./machine-state.ts";
import { opcodes } from "./opcodes.ts";
import { createOperandCursor, needMore, type OperandCursor } from "./operands.ts";
import { createPickleStack } from "./stack.ts";
import { isKind, type PickleGlobal, type PickleValue } from "./values.ts";

/** What the machine asks while it runs; `undefined` leaves an inert record. */
export interface PickleHandlers {
  /** `callable(*args)`; may put a value of its own in its place, to keep memory small. Never runs anything. */
  call?(callable: PickleGlobal, args: PickleValue, offset: number): PickleValue | undefined;
  persistent?(id: PickleValue, offset: number): PickleValue | undefined;
  /**
   * What stands for a long run of bytes or text that lies in the file as it is; `undefined` to have it read into memory.
   * `below` gives the values under its place on the stack, 0 the nearest.
   */
  payload?(run: PickleRun, below: (depth: number) => PickleValue | undefined): PickleValue | undefined;
  /** What we refuse, and Python might run past: without this handler it is an error, with it the machine goes on. */
  doubt?(message: string, offset: number): void;
}

/** A long operand, by its place. */
export interface PickleRun {
  /** Where it starts in the file. */
  readonly offset: number;
  readonly length: number;
  /** Whether the opcode is one for text in UTF-8. */
  readonly isText: boolean;
  /** Its first bytes, up to 4 KiB of them, in new memory. */
  head(): Uint8Array;
}

/** Shorter operands are always read. */
const longRun = 1024;
const headBytes = 4096;

/** A pickle being read, in as many windows as it takes. */
export interface PickleMachine {
  /** Runs whole opcodes of `bytes`, which start at `base` in the file; returns how many bytes they were, more than `bytes` where a handler took a payload. */
  run(bytes: Uint8Array, base: number): number;
  /** Bytes that were not read, because a handler took a payload. */
  readonly passedOver: number;
  /** Set once STOP was met. */
  readonly result: { readonly value: PickleValue } | undefined;
  /** Every global that the pickle names, with those of the list that was passed in. */
  readonly globals: ReadonlyMap<string, PickleGlobal>;
}

const STOP = 0x2e;

/**
 * An empty machine. It executes no Python: calls become records, or what `handlers` make of them. What the pickle names
 * and calls is added to `globals`.
 */
export function createPickleMachine(
  file: string,
  handlers: PickleHandlers,
  limits: Limits,
  globals: PickleGlobals = createPickleGlobals(),
): PickleMachine {
  const operands: OperandCursor = createOperandCursor(file);
  let result: { value: PickleValue } | undefined;
  let frameEnd: number | undefined;
  let passedOver = 0;
  const stack = createPickleStack(limits, () => ({ file, offset: operands.position }));

  const machine: MachineState = Object.assign(stack, {
    operands,
    global: globals.name,
    tamper: globals.tampered,
    doubt(message: string): void {
      if (handlers.doubt === undefined) operands.fail(message);
      else handlers.doubt(message, operands.position);
    },
    call(how: "call" | "new", callable: PickleValue, args: PickleValue, kwargs?: PickleValue): void {
      const handled = isKind(callable, "global")
        ? handlers.call?.(callable, args, operands.position)
        : undefined;
      const made: PickleValue = handled ?? {
        kind: "call",
        how,
        callable,
        args,
        kwargs,
        state: undefined,
        items: undefined,
        entries: undefined,
      };
      globals.called(callable, args, made);
      stack.push(made);
    },
    persistent(id: PickleValue): void {
      stack.push(handlers.persistent?.(id, operands.position) ?? { kind: "persistent", id });
    },
    passOver(length: number, isText: boolean): boolean {
      if (length < longRun || handlers.payload === undefined) return false;
      const offset = operands.position;
      const head = () => operands.peek(Math.min(length, headBytes)).slice();
      const value = handlers.payload({ offset, length, isText, head }, stack.peek);
      if (value === undefined) return false;
      operands.skip(length);
      passedOver += length;
      stack.push(value);
      return true;
    },
    frame(length: number): void {
      frameEnd = operands.position + length;
    },
  });

  function step(): void {
    const code = operands.u8();
    if (code === STOP) {
      result = { value: stack.pop() };
      return;
    }
    const opcode = opcodes[code];
    if (opcode === undefined)
      operands.fail(`byte 0x${code.toString(16).padStart(2, "0")} is no pickle opcode`);
    opcode(machine);
    if (frameEnd === undefined || operands.position < frameEnd) return;
    if (operands.position > frameEnd) {
      machine.doubt("a pickle opcode straddles a frame");
      // CPython's unpickler in C then drops bytes, so that even a name may be another one.
      machine.global(computedName, "across a frame");
    }
    frameEnd = undefined;
  }

  return {
    run(bytes, base) {
      operands.load(bytes, base);
      let before = base;
      try {
        while (result === undefined) {
          before = operands.position;
          step();
        }
        before = operands.position;
      } catch (error) {
        if (error !== needMore) throw atOpcode(error, file, before);
      }
      return before - base;
    },
    get passedOver() {
      return passedOver;
    },
    get result() {
      return result;
    },
    globals: globals.known,
  };
}

/** A stack overflow or the like inside a handler would be a bug; what is ours passes. */
function atOpcode(error: unknown, file: string, offset: number): unknown {
  if (error instanceof RangeError) {
    return new ConvertError("malformed", "the pickle holds a value that is too large", {
      file,
      offset,
      cause: error,
    });
  }
  return error;
}
