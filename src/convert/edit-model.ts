import { firstDifference } from "../bytes/difference.ts";
import { editObject, type ObjectLayout } from "../containers/json/edit-object.ts";
import { memberSpans, spliced, startOfValue } from "../containers/json/members.ts";
import type { RunContext } from "../core/context.ts";
import { ConvertError } from "../core/errors.ts";
import type { Format, HeadEdit, MetadataChanges } from "../core/format.ts";
import { checkLimit } from "../core/limits.ts";
import { type ByteSource, readBytes } from "../core/source.ts";
import { parseShardIndex } from "../shards/index-file.ts";
import { detectFormat, type ModelInput, openSource, probeSource } from "./open/open.ts";
import { looksLikeIndex } from "./open/open-model.ts";

/** One file with its change. */
export interface FileEdit {
  /** Bare name. */
  readonly name: string;
  readonly source: ByteSource;
  readonly edit: HeadEdit;
  readonly how: EditMethod;
}

/** `unchanged`: nothing is to be done. `in-place`: bytes from `start` to `end` of the head are to be written. `rewrite`: the whole file. */
export type EditMethod =
  | { readonly kind: "unchanged" }
  | { readonly kind: "in-place"; readonly start: number; readonly end: number }
  | { readonly kind: "rewrite" };

/** Reads headers and decides what is to be changed in which file; writes nothing. Of shards each file is changed, and then the index. */
export async function planEdit(
  input: ModelInput,
  changes: MetadataChanges,
  formats: readonly Format[],
  context: RunContext,
): Promise<readonly FileEdit[]> {
  checkChanges(changes);
  const source = await openSource(input);
  if (!(await looksLikeIndex(source, input.name, context))) {
    return [await planFile(input, source, changes, formats, context)];
  }
  const index = await planIndex(input.name, source, changes, context);
  const names = new Set(parseShardIndex(index.edit.before, source.name).weightMap.values());
  const edits: FileEdit[] = [];
  for (const name of [...names].sort()) {
    const shard = { ...input, name };
    // What only the index has is removed there.
    const own = { ...changes, remove: [] };
    const attempt = await planFile(shard, await openSource(shard), own, formats, context);
    const remove = changes.remove.filter((key) => attempt.edit.metadata.has(key));
    edits.push(
      remove.length === 0
        ? attempt
        : await planFile(shard, attempt.source, { ...changes, remove }, formats, context),
    );
  }
  return [...edits, index];
}

function checkChanges({ set, remove }: MetadataChanges): void {
  if (set.size + remove.length === 0) {
    throw new ConvertError("usage", "there is nothing to change", {
      hint: "say --metadata KEY=VALUE or --remove-metadata KEY",
    });
  }
  if (!remove.includes("format") && (set.get("format") ?? "pt") === "pt") return;
  throw new ConvertError("usage", 'the metadata key "format" is always "pt"', {
    hint: "loaders refuse files without it; choose another key",
  });
}

async function planFile(
  { name }: ModelInput,
  source: ByteSource,
  changes: MetadataChanges,
  formats: readonly Format[],
  context: RunContext,
): Promise<FileEdit> {
  const format = detectFormat(await probeSource(source, context), source, formats);
  if (format.loadEditor === undefined) {
    throw new ConvertError("unsupported", `${format.title} has no metadata that could be changed`, {
      file: source.name,
      hint: "convert it to safetensors, with --metadata KEY=VALUE",
    });
  }
  const edit = await (await format.loadEditor()).editMetadata(source, changes, context);
  return { name, source, edit, how: methodOf(edit, source.size) };
}

const indented: ObjectLayout = { before: "\n    ", between: ",\n    ", after: "\n  ", colon: ": " };

async function planIndex(
  name: string,
  source: ByteSource,
  changes: MetadataChanges,
  context: RunContext,
): Promise<FileEdit> {
  checkLimit(context.limits, "headerBytes", source.size, "the index's size", { file: source.name });
  const before = await readBytes(source, 0, source.size, context);
  parseShardIndex(before, source.name);
  const start = startOfValue(before);
  const metadata = memberSpans(before, start).find(({ key }) => key === "metadata");
  const at = metadata && before[metadata.valueStart] === 0x7b ? metadata.valueStart : undefined;
  const text = editObject(before, at, changes, indented, source.name);
  const head = metadata
    ? spliced(before, metadata.valueStart, metadata.end, text)
    : spliced(before, start + 1, start + 1, `\n  "metadata": ${text},`);
  const edit = { before, head, metadata: parseShardIndex(head, source.name).metadata };
  return { name, source, edit, how: methodOf(edit, source.size) };
}

/** Blocks of this size reach file and disk whole, so a change within one leaves the old bytes or the new. */
const blockBytes = 4096;

/**
 * A header may be changed in place only where no crash can leave half of the change. The system copies a write page by page and may
 * stop between two pages where the process is killed; disks write sectors, of 4 KiB today, whole. So what differs has to
 * lie within one block of 4 KiB. A longer change goes to a new file that takes the place of the old one at once.
 */
function methodOf({ before, head }: HeadEdit, size: number): EditMethod {
  if (before.length !== head.length) return { kind: "rewrite" };
  const start = firstDifference(before, head);
  if (start < 0) return { kind: "unchanged" };
  let end = head.length;
  while (before[end - 1] === head[end - 1]) end--;
  const isOneBlock = Math.floor(start / blockBytes) === Math.floor((end - 1) / blockBytes);
  return isOneBlock && end <= size ? { kind: "in-place", start, end } : { kind: "rewrite" };
}
