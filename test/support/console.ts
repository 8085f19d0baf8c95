import type { Console } from "../../src/cli/console.ts";

/** A console that keeps what it is told, without colours and with nobody watching. */
export interface RecordingConsole extends Console {
  readonly outText: string;
  readonly errText: string;
}

/** An empty recording console. */
export function recordingConsole(): RecordingConsole {
  let outText = "";
  let errText = "";
  const plain = (text: string | number | null | undefined) => String(text);
  return {
    out(text) {
      outText += text;
    },
    err(text) {
      errText += text;
    },
    interactive: false,
    width: Number.POSITIVE_INFINITY,
    colors: { bold: plain, dim: plain, red: plain, yellow: plain, cyan: plain },
    get outText() {
      return outText;
    },
    get errText() {
      return errText;
    },
  };
}
