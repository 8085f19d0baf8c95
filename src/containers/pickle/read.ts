import type { RunContext } from "../../core/context.ts";
import { ConvertError, throwIfCancelled } from "../../core/errors.ts";
import { checkLimit } from "../../core/limits.ts";
import { type ByteSource, readBytes } from "../../core/source.ts";
import type { PickleGlobals } from "./globals.ts";
import { createPickleMachine, type PickleHandlers } from "./machine.ts";
import type { PickleGlobal, PickleValue } from "./values.ts";

/** A context may bring a list along: what all pickles read with it name and call is added there, even where reading fails. */
export interface PickleContext extends RunContext {
  readonly globals?: PickleGlobals | undefined;
}

/** A pickle read to its STOP. */
export interface ReadPickle {
  readonly value: PickleValue;
  /** Where the byte after STOP lies, counted like `start`. */
  readonly end: number;
  readonly globals: ReadonlyMap<string, PickleGlobal>;
}

const windowBytes = 1024 * 1024;

/**
 * Reads the pickle that starts at byte `start` of `source` and ends at its own STOP, a window at a time. Throws kind
 * `malformed` for a broken one, `limit` for one beyond `headerBytes`.
 */
export async function readPickle(
  source: ByteSource,
  start: number,
  handlers: PickleHandlers,
  context: PickleContext,
): Promise<ReadPickle> {
  const machine = createPickleMachine(source.name, handlers, context.limits, context.globals);
  let at = start;
  let size = windowBytes;
  for (;;) {
    throwIfCancelled(context.signal);
    const windowEnd = Math.min(source.size, at + size);
    checkLimit(context.limits, "headerBytes", windowEnd - start - machine.passedOver, "the pickle's size", {
      file: source.name,
      offset: start,
    });
    const used = machine.run(await readBytes(source, at, windowEnd, context), at);
    at += used;
    if (machine.result) return { value: machine.result.value, end: at, globals: machine.globals };
    if (windowEnd === source.size) {
      throw new ConvertError("malformed", "the pickle ends in the middle", {
        file: source.name,
        offset: at,
        hint: "the file is cut short or damaged; download or save it again",
      });
    }
    // One opcode longer than the window, a long string say: a wider window.
    size = used === 0 ? size * 2 : windowBytes;
  }
}
