import { type ErrorKind, isConvertError } from "../../core/errors.ts";

/** What may be wrong with a file or folder; the codes are stable and listed in docs/verifying.md. */
export type ProblemCode =
  | "io"
  | "malformed"
  | "unsafe"
  | "checksum"
  | "sha256"
  | "missing-file"
  | "missing-shard"
  | "missing-tensor"
  | "stray-tensor"
  | "stray-shard"
  | "total-size";

/** One thing that is wrong. */
export interface Problem {
  readonly code: ProblemCode;
  readonly message: string;
  /** Bare name of the file it is about. */
  readonly file: string;
  readonly tensor?: string;
}

/** Collects problems and goes on. */
export interface ProblemList {
  readonly all: readonly Problem[];
  add(problem: Problem): void;
  /** Does some work; a failure that tells of the file becomes a problem, any other is thrown on. Gives the result where there is one. */
  guard<T>(file: string, work: () => Promise<T> | T): Promise<T | undefined>;
}

/** Failures that say something about what is verified, and not about us. */
const telling: ReadonlySet<ErrorKind> = new Set<ErrorKind>(["io", "malformed", "unsafe"]);

/** An empty list. */
export function createProblemList(): ProblemList {
  const all: Problem[] = [];
  return {
    all,
    add: (problem) => void all.push(problem),
    async guard(file, work) {
      try {
        return await work();
      } catch (error) {
        if (!isConvertError(error) || !telling.has(error.kind)) throw error;
        const { kind, message, site } = error;
        const at = site.offset === undefined ? "" : ` (at byte ${site.offset})`;
        const tensor = site.tensor === undefined ? {} : { tensor: site.tensor };
        all.push({ code: kind as ProblemCode, message: message + at, file, ...tensor });
        return undefined;
      }
    },
  };
}
