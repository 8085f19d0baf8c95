import { type Crc32, crc32 } from "../bytes/crc32.ts";
import { type SameBytes, sameBytes } from "../bytes/difference.ts";
import type { Copier } from "./copier.ts";
import { ConvertError } from "./errors.ts";
import { defaultLimits, type Limits } from "./limits.ts";
import type { Naming } from "./naming.ts";
import { createScratchPool, type Scratch } from "./scratch.ts";
import type { GlobalUse } from "./verdict.ts";

/** Something worth telling that is no failure. The codes are stable and listed in docs/notices.md. */
export interface Notice {
  readonly code: NoticeCode;
  readonly message: string;
  readonly tensor?: string | undefined;
  /** All that it is about, where those are several; a message names the first few. */
  readonly tensors?: readonly string[] | undefined;
}

/** The kinds of notices there are. */
export type NoticeCode =
  | "wrong-extension"
  | "selected"
  | "left-behind"
  | "tied-dropped"
  | "shared-copied"
  | "expanded"
  | "no-checksum"
  | "trailing-bytes"
  | "metadata-replaced"
  | "metadata-dropped"
  | "hidden-by-index"
  | "dangerous-pickle"
  | "unknown-global"
  | "unread"
  | "bad-checksum"
  | "holds-code"
  | "no-code"
  | "unmatched"
  | "duplicate"
  | "beyond-protobuf"
  | "cast-overflow"
  | "cast-underflow"
  | "not-cast"
  | "fused"
  | "folded"
  | "guessed-name"
  | "unnamed"
  | "not-in-graph"
  | "kept-from-template"
  | "program-says"
  | "assumes"
  | "restarted";

/** How far a long call has come; `done` and `total` are bytes. */
export interface Progress {
  readonly phase: "write" | "verify" | "compare" | "hash" | "upload";
  readonly done: number;
  readonly total: number;
  /** The file at hand. */
  readonly label: string;
}

/** Unpacks a whole raw deflate stream (RFC 1951) that gives exactly `bytes` bytes; undefined where it is not one. */
export type Inflate = (packed: Uint8Array, bytes: number) => Uint8Array | undefined;

/** A SHA-256 under way. */
export interface Sha256 {
  update(bytes: Uint8Array): unknown;
  /** Ends it; hexadecimal, lower case. */
  digest(): string;
}

/** What a long-running call is given. Nothing else is ambient. */
export interface RunContext {
  readonly signal?: AbortSignal | undefined;
  readonly limits: Limits;
  /** Size of one transfer buffer, in bytes. */
  readonly bufferBytes: number;
  /** Transfers under way at once; each has a buffer. */
  readonly jobs: number;
  /** Whether a checkpoint is wanted as a whole, and not one state dict of it. */
  readonly whole: boolean;
  /** How to name tensors of files that have names and layouts of their own. */
  readonly naming: Naming;
  readonly scratch: Scratch;
  readonly crc32: Crc32;
  /** Resolves once transfers that have ended meanwhile are served; for work between them that would hold them up. */
  breathe(): Promise<void>;
  readonly sameBytes: SameBytes;
  /** Makes one with as many hands; without it, all bytes come by. */
  readonly createCopier?: ((jobs: number) => Copier) | undefined;
  /** Without it, small entries of zips are unpacked as the large ones, by a DecompressionStream. */
  readonly inflate?: Inflate | undefined;
  /** Begins a SHA-256; there is no portable one that takes bytes as they come. */
  readonly sha256?: (() => Sha256) | undefined;
  progress(step: Progress): void;
  warn(notice: Notice): void;
  /** Told what a file would have its loader import, even where reading it fails; throws kind `unsafe` to refuse it. */
  review?: ((globals: readonly GlobalUse[], file: string) => void) | undefined;
}

/** The parts of a context that a caller may set. */
export interface ContextOptions {
  readonly signal?: AbortSignal | undefined;
  readonly limits?: Partial<Limits> | undefined;
  readonly bufferBytes?: number | undefined;
  readonly jobs?: number | undefined;
  /** Take a checkpoint as a whole: every tensor, and everything else as metadata, from which it can be restored. */
  readonly all?: boolean | undefined;
  /** How to name tensors of files that have names and layouts of their own. */
  readonly naming?: Naming | undefined;
  /** A faster CRC-32 than the portable one. */
  readonly crc32?: Crc32 | undefined;
  /** Gives way to ended transfers; by default it does not. */
  readonly breathe?: (() => Promise<void>) | undefined;
  /** A faster comparison of bytes than the portable one. */
  readonly sameBytes?: SameBytes | undefined;
  /** Copies between files beside this thread. */
  readonly createCopier?: ((jobs: number) => Copier) | undefined;
  /** Unpacks what is small faster than a DecompressionStream. */
  readonly inflate?: Inflate | undefined;
  /** Needed for lists of hashes only. */
  readonly sha256?: (() => Sha256) | undefined;
  readonly onProgress?: ((step: Progress) => void) | undefined;
  readonly onNotice?: ((notice: Notice) => void) | undefined;
}

/** A context with defaults for what is not set. */
export function createContext(options: ContextOptions = {}): RunContext {
  return {
    signal: options.signal,
    limits: { ...defaultLimits, ...options.limits },
    bufferBytes: options.bufferBytes ?? 8 * 1024 * 1024,
    jobs: options.jobs ?? 3,
    whole: options.all ?? false,
    naming: options.naming ?? {},
    scratch: createScratchPool(),
    crc32: options.crc32 ?? crc32,
    breathe: options.breathe ?? (() => Promise.resolve()),
    sameBytes: options.sameBytes ?? sameBytes,
    createCopier: options.createCopier,
    inflate: options.inflate,
    sha256: options.sha256,
    progress: options.onProgress ?? (() => undefined),
    warn: options.onNotice ?? (() => undefined),
  };
}

/** A new SHA-256. Throws kind `usage` where the caller has handed in none. */
export function createSha256(context: RunContext): Sha256 {
  if (context.sha256) return context.sha256();
  throw new ConvertError("usage", "hashes are asked for, but the context has no SHA-256", {
    hint: "hand one in as the option sha256",
  });
}
