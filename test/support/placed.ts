import { crc32 } from "../../src/bytes/crc32.ts";
import type { Copier, CopyRequest } from "../../src/core/copier.ts";
import type { ByteSink, OutputFolder } from "../../src/core/sink.ts";
import { type ByteSource, bytesSource } from "../../src/core/source.ts";

/** Open files in memory: sources and sinks over them know where their bytes lie, and a copier copies between them. */
export interface OpenFiles {
  source(name: string, bytes: Uint8Array): ByteSource;
  /** The same folder with sinks that can be written past. */
  folder(inner: OutputFolder): OutputFolder;
  /** A sink over bytes that are there. */
  sink(name: string, bytes: Uint8Array): ByteSink;
  /** Does as it is told, but hands back what `refuses` says. */
  copier(refuses?: (request: CopyRequest) => boolean): Copier;
  readonly requests: readonly CopyRequest[];
  /** Copiers that were closed. */
  readonly closed: number;
}

/** None open yet. */
export function openFiles(): OpenFiles {
  const reads: Uint8Array[] = [];
  const sinks: ByteSink[] = [];
  const requests: CopyRequest[] = [];
  let closed = 0;

  function placed(sink: ByteSink): ByteSink {
    const handle = sinks.push(sink) - 1;
    return { ...sink, place: (position) => ({ handle, position, file: sink.name }) };
  }

  return {
    requests,
    get closed() {
      return closed;
    },
    source(name, bytes) {
      const handle = reads.push(bytes) - 1;
      return { ...bytesSource(name, bytes), place: async (position) => ({ handle, position, file: name }) };
    },
    folder: (inner) => ({ ...inner, create: async (name, size) => placed(await inner.create(name, size)) }),
    sink: (name, bytes) =>
      placed({
        name,
        writeAt: async (chunk, position) => bytes.set(chunk, position),
        finish: async () => undefined,
        commit: async () => undefined,
        discard: async () => undefined,
      }),
    copier: (refuses = () => false) => ({
      async copy(request) {
        if (refuses(request)) return undefined;
        requests.push(request);
        const { from, to, size } = request;
        const bytes = (reads[from.handle] as Uint8Array).subarray(from.position, from.position + size);
        await sinks[to.handle]?.writeAt(bytes, to.position);
        return request.wantsCrc32 ? crc32(bytes, 0) : 0;
      },
      close() {
        closed++;
      },
    }),
  };
}
