import fc from "fast-check";
import JSZip from "jszip";
import { describe, expect, test } from "vitest";
import { buildZip, storedBlock } from "../../scripts/fixtures/failure/zip.mjs";
import { crc32 } from "../../src/bytes/crc32.ts";
import { readZipDirectory } from "../../src/containers/zip/directory.ts";
import { entrySource } from "../../src/containers/zip/entry.ts";
import { createContext } from "../../src/core/context.ts";
import { ConvertError } from "../../src/core/errors.ts";
import { bytesSource } from "../../src/core/source.ts";
import { platform } from "../../src/node/platform.ts";
import { outcomeOf } from "../support/outcome.ts";

/** All entries of an archive, each read in steps and held against its checksum. */
async function unzip(
  bytes: Uint8Array,
  step = 1 << 16,
  context = createContext(),
): Promise<Map<string, Uint8Array>> {
  const archive = bytesSource("sample.zip", bytes);
  const { entries } = await readZipDirectory(archive, context);
  const contents = new Map<string, Uint8Array>();
  for (const entry of entries) {
    const source = entrySource(archive, entry, context);
    const content = new Uint8Array(source.size);
    // An empty entry is read too, so that its own header is looked at.
    for (let at = 0; at === 0 || at < source.size; at += step) {
      await source.readInto(content.subarray(at, Math.min(source.size, at + step)), at);
    }
    if (source.crc32 !== undefined && source.crc32 !== crc32(content, 0))
      throw new ConvertError("malformed", "checksum", { file: entry.name });
    contents.set(entry.name, content);
  }
  return contents;
}

const contents = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.tuple(fc.nat(255), fc.nat(3000)).map(([byte, size]) => new Uint8Array(size).fill(byte)),
  ),
  { minLength: 1, maxLength: 5 },
);
/** With entries unpacked as streams, and with small ones unpacked at once. */
const contexts = fc.constantFrom(createContext(), createContext({ inflate: platform.inflate }));
const compression = fc.constantFrom("STORE" as const, "DEFLATE" as const);

async function zipped(
  files: ReadonlyMap<string, Uint8Array>,
  method: "STORE" | "DEFLATE",
): Promise<Uint8Array> {
  const zip = new JSZip();
  for (const [name, bytes] of files) zip.file(name, bytes, { createFolders: false });
  return zip.generateAsync({ type: "uint8array", compression: method });
}

function numbered(parts: readonly Uint8Array[]): Map<string, Uint8Array> {
  return new Map(parts.map((part, index) => [`archive/data/${index}`, part]));
}

describe("the zip reader", () => {
  test("reads what another library writes, in steps of any size", async () => {
    const names = fc.uniqueArray(fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 }), {
      selector: (name) => name.toLowerCase(),
      minLength: 1,
      maxLength: 5,
    });
    await fc.assert(
      fc.asyncProperty(
        names,
        contents,
        compression,
        fc.integer({ min: 7, max: 5000 }),
        contexts,
        async (keys, parts, method, step, context) => {
          const files = new Map(
            keys.map((key, index) => [`x${key}y`, parts[index % parts.length] as Uint8Array]),
          );
          expect(await unzip(await zipped(files, method), step, context)).toEqual(files);
        },
      ),
      { numRuns: 200 },
    );
  });

  test("reads a deflated entry at any two places, in any order", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(5000), fc.nat(5000), contexts, async (a, b, context) => {
        const data = Uint8Array.from({ length: 5001 }, (_, index) => (index * 7) % 251);
        const bytes = buildZip([{ name: "a/0", data, packed: storedBlock(data), method: 8 }]);
        const archive = bytesSource("sample.zip", bytes);
        const { entries } = await readZipDirectory(archive, context);
        const source = entrySource(archive, entries[0] as (typeof entries)[0], context);
        const reads = [a, b].map(async (at) => {
          const target = new Uint8Array(Math.min(100, 5001 - at));
          await source.readInto(target, at);
          expect(target).toEqual(data.subarray(at, at + target.length));
        });
        await Promise.all(reads);
      }),
      { numRuns: 100 },
    );
  });

  test("after a change of any one byte gives the same contents or refuses the archive", async () => {
    await fc.assert(
      fc.asyncProperty(
        contents,
        compression,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        contexts,
        async (parts, method, at, change, context) => {
          const files = numbered(parts);
          const bytes = await zipped(files, method);
          const where = at % bytes.length;
          bytes[where] = (bytes[where] as number) ^ change;
          const { value } = await outcomeOf(() => unzip(bytes, undefined, context));
          if (value) expect(value).toEqual(files);
        },
      ),
      { numRuns: 1500 },
    );
  });

  test("refuses lies in any header field, or gives the same contents", async () => {
    const field = fc.oneof(fc.nat(80), fc.nat(0xffff), fc.constant(0xffffffff));
    const lies = fc.record(
      {
        method: fc.constantFrom(0, 8, 12),
        flags: field,
        crc: field,
        bytes: field,
        packedBytes: field,
        offset: field,
        nameLength: fc.nat(60),
      },
      { requiredKeys: [] },
    );
    const end = fc.record(
      { count: field, directoryBytes: field, directoryStart: field },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(lies, lies, end, fc.option(end), async (local, central, short, wide) => {
        const files = numbered([Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5, 6)]);
        const entries = [...files].map(([name, data], index) => ({
          name,
          data,
          ...(index === 0 ? { local, central } : {}),
        }));
        const { value } = await outcomeOf(() =>
          unzip(buildZip(entries, { end: short, ...(wide ? { zip64: wide } : {}) })),
        );
        // A checksum of zero means that none was taken; the contents are those of the file all the same.
        if (value) expect(value).toEqual(files);
      }),
      { numRuns: 2000 },
    );
  });

  test("ends any bytes before an end record with words", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 200 }),
        fc.nat(300),
        fc.nat(300),
        async (bytes, size, start) => {
          const end = buildZip([], { end: { count: 1, directoryBytes: size, directoryStart: start } });
          const { error } = await outcomeOf(() => unzip(Buffer.concat([bytes, end])));
          expect(error?.kind).toMatch(/malformed|unsupported/);
        },
      ),
      { numRuns: 500 },
    );
  });
});
