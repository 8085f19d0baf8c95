import { ConvertError, type ErrorSite } from "./errors.ts";

/** Bounds on what a hostile file may cost. Each can be raised by name: `--limit headerBytes=2000000000`. */
export interface Limits {
  /** A header, directory or pickle that has to be looked at as a whole, in bytes. */
  readonly headerBytes: number;
  /** Values and marks that a pickle puts on its stack. */
  readonly pickleValues: number;
  /** Tensors, zip entries or shards in one input. */
  readonly entries: number;
  /** Bytes that a tensor may grow beyond those of its storage, by strides of zero or overlap. */
  readonly expandedBytes: number;
  /** How many times its compressed size a zip entry may unpack to. */
  readonly inflateRatio: number;
}

/** The defaults, each far above what real files have. */
export const defaultLimits: Limits = {
  // A checkpoint of 200,000 tensors has a pickle of 30 MB.
  headerBytes: 512_000_000,
  // Some 25 for each tensor; this many take at most about 3 GB of memory, and only in a pickle of nothing else.
  pickleValues: 30_000_000,
  // The largest models published have some 100,000 tensors.
  entries: 2_000_000,
  // Expanded tensors in real files are position ids and masks of a few MB.
  expandedBytes: 4_000_000_000,
  // Deflate cannot do better than 1032; weights rarely reach 2, all-zero buffers the maximum.
  inflateRatio: 1100,
};

/** Refuses (kind `limit`) a value beyond a limit and names the option that raises it. */
export function checkLimit(
  limits: Limits,
  name: keyof Limits,
  value: number,
  what: string,
  site: ErrorSite,
): void {
  if (value <= limits[name]) return;
  throw new ConvertError("limit", `${what}: ${value} is above the limit of ${limits[name]}`, {
    ...site,
    hint: `raise it with --limit ${name}=${value} if you trust the file`,
  });
}
