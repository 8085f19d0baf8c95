import type { ModuleNode } from "../convert/look/module-tree.ts";
import { formatBytes } from "../core/words.ts";
import { printable } from "./console.ts";
import { type Column, formatTable } from "./table.ts";

const columns: readonly Column[] = [
  { title: "module", align: "left", elastic: true },
  { title: "dtype", align: "left" },
  { title: "shape", align: "left" },
  { title: "parameters", align: "right" },
  { title: "size", align: "right" },
];

/** Modules as an indented table. Repeated ones are a line with their number and their sizes together; below it stands one of them. */
export function treeLines(nodes: readonly ModuleNode[], width: number): string[] {
  const rows: string[][] = [];
  addRows(nodes, "", true, rows);
  return formatTable(columns, rows, width);
}

function addRows(nodes: readonly ModuleNode[], indent: string, isTop: boolean, rows: string[][]): void {
  for (const [index, node] of nodes.entries()) {
    const isLast = index === nodes.length - 1;
    const branch = isTop ? "" : `${indent}${isLast ? "└─ " : "├─ "}`;
    rows.push([branch + labelOf(node), ...cellsOf(node)]);
    addRows(node.children, isTop ? "" : `${indent}${isLast ? "   " : "│  "}`, false, rows);
  }
}

function labelOf({ label, count, tensor }: ModuleNode): string {
  const times = count > 1 ? ` ×${count}` : "";
  const tie = tensor?.tiedTo === undefined ? "" : ` = ${printable(tensor.tiedTo)}`;
  return printable(label) + times + tie;
}

function cellsOf({ tensor, parameters, bytes }: ModuleNode): string[] {
  const sizes = [parameters.toLocaleString("en"), formatBytes(bytes)];
  return tensor ? [tensor.dtype, `[${tensor.shape.join(", ")}]`, ...sizes] : ["", "", ...sizes];
}
