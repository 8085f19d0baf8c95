import type { RunContext } from "../core/context.ts";
import { throwIfCancelled } from "../core/errors.ts";
import { type LatePiece, type OutputPlan, type PlannedFile, pieceSize } from "../core/plan.ts";
import type { ByteSink, OutputFolder, OutputRequest } from "../core/sink.ts";
import { type ChecksumWatch, createChecksumWatch } from "./checksums.ts";
import { type Chunk, cutIntoChunks, shortLateBytes } from "./chunks.ts";
import { createMeter } from "./meter.ts";

/**
 * Streams a plan: the only place where payload bytes move. `jobs` lanes each fill a buffer and write it, so that one
 * reads while another writes. All files appear under their names once all are complete; after a failure or a
 * cancellation nothing is left.
 */
export async function runPlan(
  plan: OutputPlan,
  folder: OutputFolder,
  isStale: OutputRequest["isStale"],
  context: RunContext,
): Promise<FinishedOutput> {
  await folder.prepare({ files: plan.files, isStale });
  const sinks: ByteSink[] = [];
  async function undo(): Promise<void> {
    for (const sink of sinks) await sink.discard();
    await folder.abandon();
  }
  try {
    await stream(plan, folder, sinks, context);
    throwIfCancelled(context.signal);
    for (const sink of sinks) await sink.commit();
    await folder.settle();
    return { undo };
  } catch (error) {
    await undo();
    throw error;
  }
}

/** Files that stand under their names. */
export interface FinishedOutput {
  /** Takes them away again, for instance because they were found wrong. */
  undo(): Promise<void>;
}

/** A chunk with the file it goes to. */
interface Errand {
  readonly chunk: Chunk;
  readonly file: OpenFile;
}

/** A file that is being written. */
interface OpenFile {
  readonly planned: PlannedFile;
  readonly sink: ByteSink;
  /** Chunks handed out and not yet written. */
  pending: number;
  /** Whether its last chunk is handed out. */
  cut: boolean;
  /** Late pieces that have to wait for the rest of the file, with their positions. */
  readonly deferred: { readonly piece: LatePiece; readonly position: number }[];
}

async function stream(
  plan: OutputPlan,
  folder: OutputFolder,
  sinks: ByteSink[],
  context: RunContext,
): Promise<void> {
  const checksums = createChecksumWatch(plan, context);
  const errands = createErrands(plan, folder, sinks, checksums, context.bufferBytes);
  const meter = createMeter("write", plan.size, context);
  let failed = false;

  async function carry({ chunk, file }: Errand, buffer: Uint8Array): Promise<void> {
    throwIfCancelled(context.signal);
    const bytes = buffer.subarray(0, chunk.size);
    await fill(chunk, bytes, context);
    if (chunk.parts.some(({ piece }) => piece.kind === "late")) {
      await checksums.observe(chunk.parts, bytes);
      fillLate(chunk, bytes, file, checksums);
      await file.sink.writeAt(bytes, chunk.position);
    } else {
      const written = file.sink.writeAt(bytes, chunk.position);
      // Checksums are worked out while the bytes are on their way; both have to be over before the buffer is reused.
      await allSettled([written, checksums.observe(chunk.parts, bytes)]);
    }
    await errands.done(file);
    meter.add(chunk.size, file.planned.name);
  }

  /** Two wide chunks at a time, whose memory goes back to the pool: one is filled while the other is written. */
  const wideTurns: Promise<unknown>[] = [Promise.resolve(), Promise.resolve()];
  function carryWide(errand: Errand): Promise<void> {
    const turn = wideTurns.shift() as Promise<unknown>;
    const mine = turn.then(() => context.scratch.lend(errand.chunk.size, (buffer) => carry(errand, buffer)));
    wideTurns.push(mine.catch(() => undefined));
    return mine;
  }

  async function lane(buffer: Uint8Array): Promise<void> {
    try {
      for (let errand = await errands.next(); errand && !failed; errand = await errands.next()) {
        await (errand.chunk.size > buffer.length ? carryWide(errand) : carry(errand, buffer));
      }
    } catch (error) {
      failed = true;
      throw error;
    }
  }

  const lanes = Array.from({ length: folder.inOrder ? 1 : context.jobs }, () =>
    context.scratch.lend(context.bufferBytes, lane),
  );
  await allSettled(lanes);
}

/** Waits for all of them, and only then fails as the first that did: what they use is free afterwards. */
async function allSettled(works: readonly Promise<unknown>[]): Promise<void> {
  const ends = await Promise.allSettled(works);
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}

async function fill({ parts }: Chunk, bytes: Uint8Array, context: RunContext): Promise<void> {
  let at = 0;
  for (const { piece, from, to } of parts) {
    const target = bytes.subarray(at, at + to - from);
    if (piece.kind === "bytes") target.set(piece.bytes.subarray(from, to));
    else if (piece.kind === "payload") await piece.source.readInto(target, from, context);
    at += target.length;
  }
}

/** Late pieces whose payloads are all seen go along with their chunk; the others wait for the end of the file. */
function fillLate(
  { parts, position }: Chunk,
  bytes: Uint8Array,
  file: OpenFile,
  checksums: ChecksumWatch,
): void {
  let at = 0;
  for (const { piece, from, to } of parts) {
    const target = bytes.subarray(at, at + to - from);
    if (piece.kind === "late") {
      const ready = piece.needs.every((source) => checksums.crc32Of(source) !== undefined);
      if (ready) target.set(buildLate(piece, checksums));
      else file.deferred.push({ piece, position: position + at });
    }
    at += target.length;
  }
}

function buildLate(piece: LatePiece, checksums: ChecksumWatch): Uint8Array {
  return piece.build((source) => checksums.crc32Of(source) as number);
}

/** Hands out the chunks of all files in order; a file is created with its first chunk and finished after its last. */
function createErrands(
  plan: OutputPlan,
  folder: OutputFolder,
  sinks: ByteSink[],
  checksums: ChecksumWatch,
  chunkBytes: number,
) {
  async function* walk(): AsyncGenerator<Errand> {
    for (const planned of plan.files) {
      const sink = await folder.create(planned.name, planned.size);
      sinks.push(sink);
      const file: OpenFile = { planned, sink, pending: 0, cut: false, deferred: longLatePieces(planned) };
      for (const chunk of cutIntoChunks(planned, chunkBytes)) {
        file.pending++;
        yield { chunk, file };
      }
      file.cut = true;
      if (file.pending === 0) await finish(file);
    }
  }

  async function finish({ sink, deferred }: OpenFile): Promise<void> {
    deferred.sort((a, b) => a.position - b.position);
    for (const { piece, position } of deferred) await sink.writeAt(buildLate(piece, checksums), position);
    await sink.finish();
  }

  const walker = walk();
  return {
    async next(): Promise<Errand | undefined> {
      const { value, done } = await walker.next();
      return done ? undefined : value;
    },
    async done(file: OpenFile): Promise<void> {
      file.pending--;
      if (file.cut && file.pending === 0) await finish(file);
    },
  };
}

/** The directory of a zip, say: it stands at the end and is written once everything before it is. */
function longLatePieces(file: PlannedFile): OpenFile["deferred"] {
  const deferred: OpenFile["deferred"] = [];
  let position = 0;
  for (const piece of file.pieces) {
    if (piece.kind === "late" && piece.size > shortLateBytes) deferred.push({ piece, position });
    position += pieceSize(piece);
  }
  return deferred;
}
