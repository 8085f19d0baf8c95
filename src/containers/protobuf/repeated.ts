import { type WireField, wireType } from "./wire.ts";

/**
 * Values of a repeated scalar field that lie behind each other. A field may be packed, one length and then the bare
 * values, or not, each value with a tag of its own; and a writer may use both in turn, which makes several runs.
 */
export interface WireRun {
  /** First byte: of a value, or of a tag where there are tags. */
  readonly start: number;
  readonly end: number;
  /** Bytes of the tag in front of each value; 0 where they are packed. */
  readonly tagBytes: number;
}

/** Adds a field to the runs before it; whoever reads the values has to check that packed ones are of the right size. */
export function addRun(runs: WireRun[], field: WireField): void {
  if (field.type === wireType.bytes) {
    if (field.end > field.start) runs.push({ start: field.start, end: field.end, tagBytes: 0 });
    return;
  }
  const tagBytes = field.start - field.tagStart;
  const last = runs.at(-1);
  if (last?.end === field.tagStart && last.tagBytes === tagBytes)
    runs[runs.length - 1] = { ...last, end: field.end };
  else runs.push({ start: field.tagStart, end: field.end, tagBytes });
}

/** How many numbers of `itemBytes` each, 4 or 8, whole ones, the runs hold. */
export function countFixed(runs: readonly WireRun[], itemBytes: number): number {
  return runs.reduce(
    (sum, { start, end, tagBytes }) => sum + Math.floor((end - start) / (itemBytes + tagBytes)),
    0,
  );
}
