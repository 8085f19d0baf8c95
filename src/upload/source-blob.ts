import type { ByteSource } from "../core/source.ts";

/** Bytes handed on at once. */
const partBytes = 1024 * 1024;

/**
 * A source in the form that the Hub's client takes: bytes `start` to `end` of it as a blob. Nothing is read before it is
 * asked for, and a stream holds one part at a time.
 */
export function sourceBlob(source: ByteSource, start = 0, end = source.size): Blob {
  const size = end - start;

  async function arrayBuffer(): Promise<ArrayBuffer> {
    const bytes = new Uint8Array(size);
    await source.readInto(bytes, start);
    return bytes.buffer;
  }

  // A blob by its prototype, for those who ask; all that is used of it is its own.
  return Object.create(Blob.prototype, {
    size: { value: size },
    type: { value: "" },
    arrayBuffer: { value: arrayBuffer },
    text: { value: async () => new TextDecoder().decode(await arrayBuffer()) },
    stream: { value: () => streamOf(source, start, end) },
    slice: {
      value(from = 0, to = size) {
        const first = Math.min(Math.max(from, 0), size);
        return sourceBlob(source, start + first, start + Math.min(Math.max(to, first), size));
      },
    },
  }) as Blob;
}

function streamOf(source: ByteSource, start: number, end: number): ReadableStream<Uint8Array> {
  let at = start;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (at >= end) {
        controller.close();
        return;
      }
      const part = new Uint8Array(Math.min(partBytes, end - at));
      await source.readInto(part, at);
      at += part.length;
      controller.enqueue(part);
    },
  });
}
