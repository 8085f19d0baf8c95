/** An operator of the program that cannot be part of the graph, with the places that call it. */
export interface Unsupported {
  readonly operator: string;
  /** Why, where it is known by name but not in this form. */
  readonly reason: string;
  readonly count: number;
  /** Path of the first module that calls it; `""` is the root. */
  readonly module: string;
  /** The line that calls it first: `code/__torch__/net.py:12`. */
  readonly source: string;
  /** The same as a file and an offset in it. */
  readonly code: { readonly file: string; readonly at: number };
}

/** Where an operator is called. */
export type CallPlace = Pick<Unsupported, "module" | "source" | "code">;

/** What is learnt while a program is evaluated, beside the graph. */
export interface Report {
  readonly unsupported: readonly Unsupported[];
  readonly warnings: readonly string[];
  refuse(operator: string, reason: string, place: CallPlace): void;
  warn(message: string): void;
}

/** Nothing learnt yet. */
export function createReport(): Report {
  const unsupported = new Map<string, Unsupported>();
  const warnings: string[] = [];
  return {
    get unsupported() {
      return [...unsupported.values()];
    },
    warnings,
    refuse(operator, reason, { module, source, code }) {
      const key = `${operator} ${reason}`;
      const known = unsupported.get(key);
      if (known) unsupported.set(key, { ...known, count: known.count + 1 });
      else unsupported.set(key, { operator, reason, count: 1, module, source, code });
    },
    warn(message) {
      if (!warnings.includes(message)) warnings.push(message);
    },
  };
}

/** The unsupported operators of a program in one sentence each, for people; `written` has the lines of the model's author, where they are known. */
export function unsupportedText(
  unsupported: readonly Unsupported[],
  written: readonly (string | undefined)[],
): string {
  return unsupported
    .map(({ operator, reason, count, module, source }, index) => {
      const times = count === 1 ? "" : ` (${count} times)`;
      const why = reason === "" ? "" : `: ${reason}`;
      return `${operator}${times}${why}, in ${module === "" ? "the model itself" : module} at ${source}${writtenAt(written[index])}`;
    })
    .join("; ");
}

/** The line of the model's author, as messages have it behind the archive's own. */
export function writtenAt(line: string | undefined): string {
  return line === undefined ? "" : `, written at ${line}`;
}
