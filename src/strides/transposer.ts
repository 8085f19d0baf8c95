import { instantiate } from "../bytes/instantiate.ts";
import { transposeKernels } from "./transpose-kernels.ts";

/** Memory for one tile, and a kernel that turns its lines into columns. */
export interface Transposer {
  /** Lines of a tile, and elements of a line, at the most. */
  readonly side: number;
  /** Where to put the lines, `linePitch` bytes from one to the next. */
  readonly lines: Uint8Array;
  /** Where the columns are afterwards, `columnPitch` bytes from one to the next. */
  readonly columns: Uint8Array;
  readonly linePitch: number;
  readonly columnPitch: number;
  /** Transposes the first `width` elements of the first `height` lines. */
  transpose(height: number, width: number): void;
}

/** Two of these are the memory of the module. */
const regionBytes = 320 * 1024;
/** The longest side of a tile in bytes: a tile and its transpose stay in a processor's second cache. */
const sideBytes = 1024;
const maxSide = 256;
/** Between lines, so that those of one column do not fall into the same few places of a cache. */
const gapBytes = 64;

/**
 * A machine for elements of 1, 2, 4 or 8 bytes; `undefined` for others, and where WebAssembly cannot be had. All users
 * share one memory, so what is put into it has to be taken out before anything else runs.
 */
export function transposerFor(itemBytes: number): Transposer | undefined {
  const known = transposers.get(itemBytes);
  if (known) return known;
  const made = createTransposer(itemBytes);
  if (made) transposers.set(itemBytes, made);
  return made;
}

const transposers = new Map<number, Transposer>();
let shared: { readonly exports: WebAssembly.Exports | undefined } | undefined;

/** Steps and positions in bytes; heights and widths in elements, rounded up to whole blocks by the kernel. */
type Kernel = (
  from: number,
  to: number,
  height: number,
  width: number,
  linePitch: number,
  columnPitch: number,
) => void;

function createTransposer(itemBytes: number): Transposer | undefined {
  shared ??= { exports: instantiate(transposeKernels) };
  const kernel = shared.exports?.[`transpose${8 * itemBytes}`] as Kernel | undefined;
  if (shared.exports === undefined || kernel === undefined) return undefined;
  const { buffer } = shared.exports["memory"] as WebAssembly.Memory;
  const side = Math.min(maxSide, sideBytes / itemBytes);
  const pitch = side * itemBytes + gapBytes;
  return {
    side,
    lines: new Uint8Array(buffer, 0, regionBytes),
    columns: new Uint8Array(buffer, regionBytes, regionBytes),
    linePitch: pitch,
    columnPitch: pitch,
    transpose: (height, width) => kernel(0, regionBytes, height, width, pitch, pitch),
  };
}
