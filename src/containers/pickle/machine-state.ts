import type { OperandCursor } from "./operands.ts";
import type { PickleStack } from "./stack.ts";
import type { PickleGlobal, PickleValue } from "./values.ts";

/** What an opcode works on. */
export interface MachineState extends PickleStack {
  readonly operands: OperandCursor;
  global(module: string, name: string): PickleGlobal;
  /** Takes note that a value, if it is a global, is used as no pickler would. */
  tamper(value: PickleValue): void;
  /** Refuses something that Python might run past, unless a handler lets the machine go on. */
  doubt(message: string): void;
  /** Puts a call's result on the stack: a handler's value, or an inert record. */
  call(how: "call" | "new", callable: PickleValue, args: PickleValue, kwargs?: PickleValue): void;
  persistent(id: PickleValue): void;
  /** Passes over a long operand that a handler takes as it lies in the file, and puts what stands for it on the stack. */
  passOver(length: number, isText: boolean): boolean;
  /** FRAME: the next bytes belong together. */
  frame(length: number): void;
}
