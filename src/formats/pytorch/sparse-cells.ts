import { ConvertError, type ErrorSite } from "../../core/errors.ts";
import type { TorchSparse, TorchTensor } from "./torch-values.ts";

/** Where runs of stored elements start in the dense tensor, counted in elements, in the order of the values. */
export interface SparseCells {
  readonly positions: readonly number[];
  /** How many elements of a row-major run one position stands for. */
  readonly blockElements: number;
}

/** Places every stored element. Throws kind `malformed` for indices outside the shape, `unsupported` for batches. */
export function cellsOf(
  sparse: TorchSparse,
  indices: readonly (readonly number[])[],
  site: ErrorSite,
): SparseCells {
  if (sparse.layout === "coo") return coordinateCells(sparse, indices[0] as readonly number[], site);
  return compressedCells(sparse, indices[0] as readonly number[], indices[1] as readonly number[], site);
}

/** Indices of shape [sparse dimensions, count]; what follows the sparse dimensions is dense. */
function coordinateCells(
  { shape, values, indices }: TorchSparse,
  flat: readonly number[],
  site: ErrorSite,
): SparseCells {
  const [rank, count] = (indices[0] as TorchTensor).shape as readonly [number, number];
  const sizes = shape.slice(0, rank);
  const dense = shape.slice(rank);
  const blockElements = dense.reduce((product, size) => product * size, 1);
  if (rank > shape.length || [count, ...dense].join() !== values.shape.join())
    refuse("values and indices do not fit", site);
  const positions = Array.from({ length: count }, (_, element) => {
    let position = 0;
    for (const [dimension, size] of sizes.entries()) {
      position = position * size + checked(flat[dimension * count + element], size, site);
    }
    return position * blockElements;
  });
  return { positions, blockElements };
}

/** Rows or columns, compressed; blocks are matrices of their own, placed line by line. */
function compressedCells(
  sparse: TorchSparse,
  compressed: readonly number[],
  plain: readonly number[],
  site: ErrorSite,
): SparseCells {
  const { byRow, lines, across, blockRows, blockColumns } = gridOf(sparse, site);
  const ascends = compressed.every(
    (pointer, line) => line === 0 || pointer >= (compressed[line - 1] as number),
  );
  if (
    compressed.length !== lines + 1 ||
    compressed[0] !== 0 ||
    compressed.at(-1) !== plain.length ||
    !ascends
  ) {
    refuse("its pointers do not fit its shape", site);
  }
  const columns = sparse.shape[1] as number;
  const positions: number[] = [];
  for (let line = 0; line < lines; line++) {
    for (let at = compressed[line] as number; at < (compressed[line + 1] as number); at++) {
      const other = checked(plain[at], across, site);
      const row = (byRow ? line : other) * blockRows;
      const column = (byRow ? other : line) * blockColumns;
      for (let inner = 0; inner < blockRows; inner++) positions.push((row + inner) * columns + column);
    }
  }
  return { positions, blockElements: blockColumns };
}

/** The matrix as a grid of blocks; without blocks they are single elements. */
function gridOf({ layout, shape, values }: TorchSparse, site: ErrorSite) {
  const [rows, columns] = shape as readonly [number, number];
  const isBlocked = layout === "bsr" || layout === "bsc";
  if (shape.length !== 2 || values.shape.length !== (isBlocked ? 3 : 1)) {
    throw new ConvertError(
      "unsupported",
      "sparse tensors in batches, or with dense dimensions, are not read",
      site,
    );
  }
  const [, blockRows, blockColumns] = isBlocked
    ? (values.shape as readonly [number, number, number])
    : [0, 1, 1];
  const byRow = layout === "csr" || layout === "bsr";
  const down = rows / blockRows;
  const right = columns / blockColumns;
  return { byRow, lines: byRow ? down : right, across: byRow ? right : down, blockRows, blockColumns };
}

function checked(index: number | undefined, size: number, site: ErrorSite): number {
  if (index === undefined || index < 0 || index >= size)
    return refuse("an index lies outside its shape", site);
  return index;
}

function refuse(why: string, site: ErrorSite): never {
  throw new ConvertError("malformed", `"${site.tensor}" is sparse, but ${why}`, site);
}
