import { ConvertError, type ErrorSite } from "../../../core/errors.ts";
import type { TorchSparse, TorchTensor } from "../values/torch-values.ts";

/** Where runs of stored elements start in the dense tensor, counted in elements, in the order of the values. */
export interface SparseCells {
  readonly positions: readonly number[];
  /** How many elements of a row-major run one position stands for. */
  readonly blockElements: number;
}

/** Places every stored element. Throws kind `malformed` for indices outside the shape, or that do not fit it. */
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

/** Rows or columns, compressed, of one matrix after the other. */
function compressedCells(
  sparse: TorchSparse,
  compressed: readonly number[],
  plain: readonly number[],
  site: ErrorSite,
): SparseCells {
  const grid = gridOf(sparse, site);
  const { batches, lines, stored } = grid;
  if (compressed.length !== batches * (lines + 1) || plain.length !== batches * stored)
    refuse("its pointers do not fit its shape", site);
  const positions: number[] = [];
  for (let batch = 0; batch < batches; batch++) {
    const pointers = compressed.slice(batch * (lines + 1), (batch + 1) * (lines + 1));
    placeMatrix(grid, batch, pointers, plain.slice(batch * stored, (batch + 1) * stored), positions, site);
  }
  return { positions, blockElements: grid.blockColumns * grid.dense };
}

/** Adds the cells of a matrix; blocks are matrices of their own, placed line by line. */
function placeMatrix(
  { byRow, lines, across, rows, columns, blockRows, blockColumns, dense }: Grid,
  batch: number,
  compressed: readonly number[],
  plain: readonly number[],
  positions: number[],
  site: ErrorSite,
): void {
  const ascends = compressed.every(
    (pointer, line) => line === 0 || pointer >= (compressed[line - 1] as number),
  );
  if (compressed[0] !== 0 || compressed.at(-1) !== plain.length || !ascends)
    refuse("its pointers do not fit its shape", site);
  for (let line = 0; line < lines; line++) {
    for (let at = compressed[line] as number; at < (compressed[line + 1] as number); at++) {
      const other = checked(plain[at], across, site);
      const row = (byRow ? line : other) * blockRows;
      const column = (byRow ? other : line) * blockColumns;
      for (let inner = 0; inner < blockRows; inner++)
        positions.push(((batch * rows + row + inner) * columns + column) * dense);
    }
  }
}

/** A stack of matrices as grids of blocks; without blocks they are single elements. */
interface Grid {
  /** Matrices in the stack. */
  readonly batches: number;
  readonly rows: number;
  readonly columns: number;
  /** Stored blocks of each matrix. */
  readonly stored: number;
  readonly byRow: boolean;
  readonly lines: number;
  readonly across: number;
  readonly blockRows: number;
  readonly blockColumns: number;
  /** Elements that lie behind each position of a matrix. */
  readonly dense: number;
}

/** Values are [...batch, stored, ...block, ...dense], pointers [...batch, lines + 1], in a tensor of [...batch, rows, columns, ...dense]. */
function gridOf({ layout, shape, values, indices }: TorchSparse, site: ErrorSite): Grid {
  const stack = (indices[0] as TorchTensor).shape.length - 1;
  const blockRank = layout === "bsr" || layout === "bsc" ? 2 : 0;
  const [rows, columns] = shape.slice(stack, stack + 2);
  const stored = values.shape[stack];
  const dense = shape.slice(stack + 2);
  const [blockRows = 1, blockColumns = 1] = values.shape.slice(stack + 1, stack + 1 + blockRank);
  const fits = [...shape.slice(0, stack), stored, ...[blockRows, blockColumns].slice(0, blockRank), ...dense];
  if (
    rows === undefined ||
    columns === undefined ||
    stored === undefined ||
    fits.join() !== values.shape.join()
  )
    return refuse("values and indices do not fit", site);
  const byRow = layout === "csr" || layout === "bsr";
  const down = rows / blockRows;
  const right = columns / blockColumns;
  return {
    batches: productOf(shape.slice(0, stack)),
    rows,
    columns,
    stored,
    byRow,
    lines: byRow ? down : right,
    across: byRow ? right : down,
    blockRows,
    blockColumns,
    dense: productOf(dense),
  };
}

function productOf(sizes: readonly number[]): number {
  return sizes.reduce((product, size) => product * size, 1);
}

function checked(index: number | undefined, size: number, site: ErrorSite): number {
  if (index === undefined || index < 0 || index >= size)
    return refuse("an index lies outside its shape", site);
  return index;
}

function refuse(why: string, site: ErrorSite): never {
  throw new ConvertError("malformed", `"${site.tensor}" is sparse, but ${why}`, site);
}
