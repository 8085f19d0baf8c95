/** Where bytes lie in a file that is open. */
export interface FilePlace {
  /** What the platform calls the open file; good while its owner keeps it open. */
  readonly handle: number;
  /** In bytes from the file's start. */
  readonly position: number;
  /** As a person would name it. */
  readonly file: string;
}

/** One run of bytes that goes from one file to another as it is. */
export interface CopyRequest {
  readonly from: FilePlace;
  readonly to: FilePlace;
  /** In bytes. */
  readonly size: number;
  /** Whether its CRC-32 is asked for. */
  readonly wantsCrc32: boolean;
}

/** Copies between files beside the caller's own thread: bytes that nobody has to look at need not come by. */
export interface Copier {
  /**
   * Resolves once the bytes are there, with their CRC-32 or 0; with `undefined` where nobody is there to copy, so that the caller does
   * it. Rejects with kind `io` or `output`, as reading and writing do.
   */
  copy(request: CopyRequest): Promise<number | undefined>;
  /** Lets go of its threads. Nothing may be under way. */
  close(): void;
}

/** Shorter runs are not worth the errand. */
export const worthCopying: number = 256 * 1024;
