import { isKind, type PickleValue } from "../../containers/pickle/values.ts";
import { isConvertError } from "../../core/errors.ts";
import type { ScriptArchive } from "../../core/script-archive.ts";
import type { CodePlace } from "../evaluate/locate.ts";

/** Where the model's author wrote what stands at a place of the archive's code: `net.py:12`; `undefined` where the archive does not tell. */
type OriginalLines = (place: CodePlace) => Promise<string | undefined>;

/** The first string of a table in which ranges refer to strings by number (torch/csrc/jit/serialization/source_range_serialization.cpp). */
const stringTableMark = "FORMAT_WITH_STRING_TABLE";

/** How far into a text a range may begin: texts are functions, or the stack of a trace. */
const maxStart = 1_000_000;

/** Stretches of code by the offsets that they begin at, ascending, as `(offset, range, …)`; and the strings of ranges. */
interface Table {
  readonly entries: readonly PickleValue[];
  readonly strings: readonly PickleValue[];
}

/** Looks up lines in an archive's tables of source ranges; each is read when it is first asked for. */
export function originalLines(archive: ScriptArchive<PickleValue>): OriginalLines {
  const tables = new Map<string, Promise<Table>>();
  return async ({ file, at }) => {
    const table = tables.get(file) ?? readTable(archive, file);
    tables.set(file, table);
    return lineAt(await table, at);
  };
}

/** A broken table is as good as none: it only serves messages. */
async function readTable(archive: ScriptArchive<PickleValue>, file: string): Promise<Table> {
  try {
    const table = itemsOf(await archive.sourceRanges(file));
    if (table[0] !== stringTableMark) return { entries: table, strings: [] };
    return { entries: itemsOf(table[2]), strings: itemsOf(table[1]) };
  } catch (error) {
    if (isConvertError(error, "malformed", "unsupported", "limit")) return { entries: [], strings: [] };
    throw error;
  }
}

/** A range is `((text, file name, first line), start, end)`; its text begins at the first line, and it at `start` of that. */
function lineAt({ entries, strings }: Table, at: number): string | undefined {
  let found: PickleValue | undefined;
  for (const entry of entries) {
    const [offset, range] = itemsOf(entry);
    if (typeof offset === "number" && offset <= at) found = range;
  }
  const [source, start] = itemsOf(found);
  const [text, name, firstLine] = itemsOf(source);
  const file = stringOf(name, strings);
  if (!file || typeof firstLine !== "number" || typeof start !== "number") return undefined;
  const parts = typeof text === "string" ? [text] : itemsOf(text);
  return `${file}:${firstLine + linesBefore(start, parts, strings)}`;
}

function linesBefore(start: number, parts: readonly PickleValue[], strings: readonly PickleValue[]): number {
  let left = Math.min(start, maxStart);
  let lines = 0;
  for (const part of parts) {
    if (left <= 0) break;
    const text = stringOf(part, strings) ?? "";
    lines += text.slice(0, left).split("\n").length - 1;
    left -= Math.max(text.length, 1);
  }
  return lines;
}

/** A string, or the one that a number stands for. */
function stringOf(value: PickleValue | undefined, strings: readonly PickleValue[]): string | undefined {
  const text = typeof value === "number" ? strings[value] : value;
  return typeof text === "string" ? text : undefined;
}

function itemsOf(value: PickleValue | undefined): readonly PickleValue[] {
  return isKind(value, "tuple") || isKind(value, "list") ? value.items : [];
}
