import { type ByteSource, checkRange } from "../core/source.ts";

/** Sources one behind the other, as one. */
export function joined(name: string, parts: readonly ByteSource[]): ByteSource {
  const [only] = parts;
  if (only && parts.length === 1) return only;
  const starts: number[] = [];
  let size = 0;
  for (const part of parts) {
    starts.push(size);
    size += part.size;
  }
  return {
    name,
    size,
    granule: largest(parts.map(({ granule }) => granule)),
    preferredBytes: largest(parts.map(({ preferredBytes }) => preferredBytes)),
    async readInto(target, offset, request) {
      checkRange(name, size, offset, target.length);
      const end = offset + target.length;
      for (const [index, part] of parts.entries()) {
        const start = starts[index] as number;
        const from = Math.max(offset, start);
        const to = Math.min(end, start + part.size);
        if (from < to)
          await part.readInto(target.subarray(from - offset, to - offset), from - start, request);
      }
    },
  };
}

/** Parts with elements of one width have one granule; those without one take any position. */
function largest(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}
