import type { Notice, RunContext } from "./context.ts";
import type { Checkpoint, TensorDict } from "./dict.ts";
import type { DType } from "./dtype.ts";
import type { ConvertError } from "./errors.ts";
import type { Piece, PlannedFile } from "./plan.ts";
import type { InputFolder } from "./sink.ts";
import type { ByteSource } from "./source.ts";
import type { GlobalUse, Verdict } from "./verdict.ts";

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
  /** Whether its files hold graphs of operators, so that a program can become one. */
  readonly holdsGraphs?: boolean | undefined;
  /** Name of the file in a folder, without extension: what the Hub's loaders look for. */
  readonly folderStem: string;
  /** Extension in a folder, where it is not the first one. */
  readonly folderExtension?: string | undefined;
  detect(probe: Probe): Match;
  loadReader?(): Promise<FormatReader>;
  loadWriter?(): Promise<FormatWriter>;
  /** Only where files hold more than a dict can carry, so that one of them is made from another. */
  loadRewriter?(): Promise<FormatRewriter>;
  /** Only where weights can be put into a file that is there already. */
  loadTemplater?(): Promise<FormatTemplater>;
  /** Only where metadata can be changed without writing the tensors anew. */
  loadEditor?(): Promise<FormatEditor>;
  /** Only where files of the format may hold code. */
  loadScanner?(): Promise<FormatScanner>;
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
  /** Only where a format has its own way to lay a model out in several files; others are cut into shards with an index. */
  planFiles?(
    dict: TensorDict,
    request: FilesRequest,
  ): readonly PlannedFile[] | Promise<readonly PlannedFile[]>;
  /** Goes with `planFiles`: whether a file by this name can only come from writing the model `file`, now or before. */
  isCompanion?(name: string, file: string): boolean;
}

/** Where weights go that do not have to lie in the model file: beside it where the file would be too large, always, or never. */
export type ExternalData = "auto" | "always" | "never";

/** How a model is to be laid out in files. */
export interface FilesRequest {
  /** Bare name of the model file; the others are named after it. */
  readonly file: string;
  /** Largest payload of one file; `Infinity` for one file. */
  readonly maxShardBytes: number;
  readonly externalData: ExternalData;
  /** Files of another format that hold all tensors already; the model file is to point into them. */
  readonly companions?: readonly PlannedFile[] | undefined;
  warn(notice: Notice): void;
}

/** The part that lays a model out in files. */
export type SpreadWriter = Required<Pick<FormatWriter, "planFiles">> & Pick<FormatWriter, "isCompanion">;

/** The part that writes a file over again. */
export interface FormatRewriter {
  /**
   * Opens a file of the format, reading no payload: the tensors that may come to lie elsewhere, under the file's own
   * names, and what writes the file with them. `metadata` has keys to add.
   */
  open(
    source: ByteSource,
    folder: InputFolder,
    metadata: ReadonlyMap<string, string>,
    context: RunContext,
  ): Promise<SpreadWriter & { readonly dict: TensorDict }>;
}

/** The part that puts weights into an existing file. */
export interface FormatTemplater {
  /**
   * Plans a copy of a template that has the tensors of `dict` in the place of its own. Reads headers, and payloads only
   * to compare tensors that the template has as one. `file` is the name of the copy.
   */
  plan(template: Template, dict: TensorDict, file: string, context: RunContext): Promise<TemplatePlan>;
}

/** A file whose weights are to be replaced. */
export interface Template {
  readonly source: ByteSource;
  /** The files beside it. */
  readonly folder: InputFolder;
  /** Whether weights may be left over on either side. */
  readonly partial: boolean;
}

/** The files that take the place of a template. */
export interface TemplatePlan {
  /** The copy first, then files that it points to. */
  readonly files: readonly PlannedFile[];
}

/** The part that looks for code. */
export interface FormatScanner {
  /** Lists what loading the file would run, as far as it can be read; `undefined` for a file that is not of this format. */
  scan(source: ByteSource, context: RunContext): Promise<ScanFindings | undefined>;
}

/** What a scanner found in one file. */
export interface ScanFindings {
  /** At least the worst of `globals`, and never `clean` where a part was not read. */
  readonly verdict: Verdict;
  readonly globals: readonly GlobalUse[];
  /** Why a part could not be read. */
  readonly failure: ConvertError | undefined;
}

/** Strings to set in a file's metadata, and keys to take out. */
export interface MetadataChanges {
  readonly set: ReadonlyMap<string, string>;
  readonly remove: readonly string[];
}

/** Other first bytes for a file; what follows them stays, and moves where the lengths differ. */
export interface HeadEdit {
  readonly before: Uint8Array;
  readonly head: Uint8Array;
  /** As it is afterwards. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** The part that changes metadata. */
export interface FormatEditor {
  /** Reads the header only, and keeps its length where it can. Throws kind `usage` for a key to remove that is not there. */
  editMetadata(source: ByteSource, changes: MetadataChanges, context: RunContext): Promise<HeadEdit>;
}
