/** One column of a table. */
export interface Column {
  readonly title: string;
  readonly align: "left" | "right";
  /** Whether its cells may be shortened where the table is wider than the terminal. */
  readonly elastic?: boolean;
}

const gap = "  ";

/** Lines of aligned cells that fit `width` columns; a header line comes first. */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number,
): string[] {
  const widths = columns.map((column, index) =>
    rows.reduce((widest, row) => Math.max(widest, (row[index] as string).length), column.title.length),
  );
  const total = widths.reduce((sum, columnWidth) => sum + columnWidth, gap.length * (columns.length - 1));
  const elastic = columns.findIndex((column) => column.elastic);
  if (total > width && elastic >= 0) {
    widths[elastic] = Math.max(12, (widths[elastic] as number) - (total - width));
  }
  return [columns.map((column) => column.title), ...rows].map((row) =>
    row
      .map((cell, index) => fitCell(cell, widths[index] as number, (columns[index] as Column).align))
      .join(gap)
      .trimEnd(),
  );
}

/** Names tell most at both ends, so the middle goes. */
function fitCell(cell: string, width: number, align: "left" | "right"): string {
  if (cell.length > width) {
    const head = Math.ceil((width - 1) / 2);
    return `${cell.slice(0, head)}…${cell.slice(cell.length - (width - 1 - head))}`;
  }
  return align === "left" ? cell.padEnd(width) : cell.padStart(width);
}
