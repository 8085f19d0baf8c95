import type { RunContext } from "./context.ts";
import type { Checkpoint, TensorDict } from "./dict.ts";
import type { DType } from "./dtype.ts";
import type { Piece } from "./plan.ts";
import type { InputFolder } from "./sink.ts";
import type { ByteSource } from "./source.ts";

/** The two ends of a file, enough to know its kind. */
export interface Probe {
  /** The first bytes, up to 4 KiB. */
  readonly head: Uint8Array;
  /** The last bytes, up to 64 KiB. */
  readonly tail: Uint8Array;
  readonly size: number;
}

/** How sure a format is that a file is its own. */
export type Match = "certain" | "likely" | "no";

/** A format as a plain record. Its two halves load on first use. */
export interface Format {
  readonly id: string;
  readonly title: string;
  /** With the dot, lower case; the first is the one to write. */
  readonly extensions: readonly string[];
  readonly storable: ReadonlySet<DType>;
  /** Whether several names may share one run of bytes; where not, ties are dropped or copied. */
  readonly sharesStorage: boolean;
  /** Whether it has room for metadata strings. */
  readonly holdsMetadata: boolean;
  /** Name of the file in a folder, without extension: what the Hub's loaders look for. */
  readonly folderStem: string;
  /** Extension in a folder, where it is not the first one. */
  readonly folderExtension?: string | undefined;
  detect(probe: Probe): Match;
  loadReader?(): Promise<FormatReader>;
  loadWriter?(): Promise<FormatWriter>;
}

/** The reading half. */
export interface FormatReader {
  /** Reads headers only. Payloads stay where they are until someone pulls them. `folder` has the files beside `source`. */
  read(source: ByteSource, folder: InputFolder, context: RunContext): Promise<Checkpoint>;
}

/** The writing half. */
export interface FormatWriter {
  /** The pieces of one file. Pure: looks at names, shapes and sizes, never at a payload byte. */
  plan(dict: TensorDict, site: { readonly file: string }): readonly Piece[];
}
