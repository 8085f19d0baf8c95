import type { RunContext } from "../../core/context.ts";
import type { Copier } from "../../core/copier.ts";
import type { ChecksumWatch } from "./checksums.ts";
import type { Chunk } from "./chunks.ts";
import { copyChunk, isCopyable } from "./copy-chunk.ts";
import { fillLate, type OutputFile, updateHash } from "./output-file.ts";

/** A chunk with the file it goes to, and its number there. */
export interface Errand {
  readonly chunk: Chunk;
  readonly index: number;
  readonly file: OutputFile;
}

/** What all errands of a run share. */
export interface TransferTools {
  readonly checksums: ChecksumWatch;
  /** Read also what is written already, since reading it counts something. */
  readonly recount: boolean;
  readonly copier: Copier | undefined;
}

/** Brings one chunk to its place: by way of `bytes`, or where nobody has to look at them, by the copier. */
export async function transfer(
  errand: Errand,
  bytes: Uint8Array,
  tools: TransferTools,
  context: RunContext,
): Promise<void> {
  const { chunk, index, file } = errand;
  const { sink, hash, observed } = file;
  const { checksums, recount, copier } = tools;
  const isThere = !hasLate(chunk) && chunk.end <= (sink.start ?? 0) && sink.readAt !== undefined;
  if (isThere && !recount && hash === undefined && !checksums.concerns(chunk.parts)) return;
  if (copier && !isThere && hash === undefined && isCopyable(chunk, sink)) {
    const write = async (rest: Chunk) => {
      const own = bytes.subarray(0, rest.size);
      await fill(rest, own, context);
      await pass({ ...errand, chunk: rest }, own, false, checksums, context);
    };
    await copyChunk(chunk, sink, copier, checksums, write, context);
    observed.done(index);
    return;
  }
  if (isThere && !recount) await eachRun(chunk, bytes, (run, position) => sink.readAt?.(run, position));
  else await fill(chunk, bytes, context);
  await pass(errand, bytes, isThere, checksums, context, () => observed.done(index));
}

function hasLate({ parts }: Chunk): boolean {
  return parts.some(({ piece }) => piece.kind === "late");
}

/** A chunk's bytes by the runs that they are in the file, one after the other. */
async function eachRun(
  { position, parts, patch }: Chunk,
  bytes: Uint8Array,
  use: (run: Uint8Array, position: number) => Promise<void> | undefined,
): Promise<void> {
  if (patch === undefined) return use(bytes, position);
  for (const [index, { from }] of parts.entries())
    await use(bytes.subarray(index * patch.length, (index + 1) * patch.length), position + from);
}

async function fill({ parts, patch }: Chunk, bytes: Uint8Array, context: RunContext): Promise<void> {
  const [first] = parts;
  if (patch && first?.piece.kind === "payload") {
    await first.piece.source.patchwork?.readPatch(bytes, patch, context);
    return;
  }
  let at = 0;
  for (const { piece, from, to } of parts) {
    const target = bytes.subarray(at, at + to - from);
    if (piece.kind === "bytes") target.set(piece.bytes.subarray(from, to));
    else if (piece.kind === "payload") await piece.source.readInto(target, from, context);
    at += target.length;
  }
}

/**
 * Works out checksums of a filled chunk and writes it. Hashes, and late pieces, which need the checksums of all before them, take
 * chunks in order; everything else takes them as they come.
 */
async function pass(
  { chunk, index, file: { sink, observed, hash } }: Errand,
  bytes: Uint8Array,
  isThere: boolean,
  checksums: ChecksumWatch,
  context: RunContext,
  onObserved?: () => void,
): Promise<void> {
  const isLate = hasLate(chunk);

  async function observe(): Promise<void> {
    if (isLate || hash) await observed.after(index);
    await checksums.observe(chunk.parts, bytes);
    if (isLate) fillLate(chunk, bytes, checksums);
    if (hash) await updateHash(hash, bytes, context);
    onObserved?.();
  }
  if (isLate) await observe();
  const written = isThere
    ? Promise.resolve()
    : eachRun(chunk, bytes, (run, position) => sink.writeAt(run, position));
  // Checksums are worked out while the bytes are on their way; both have to be over before the buffer is reused.
  await allSettled(isLate ? [written] : [written, observe()]);
}

/** Waits for all of them, and only then fails as the first that did: what they use is free afterwards. */
export async function allSettled(works: readonly Promise<unknown>[]): Promise<void> {
  const ends = await Promise.allSettled(works);
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}
