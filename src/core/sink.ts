import type { FilePlace } from "./copier.ts";
import type { ByteSource } from "./source.ts";

/** Bytes on their way to a place. Nobody sees them there before `commit`. */
export interface ByteSink {
  readonly name: string;
  /** Writes at a byte position; resolves once the caller may reuse `chunk`. */
  writeAt(chunk: Uint8Array, position: number): Promise<void>;
  /** Bytes at the front that an interrupted run has left there for good; none by default. */
  readonly start?: number | undefined;
  /** Where the byte at a position is to lie, for what can be written past this sink; left out where all has to go through it. */
  place?(position: number): FilePlace;
  /** Reads back what is there. */
  readAt?(target: Uint8Array, position: number): Promise<void>;
  /** Told that every byte before a position is written. */
  reached?(position: number): void;
  /** All bytes are there: lets go of the handle, still without showing the result. */
  finish(): Promise<void>;
  /** Shows the finished bytes under their name. */
  commit(): Promise<void>;
  /** Leaves nothing behind, committed or not; safe after any failure. */
  discard(): Promise<void>;
}

/** The files that lie beside each other: a model, its shards, their index. */
export interface InputFolder {
  /** Opens a file by its bare name; `undefined` where there is none. Names that leave the folder are refused (kind `unsafe`). */
  open(name: string): Promise<ByteSource | undefined>;
  /**
   * Opens a file by a relative path with slashes and without `..`; `undefined` where there is none. Refuses (kind
   * `unsafe`) one that links lead to a place outside the folder, unless that is where they lead the file `beside` too,
   * a bare name: caches keep the files of a model side by side elsewhere. Folders without folders in them leave it out.
   */
  openBelow?(path: string, beside: string): Promise<ByteSource | undefined>;
  /** Lets go of every file that was opened. */
  close(): Promise<void>;
}

/** What is about to be written into a folder. */
export interface OutputRequest {
  readonly files: readonly RequestedFile[];
  /** Whether a file that is already there belongs to an earlier output of the same model, and would confuse its readers. */
  isStale(name: string): boolean;
  readonly journal?: OutputJournal | undefined;
}

/** One of those files. */
export interface RequestedFile {
  readonly name: string;
  readonly size: number;
  /** Set where it takes the place of one that is there, and says all that this one says. */
  readonly amends?: boolean | undefined;
}

/** How a folder tells whether what an interrupted run left is the beginning of this output. */
export interface OutputJournal {
  /** What the output as a whole is called. */
  readonly name: string;
  /** The same for equal outputs only. */
  readonly fingerprint: string;
  /** Whether to go on from what is there, and to leave what is there after a failure. */
  readonly resume: boolean;
  /** Called where something is there, but not of this output, so that it is begun anew. */
  onRestart(): void;
}

/** Where output files are made, by bare name. */
export interface OutputFolder {
  /** Whether its sinks take bytes from the first to the last only; otherwise in any order, and several at once. */
  readonly inOrder: boolean;
  /** What a person would call a file in it. */
  pathOf(name: string): string;
  /** Refuses (kind `output`) before a byte is written if the files cannot all be made: names taken, too little space. */
  prepare(request: OutputRequest): Promise<void>;
  create(name: string, size: number): Promise<ByteSink>;
  /** The bytes of a file that is there already, up to `maxBytes` of them; `undefined` where there is none, or a longer one. */
  readExisting?(name: string, maxBytes: number): Promise<Uint8Array | undefined>;
  /** Called once all files are committed: drops what they replace. */
  settle(): Promise<void>;
  /** Called after a failure, once all sinks are discarded: takes back what `prepare` made. */
  abandon(): Promise<void>;
  /** Called instead after a failure from which a later run is to go on: lets go of all sinks and leaves what they have. */
  suspend?(): Promise<void>;
}
