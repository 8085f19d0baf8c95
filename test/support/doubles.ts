import type { Scratch } from "../../src/core/scratch.ts";
import type { ByteSink, InputFolder, OutputFolder } from "../../src/core/sink.ts";
import { type ByteSource, bytesSource } from "../../src/core/source.ts";
import { memoryOutput } from "./memory.ts";

/** One write as a sink saw it. */
export interface RecordedWrite {
  readonly file: string;
  readonly position: number;
  readonly length: number;
}

/** A folder in memory that notes what is asked of it, and may meddle with each write. */
export interface RecordingFolder extends OutputFolder {
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly writes: readonly RecordedWrite[];
  /** Names of calls in order: `prepare`, `create a`, `finish a`, `commit a`, `discard a`, `settle`, `abandon`. */
  readonly calls: readonly string[];
}

/** What a recording folder does differently. */
export interface Meddling {
  readonly inOrder?: boolean;
  /** Called before a write is carried out; may throw, or change the bytes. */
  onWrite?(chunk: Uint8Array, write: RecordedWrite): void | Promise<void>;
  onCommit?(file: string): void;
}

/** A recording folder, empty. */
export function recordingFolder(meddling: Meddling = {}): RecordingFolder {
  const inner = memoryOutput();
  const writes: RecordedWrite[] = [];
  const calls: string[] = [];

  function recordingSink(sink: ByteSink): ByteSink {
    const note = (name: string) => calls.push(`${name} ${sink.name}`);
    return {
      name: sink.name,
      async writeAt(chunk, position) {
        const write = { file: sink.name, position, length: chunk.length };
        writes.push(write);
        const bytes = chunk.slice();
        await meddling.onWrite?.(bytes, write);
        await sink.writeAt(bytes, position);
      },
      async finish() {
        note("finish");
        await sink.finish();
      },
      async commit() {
        note("commit");
        meddling.onCommit?.(sink.name);
        await sink.commit();
      },
      async discard() {
        note("discard");
        await sink.discard();
      },
    };
  }

  return {
    files: inner.files,
    writes,
    calls,
    inOrder: meddling.inOrder ?? false,
    pathOf: inner.pathOf,
    async prepare() {
      calls.push("prepare");
    },
    async create(name, size) {
      calls.push(`create ${name}`);
      return recordingSink(await inner.create(name, size));
    },
    async settle() {
      calls.push("settle");
    },
    async abandon() {
      calls.push("abandon");
    },
  };
}

/** What was committed to a folder in memory, as the input of something else. */
export function readBack(files: ReadonlyMap<string, Uint8Array>): InputFolder {
  return {
    async open(name) {
      const bytes = files.get(name);
      return bytes && bytesSource(name, bytes);
    },
    close: async () => undefined,
  };
}

/** A pool that tells how much of it is out at once at the most; every loan is new memory. */
export function countingScratch(): Scratch & { readonly mostBytes: number } {
  let bytes = 0;
  let mostBytes = 0;
  return {
    get mostBytes() {
      return mostBytes;
    },
    async lend(size, use) {
      bytes += size;
      mostBytes = Math.max(mostBytes, bytes);
      try {
        return await use(new Uint8Array(size));
      } finally {
        bytes -= size;
      }
    },
  };
}

/** The bytes of `inner`, each turned around, worked out in borrowed memory as a cast would be. */
export function inverted(inner: ByteSource): ByteSource {
  return {
    name: `${inner.name} inverted`,
    size: inner.size,
    async readInto(target, offset, request) {
      if (request?.scratch === undefined) throw new Error("the executor has to lend memory");
      await request.scratch.lend(target.length, async (buffer) => {
        await inner.readInto(buffer, offset, request);
        for (let at = 0; at < target.length; at++) target[at] = ~(buffer[at] as number);
      });
    },
  };
}
