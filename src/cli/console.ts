import pc from "picocolors";

/** Where a command talks. Results go to `out`, everything else to `err`; neither adds a line feed. */
export interface Console {
  out(text: string): void;
  err(text: string): void;
  /** Whether somebody watches: a terminal, and neither `CI` nor `NO_COLOR`. */
  readonly interactive: boolean;
  /** Columns of the terminal; `Infinity` where there is none, so that nothing is cut. */
  readonly width: number;
  readonly colors: Colors;
}

/** Emphasis, or none where colour is unwanted. */
export type Colors = Pick<ReturnType<typeof pc.createColors>, "bold" | "dim" | "red" | "yellow" | "cyan">;

/** The console of this process. */
export function processConsole(): Console {
  const plain = process.env["NO_COLOR"] !== undefined || process.env["CI"] !== undefined;
  const interactive = !plain && process.stderr.isTTY === true;
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    interactive,
    width: process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY,
    colors: pc.createColors(!plain && process.stdout.isTTY === true),
  };
}

/** Text from a file made safe to show: control characters, which could drive the terminal, are spelled out. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\u2028\u2029]/gu, (character) => {
    const code = character.codePointAt(0) as number;
    return code <= 0xff ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
  });
}
