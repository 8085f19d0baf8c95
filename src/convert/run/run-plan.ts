import type { RunContext } from "../../core/context.ts";
import { throwIfCancelled } from "../../core/errors.ts";
import type { OutputPlan } from "../../core/plan.ts";
import type { ByteSink, OutputFolder, OutputJournal, OutputRequest } from "../../core/sink.ts";
import { type ChecksumWatch, createChecksumWatch } from "./checksums.ts";
import { cutIntoChunks } from "./chunks.ts";
import { copyableBytes } from "./copy-chunk.ts";
import { earlierSums } from "./earlier-sums.ts";
import { createMeter } from "./meter.ts";
import { finishFile, type OutputFile, outputFile } from "./output-file.ts";
import { sumsName, sumsSize, writeSums } from "./sha256-sums.ts";
import { allSettled, type Errand, transfer } from "./transfer.ts";

/** How to run a plan. */
export interface RunOptions {
  /** Hash every file while it is written, and add `SHA256SUMS`, or to it where it is there. */
  readonly checksums?: boolean | undefined;
  /** What a folder needs to know to go on after an interruption. */
  readonly journal?: OutputJournal | undefined;
  /** Read also what an interrupted run has written, since reading it counts something. */
  readonly recount?: boolean | undefined;
}

/**
 * Streams a plan: the only place where payload bytes move. `jobs` lanes each fill a buffer and write it, so that one
 * reads while another writes. All files appear under their names once all are complete; after a failure or a
 * cancellation nothing is left, or with a journal that is to be resumed, what a later run can go on from.
 */
export async function runPlan(
  plan: OutputPlan,
  folder: OutputFolder,
  isStale: OutputRequest["isStale"],
  context: RunContext,
  options: RunOptions = {},
): Promise<FinishedOutput> {
  const earlier = options.checksums ? await earlierSums(folder, plan.files, isStale) : undefined;
  const listed = [...(earlier?.kept.keys() ?? []), ...plan.files.map(({ name }) => name)];
  const sums = { name: sumsName, size: sumsSize(listed), amends: earlier !== undefined };
  const files = options.checksums ? [...plan.files, sums] : plan.files;
  await folder.prepare({ files, isStale, journal: options.journal });
  const sinks: ByteSink[] = [];
  let isShown = false;
  async function undo(): Promise<void> {
    for (const sink of sinks) await sink.discard();
    if (earlier && isShown) await (await writeWhole(folder, sumsName, earlier.bytes)).commit();
    await folder.abandon();
  }
  try {
    const hashes = await stream(plan, folder, sinks, options, context);
    const all = new Map([...(earlier?.kept ?? []), ...hashes]);
    if (options.checksums) sinks.push(await writeWhole(folder, sumsName, writeSums(all)));
    throwIfCancelled(context.signal);
    for (const sink of sinks) await sink.commit();
    isShown = true;
    await folder.settle();
    const resumed = sinks.reduce((sum, { start }) => sum + (start ?? 0), 0);
    return { undo, hashes, resumed, sumsBytes: options.checksums ? sums.size : undefined };
  } catch (error) {
    if (options.journal?.resume && folder.suspend) await folder.suspend();
    else await undo();
    throw error;
  }
}

/** Files that stand under their names. */
export interface FinishedOutput {
  /** Takes them away again, for instance because they were found wrong. */
  undo(): Promise<void>;
  /** SHA-256 of each file, where they were asked for. */
  readonly hashes: ReadonlyMap<string, string>;
  /** Bytes that an interrupted run had already written. */
  readonly resumed: number;
  /** Size of the list of hashes, where there is one. */
  readonly sumsBytes: number | undefined;
}

async function writeWhole(folder: OutputFolder, name: string, bytes: Uint8Array): Promise<ByteSink> {
  const sink = await folder.create(name, bytes.length);
  await sink.writeAt(bytes, 0);
  await sink.finish();
  return sink;
}

async function stream(
  plan: OutputPlan,
  folder: OutputFolder,
  sinks: ByteSink[],
  options: RunOptions,
  context: RunContext,
): Promise<ReadonlyMap<string, string>> {
  const checksums = createChecksumWatch(plan, context);
  const errands = createErrands(plan, folder, sinks, checksums, options, context);
  const meter = createMeter("write", plan.size, context);
  const recount = options.recount ?? false;
  const copier = wantsCopier(plan, folder, options) ? context.createCopier?.(context.jobs) : undefined;
  const tools = { checksums, recount, copier };
  let failed = false;

  async function carry(errand: Errand, buffer: Uint8Array): Promise<void> {
    throwIfCancelled(context.signal);
    await transfer(errand, buffer.subarray(0, errand.chunk.size), tools, context);
    await errands.done(errand);
    meter.add(errand.chunk.size, errand.file.planned.name);
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
      errands.fail(error);
      throw error;
    }
  }

  const lanes = Array.from({ length: folder.inOrder ? 1 : context.jobs }, () =>
    context.scratch.lend(context.bufferBytes, lane),
  );
  try {
    await allSettled(lanes);
  } finally {
    copier?.close();
  }
  return errands.hashes;
}

/** Threads take a while to start: this much is written meanwhile. */
const worthThreads = 64 * 1024 * 1024;

/** Hashes need all bytes to come by, and a sink that takes them in order only has nobody write past it. */
function wantsCopier(plan: OutputPlan, folder: OutputFolder, { checksums }: RunOptions): boolean {
  return !folder.inOrder && !checksums && copyableBytes(plan) >= worthThreads;
}

/** Hands out the chunks of all files in order; a file is created with its first chunk and finished after its last. */
function createErrands(
  plan: OutputPlan,
  folder: OutputFolder,
  sinks: ByteSink[],
  checksums: ChecksumWatch,
  options: RunOptions,
  context: RunContext,
) {
  const hashes = new Map<string, string>();
  const open = new Set<OutputFile>();

  async function* walk(): AsyncGenerator<Errand> {
    for (const planned of plan.files) {
      const sink = await folder.create(planned.name, planned.size);
      sinks.push(sink);
      const file = outputFile(planned, sink, options.checksums ?? false, context);
      open.add(file);
      // A hash takes the bytes in order.
      const order = folder.inOrder || file.hash ? "front-to-back" : "any";
      for (const chunk of cutIntoChunks(planned, context.bufferBytes, order)) {
        file.pending++;
        const index = file.reached.push(chunk.reaches) - 1;
        yield { chunk, index, file };
      }
      file.cut = true;
      if (file.pending === 0) await finish(file);
    }
  }

  async function finish(file: OutputFile): Promise<void> {
    open.delete(file);
    const hash = await finishFile(file, checksums);
    if (hash !== undefined) hashes.set(file.planned.name, hash);
  }

  const walker = walk();
  return {
    hashes,
    async next(): Promise<Errand | undefined> {
      const { value, done } = await walker.next();
      return done ? undefined : value;
    },
    async done({ file, index }: Errand): Promise<void> {
      // What was skipped was observed by nobody, and need not be.
      file.observed.done(index);
      file.written.done(index);
      file.sink.reached?.(file.reached[file.written.reached - 1] ?? 0);
      file.pending--;
      if (file.cut && file.pending === 0) await finish(file);
    },
    fail(error: unknown): void {
      for (const file of open) file.observed.fail(error);
    },
  };
}
