import { type ErrorKind, isConvertError } from "../core/errors.ts";
import { type Console, printable } from "./console.ts";

/** Exit code of each kind of failure; docs/errors.md explains them. */
const exitCodes: Readonly<Record<ErrorKind, number>> = {
  usage: 2,
  io: 3,
  malformed: 4,
  unsupported: 5,
  unsafe: 6,
  lossy: 7,
  limit: 8,
  output: 9,
  mismatch: 10,
  cancelled: 130,
};

/** The exit code of a kind of failure. */
export function exitCodeOf(kind: ErrorKind): number {
  return exitCodes[kind];
}

/** Tells what went wrong, in one or two lines, and gives the exit code. With `json`, the same as a document on standard output. */
export function reportError(error: unknown, console: Console, json: boolean): number {
  if (!isConvertError(error)) {
    console.err(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    console.err("this is a bug in tensorferry; please report it with the lines above\n");
    return 1;
  }
  const { kind, message, site } = error;
  const place = site.file === undefined ? "" : `${site.file}: `;
  const offset = site.offset === undefined ? "" : ` (at byte ${site.offset})`;
  console.err(`${console.colors.red("error:")} ${shortened(printable(place + message + offset))}\n`);
  if (site.hint !== undefined) console.err(`${console.colors.cyan("hint:")} ${printable(site.hint)}\n`);
  if (json) {
    const { file, offset: at, tensor, hint } = site;
    console.out(`${JSON.stringify({ error: { kind, message, file, offset: at, tensor, hint } })}\n`);
  }
  return exitCodes[kind];
}

/** A name from a file may be as long as the file; its ends tell enough. */
function shortened(text: string): string {
  return text.length <= 1200 ? text : `${text.slice(0, 600)}…${text.slice(-600)}`;
}
