import type { RunContext } from "../core/context.ts";
import { throwIfCancelled } from "../core/errors.ts";
import type { OutputPlan, PlannedFile } from "../core/plan.ts";
import type { ByteSink, OutputFolder, OutputRequest } from "../core/sink.ts";
import { createChecksumWatch } from "./checksums.ts";
import { type Chunk, cutIntoChunks } from "./chunks.ts";
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
): Promise<void> {
  await folder.prepare({ files: plan.files, isStale });
  const sinks: ByteSink[] = [];
  try {
    await stream(plan, folder, sinks, context);
    throwIfCancelled(context.signal);
    for (const sink of sinks) await sink.commit();
    await folder.settle();
  } catch (error) {
    for (const sink of sinks) await sink.discard();
    await folder.abandon();
    throw error;
  }
}

/** A chunk with the sink it goes to. */
interface Errand {
  readonly chunk: Chunk;
  readonly sink: ByteSink;
}

async function stream(
  plan: OutputPlan,
  folder: OutputFolder,
  sinks: ByteSink[],
  context: RunContext,
): Promise<void> {
  const errands = createErrands(plan, folder, sinks, context.bufferBytes);
  const checksums = createChecksumWatch(context);
  const meter = createMeter("write", plan.size, context);
  let failed = false;

  async function lane(buffer: Uint8Array): Promise<void> {
    try {
      for (let errand = await errands.next(); errand && !failed; errand = await errands.next()) {
        throwIfCancelled(context.signal);
        const bytes = buffer.subarray(0, errand.chunk.size);
        await fill(errand.chunk, bytes, context);
        const written = errand.sink.writeAt(bytes, errand.chunk.position);
        // Checksums are worked out while the bytes are on their way; both have to be over before the buffer is reused.
        await Promise.all([written, Promise.resolve().then(() => checksums.observe(errand.chunk, bytes))]);
        await errands.done(errand.chunk.file);
        meter.add(errand.chunk.size, errand.chunk.file.name);
      }
    } catch (error) {
      failed = true;
      throw error;
    }
  }

  const lanes = Array.from({ length: folder.inOrder ? 1 : context.jobs }, () =>
    context.scratch.lend(context.bufferBytes, lane),
  );
  const ends = await Promise.allSettled(lanes);
  for (const end of ends) if (end.status === "rejected") throw end.reason;
}

async function fill({ parts }: Chunk, bytes: Uint8Array, context: RunContext): Promise<void> {
  let at = 0;
  for (const { piece, from, to } of parts) {
    const target = bytes.subarray(at, at + to - from);
    if (piece.kind === "bytes") target.set(piece.bytes.subarray(from, to));
    else await piece.source.readInto(target, from, context);
    at += target.length;
  }
}

/** Hands out the chunks of all files in order; a file is created with its first chunk and finished after its last. */
function createErrands(plan: OutputPlan, folder: OutputFolder, sinks: ByteSink[], chunkBytes: number) {
  const open = new Map<PlannedFile, { readonly sink: ByteSink; pending: number; cut: boolean }>();

  async function* walk(): AsyncGenerator<Errand> {
    for (const file of plan.files) {
      const sink = await folder.create(file.name, file.size);
      sinks.push(sink);
      const state = { sink, pending: 0, cut: false };
      open.set(file, state);
      for (const chunk of cutIntoChunks(file, chunkBytes)) {
        state.pending++;
        yield { chunk, sink };
      }
      state.cut = true;
      if (state.pending === 0) await sink.finish();
    }
  }

  const walker = walk();
  return {
    async next(): Promise<Errand | undefined> {
      const { value, done } = await walker.next();
      return done ? undefined : value;
    },
    async done(file: PlannedFile): Promise<void> {
      const state = open.get(file);
      if (state === undefined || --state.pending > 0 || !state.cut) return;
      open.delete(file);
      await state.sink.finish();
    },
  };
}
