import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { planOutput } from "../../src/convert/plan/plan-output.ts";
import { createChecksumWatch } from "../../src/convert/run/checksums.ts";
import { cutIntoChunks } from "../../src/convert/run/chunks.ts";
import { copyChunk, isCopyable } from "../../src/convert/run/copy-chunk.ts";
import { runPlan } from "../../src/convert/run/run-plan.ts";
import { createContext } from "../../src/core/context.ts";
import { type TensorDict, tensorDict } from "../../src/core/dict.ts";
import { outputPlan, type Piece, plannedFile } from "../../src/core/plan.ts";
import { type ByteSource, bytesSource } from "../../src/core/source.ts";
import { pytorch } from "../../src/formats/pytorch/index.ts";
import { platform } from "../../src/node/platform.ts";
import { concatenate } from "../support/concatenate.ts";
import { recordingFolder } from "../support/doubles.ts";
import { sha256 } from "../support/files.ts";
import { openFiles } from "../support/placed.ts";

function pattern(size: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => (index * 31 + (index >> 8) + seed) & 0xff);
}

/** Around the size from which a copier is asked. */
const size = fc.constantFrom(0, 1, 1000, 262_143, 262_144, 600_000);
const pieceKind = fc.constantFrom("bytes", "placed", "unplaced");

describe("a chunk that a copier helps with", () => {
  test("is the same wherever its parts come from, and whatever is handed back", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(pieceKind, size), { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 4 }),
        async (kinds, patience) => {
          const files = openFiles();
          const contents = kinds.map(([, bytes], index) => pattern(bytes, index));
          const pieces = kinds.map(([kind], index): Piece => {
            const bytes = contents[index] as Uint8Array;
            if (kind === "bytes") return { kind, bytes };
            const source = kind === "placed" ? files.source("in", bytes) : bytesSource("in", bytes);
            return { kind: "payload", tensor: `t${index}`, source };
          });
          const file = plannedFile("out", pieces, 0);
          const out = new Uint8Array(file.size);
          const sink = files.sink("out", out);
          let asked = 0;
          const copier = files.copier(() => ++asked % patience === 0);
          const context = createContext();
          const checksums = createChecksumWatch(outputPlan("none", [file]), context);
          for (const chunk of cutIntoChunks(file, 700_000, "any")) {
            await copyChunk(
              chunk,
              sink,
              copier,
              checksums,
              async ({ parts, position, size: bytes }) => {
                const own = new Uint8Array(bytes);
                let at = 0;
                for (const { piece, from, to } of parts) {
                  if (piece.kind === "bytes") own.set(piece.bytes.subarray(from, to), at);
                  if (piece.kind === "payload")
                    await piece.source.readInto(own.subarray(at, at + to - from), from);
                  at += to - from;
                }
                out.set(own, position);
              },
              context,
            );
          }
          expect(sha256(out)).toBe(sha256(await concatenate(pieces)));
        },
      ),
      { numRuns: 40 },
    );
  });

  test("is one with a long run of a file, into a file", () => {
    const files = openFiles();
    const chunkOf = (source: ByteSource) => {
      const file = plannedFile("out", [{ kind: "payload", tensor: "t", source }], 1);
      return [...cutIntoChunks(file, 2 ** 20, "any")][0] as Parameters<typeof isCopyable>[0];
    };
    const long = chunkOf(files.source("in", new Uint8Array(300_000)));
    const short = chunkOf(files.source("in", new Uint8Array(200_000)));
    const computed = chunkOf(bytesSource("in", new Uint8Array(300_000)));
    const { place: _, ...memory } = files.sink("out", new Uint8Array(300_000));
    const sink = files.sink("out", new Uint8Array(300_000));
    expect([long, short, computed].map((chunk) => isCopyable(chunk, sink))).toEqual([true, false, false]);
    expect(isCopyable(long, memory)).toBe(false);
  });
});

const large = [30_000_000, 999, 40_000_001];

function dictOf(sources: readonly ByteSource[]): TensorDict {
  return tensorDict(
    new Map(sources.map((payload) => [payload.name, { dtype: "U8", shape: [payload.size], payload }])),
  );
}

async function writtenWith(
  dict: TensorDict,
  files: ReturnType<typeof openFiles>,
  options: { readonly checksums?: boolean; readonly inOrder?: boolean } = {},
): Promise<{ readonly hash: string; readonly left: readonly string[] }> {
  const folder = recordingFolder({ inOrder: options.inOrder ?? false });
  const { plan } = await planOutput(dict, pytorch, "model.pth", {});
  const context = createContext({ ...platform, createCopier: () => files.copier() });
  await runPlan(plan, files.folder(folder), () => false, context, { checksums: options.checksums });
  const [bytes = new Uint8Array(0)] = folder.files.values();
  return { hash: sha256(bytes), left: folder.calls.filter((call) => call.startsWith("discard")) };
}

describe("a run with a copier", () => {
  const contents = large.map(pattern);
  const sourcesOf = (files: ReturnType<typeof openFiles>) =>
    contents.map((bytes, index) => files.source(`t${index}`, bytes));

  test("writes what one without it does, checksums of a zip included", async () => {
    const files = openFiles();
    const plain = await writtenWith(
      dictOf(contents.map((bytes, index) => bytesSource(`t${index}`, bytes))),
      openFiles(),
    );
    const copied = await writtenWith(dictOf(sourcesOf(files)), files);
    expect(copied).toEqual(plain);
    expect(files.requests.reduce((sum, request) => sum + request.size, 0)).toBeGreaterThan(69_000_000);
    expect(files.closed).toBe(1);
  });

  test("has none where hashes are asked for, or bytes go in order", async () => {
    for (const options of [{ checksums: true }, { inOrder: true }]) {
      const files = openFiles();
      await writtenWith(dictOf(sourcesOf(files)), files, options);
      expect(files.requests).toEqual([]);
    }
  });

  test("finds bytes that belie their checksum", async () => {
    const files = openFiles();
    const sources = sourcesOf(files).map((source) => ({ ...source, crc32: 1 }));
    await expect(writtenWith(dictOf(sources), files)).rejects.toMatchObject({ kind: "malformed" });
    expect(files.closed).toBe(1);
  });
});
