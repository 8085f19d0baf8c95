import type { RunContext } from "../../core/context.ts";
import { ConvertError } from "../../core/errors.ts";
import { checkLimit } from "../../core/limits.ts";
import { type ByteSource, readBytes, section } from "../../core/source.ts";

const blockBytes = 512;

/**
 * The regular files of an uncompressed tar by name (POSIX ustar), added to `members` one by one. Throws kind `malformed` for
 * a broken one; `members` then has those before the break.
 */
export async function readTarArchive(
  source: ByteSource,
  context: RunContext,
  members: Map<string, ByteSource> = new Map(),
): Promise<ReadonlyMap<string, ByteSource>> {
  let at = 0;
  while (at + blockBytes <= source.size) {
    const header = await readBytes(source, at, at + blockBytes, context);
    // Two empty blocks end the archive.
    if (header.every((byte) => byte === 0)) break;
    const site = { file: source.name, offset: at };
    checkHeader(header, site);
    const size = octal(header, 124, 12);
    const start = at + blockBytes;
    if (size === undefined) throw new ConvertError("malformed", "a tar header has no size", site);
    if (start + size > source.size) {
      throw new ConvertError("io", "the tar archive ends within a member", {
        ...site,
        hint: "the file is cut short; download or save it again",
      });
    }
    const name = text(header, 0, 100);
    // Type "0" or NUL is a regular file; links and devices are passed over.
    if (header[156] === 0x30 || header[156] === 0) {
      if (members.has(name))
        throw new ConvertError("malformed", `the tar has two members named "${name}"`, site);
      members.set(name, section(source, start, start + size, `${source.name}#${name}`));
    }
    checkLimit(context.limits, "entries", members.size, "the number of tar members", site);
    at = start + Math.ceil(size / blockBytes) * blockBytes;
  }
  if (at > source.size) {
    throw new ConvertError("io", "the tar archive ends within a member", {
      file: source.name,
      offset: source.size,
      hint: "the file is cut short; download or save it again",
    });
  }
  return members;
}

/** The checksum is the sum of all bytes with its own field counted as spaces. */
function checkHeader(header: Uint8Array, site: { file: string; offset: number }): void {
  let sum = 8 * 0x20;
  for (const [index, byte] of header.entries()) if (index < 148 || index >= 156) sum += byte;
  if (octal(header, 148, 8) !== sum)
    throw new ConvertError("malformed", "a tar header's checksum is wrong", site);
}

function octal(header: Uint8Array, start: number, length: number): number | undefined {
  const digits = text(header, start, length).trim();
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : undefined;
}

function text(header: Uint8Array, start: number, length: number): string {
  const field = header.subarray(start, start + length);
  const end = field.indexOf(0);
  return String.fromCharCode(...field.subarray(0, end < 0 ? length : end));
}
