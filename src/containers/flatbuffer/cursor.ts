import type { RunContext } from "../../core/context.ts";
import { ConvertError } from "../../core/errors.ts";
import { type ByteSource, readBytes } from "../../core/source.ts";

/** Random access to a buffer with its last pages in memory. */
export interface FlatCursor {
  readonly source: ByteSource;
  /** Bytes `at` to `at + length`, for reading at once; throws kind `malformed` where they leave the buffer. */
  view(at: number, length: number): Promise<DataView>;
  /** Where the 32-bit offset at `at` points: it counts from its own place. */
  follow(at: number): Promise<number>;
  fail(message: string, offset: number): never;
}

const pageBytes = 64 * 1024;
const maxPages = 16;

/** A cursor over a source. */
export function createCursor(source: ByteSource, context: RunContext): FlatCursor {
  const pages = new Map<number, Uint8Array>();

  async function page(index: number): Promise<Uint8Array> {
    const start = index * pageBytes;
    const end = Math.min(source.size, start + pageBytes);
    const bytes = pages.get(index) ?? (await readBytes(source, start, end, context));
    // The latest use goes to the end, and what was not used for longest goes.
    pages.delete(index);
    pages.set(index, bytes);
    if (pages.size > maxPages) pages.delete(pages.keys().next().value as number);
    return bytes;
  }

  function fail(message: string, offset: number): never {
    throw new ConvertError("malformed", message, { file: source.name, offset });
  }

  async function view(at: number, length: number): Promise<DataView> {
    if (at < 0 || at + length > source.size) fail(`the flatbuffer points to byte ${at}, beyond its end`, at);
    const index = Math.floor(at / pageBytes);
    if (Math.floor((at + length - 1) / pageBytes) !== index)
      return new DataView((await readBytes(source, at, at + length, context)).buffer);
    const bytes = await page(index);
    return new DataView(bytes.buffer, bytes.byteOffset + (at % pageBytes), length);
  }

  return {
    source,
    view,
    follow: async (at) => at + (await view(at, 4)).getUint32(0, true),
    fail,
  };
}
