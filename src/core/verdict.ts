/** Whether loading something would do harm: surely not, perhaps, or very likely. */
export type Verdict = "clean" | "unknown" | "dangerous";

/** A class or function that a file would have its loader import, and how that is judged. */
export interface GlobalUse {
  readonly module: string;
  /** May be dotted, for what lies within a class. */
  readonly name: string;
  readonly verdict: Verdict;
  /** How often the file would have it called; one that is only handed on may be called all the same. */
  readonly calls: number;
}

const severity: readonly Verdict[] = ["clean", "unknown", "dangerous"];

/** The more serious of two verdicts. */
export function worse(a: Verdict, b: Verdict): Verdict {
  return severity.indexOf(a) >= severity.indexOf(b) ? a : b;
}

/** The verdict on a whole: that of its worst part, and `clean` without any. */
export function worstOf(uses: readonly GlobalUse[]): Verdict {
  return uses.reduce<Verdict>((worst, { verdict }) => worse(worst, verdict), "clean");
}
