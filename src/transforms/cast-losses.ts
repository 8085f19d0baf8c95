import type { CastLoss } from "../bytes/float-cast.ts";
import type { FloatType } from "../bytes/floats.ts";
import type { RunContext } from "../core/context.ts";
import { ConvertError } from "../core/errors.ts";

/** Counts what casts lose while their payloads stream. */
export interface CastLosses {
  /** Where the cast of one tensor reports each stretch; `numbers` is how many there were in it. */
  of(tensor: string, to: FloatType): (loss: CastLoss, numbers: number) => void;
  /** Ends the counting, since whatever is read from now on is read again, and tells what was lost. */
  settle(context: RunContext): void;
}

interface Entry extends CastLoss {
  readonly tensor: string;
  readonly to: FloatType;
  numbers: number;
}

/** Throws kind `lossy` at the first number beyond the range of its type, unless `allowed`. */
export function createCastLosses(allowed: boolean): CastLosses {
  const entries: Entry[] = [];
  let counting = true;
  return {
    of(tensor, to) {
      const entry: Entry = { tensor, to, numbers: 0, overflowed: 0, vanished: 0 };
      entries.push(entry);
      return ({ overflowed, vanished }, numbers) => {
        if (!counting) return;
        if (overflowed > 0 && !allowed) throw beyondRange(tensor, to);
        entry.numbers += numbers;
        entry.overflowed += overflowed;
        entry.vanished += vanished;
      };
    },
    settle(context) {
      counting = false;
      for (const { tensor, to, numbers, overflowed, vanished } of entries) {
        const of = (count: number) => `${count} of the ${numbers} numbers of "${tensor}"`;
        if (overflowed > 0) {
          const message = `${of(overflowed)} are beyond the range of ${to} and became ${outcome(to)}`;
          context.warn({ code: "cast-overflow", tensor, message });
        }
        if (vanished > 0) {
          const message = `${of(vanished)} are too small for ${to} and became 0`;
          context.warn({ code: "cast-underflow", tensor, message });
        }
      }
    },
  };
}

function beyondRange(tensor: string, to: FloatType): ConvertError {
  return new ConvertError(
    "lossy",
    `"${tensor}" holds numbers beyond the range of ${to}, which would become ${outcome(to)}`,
    {
      tensor,
      hint: "--allow lossy-cast writes them so; bf16 has the range of f32, and --dtype 'NAME=f32' after the other leaves a tensor wide",
    },
  );
}

function outcome(to: FloatType): string {
  if (to === "F8_E4M3") return "448 or -448";
  return to.endsWith("FNUZ") ? "NaN" : "infinite";
}
