/** Why a conversion failed, one word that programs may switch on; docs/errors.md lists them with their exit codes. */
export type ErrorKind =
  | "usage"
  | "io"
  | "malformed"
  | "unsupported"
  | "unsafe"
  | "lossy"
  | "limit"
  | "output"
  | "mismatch"
  | "cancelled";

/** Where something went wrong, as far as it is known, and what to do about it. */
export interface ErrorSite {
  /** The file or source, as a person would name it. */
  readonly file?: string | undefined;
  /** Byte offset within `file`. */
  readonly offset?: number | undefined;
  readonly tensor?: string | undefined;
  /** An instruction, not an explanation. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/** Every failure that is not a bug of ours: what was found, where, and a hint. */
export class ConvertError extends Error {
  override readonly name = "ConvertError";
  readonly kind: ErrorKind;
  readonly site: ErrorSite;

  constructor(kind: ErrorKind, message: string, site: ErrorSite = {}) {
    super(message, site.cause === undefined ? undefined : { cause: site.cause });
    this.kind = kind;
    this.site = site;
  }
}

/** Whether `value` is a ConvertError, of one of `kinds` if any are given. Goes by name, so two copies of the package agree. */
export function isConvertError(value: unknown, ...kinds: readonly ErrorKind[]): value is ConvertError {
  if (!(value instanceof Error) || value.name !== "ConvertError") return false;
  return kinds.length === 0 || kinds.includes((value as ConvertError).kind);
}

/** Throws kind `cancelled` once the signal has fired. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new ConvertError("cancelled", "cancelled", { cause: signal.reason });
}
