import { builtinFormats } from "../formats/index.ts";
import type { Console } from "./console.ts";
import { type Column, formatTable } from "./table.ts";

const columns: readonly Column[] = [
  { title: "format", align: "left" },
  { title: "read", align: "left" },
  { title: "written", align: "left" },
  { title: "extensions", align: "left" },
  { title: "dtypes", align: "left" },
];

/** `formats`: what is read and written, with which dtypes. */
export function formatsCommand({ json }: { readonly json?: boolean }, console: Console): void {
  const rows = builtinFormats.map(({ id, title, extensions, storable, loadReader, loadWriter }) => ({
    id,
    title,
    extensions,
    dtypes: [...storable],
    read: loadReader !== undefined,
    written: loadWriter !== undefined,
  }));
  if (json) {
    console.out(`${JSON.stringify({ formats: rows })}\n`);
    return;
  }
  const cells = rows.map((row) => [
    row.id,
    row.read ? "yes" : "no",
    row.written ? "yes" : "no",
    row.extensions.join(" "),
    row.dtypes.join(" "),
  ]);
  console.out(`${formatTable(columns, cells, console.width).join("\n")}\n`);
}
