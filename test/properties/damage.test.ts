import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { readZipDirectory, type ZipEntry } from "../../src/containers/zip/directory.ts";
import { chooseStateDict } from "../../src/convert/open/choose-state-dict.ts";
import { openModel } from "../../src/convert/open/open-model.ts";
import { createContext } from "../../src/core/context.ts";
import { bytesSource } from "../../src/core/source.ts";
import { builtinFormats } from "../../src/formats/index.ts";
import { fixtures } from "../support/files.ts";
import { dictsOf, type ManifestRow, manifest } from "../support/manifest.ts";
import { convertBytes, memoryInput } from "../support/memory.ts";
import { outcomeOf } from "../support/outcome.ts";

/** Real files that are small enough to be damaged in many ways. */
const samples = manifest
  .filter(
    ({ file, format, tensors }) =>
      format !== "safetensors-index" && !/sharded/.test(file) && tensors?.length !== 0,
  )
  .map((row) => ({ row, bytes: Uint8Array.from(readFileSync(join(fixtures, row.file))) }))
  .filter(({ bytes }) => bytes.length < 6000)
  .map(({ row, bytes }) => ({ file: row.file, select: selectOf(row), bytes }));

function selectOf(row: ManifestRow): string | undefined {
  return dictsOf(row)[0]?.[0];
}

type Sample = (typeof samples)[number];
const cases = samples.map((sample) => [sample.file, sample] as const);

/** The same numbers on every run, so that a failure can be repeated: a linear congruential generator. */
function numbers(seed: number): (below: number) => number {
  let state = BigInt(seed) + 1n;
  return (below) => {
    state = (state * 6364136223846793005n + 1442695040888963407n) % 2n ** 64n;
    return Number((state >> 33n) % BigInt(below));
  };
}

function flipped(bytes: Uint8Array, at: number, bit: number): Uint8Array {
  const damaged = bytes.slice();
  damaged[at] = (damaged[at] as number) ^ (1 << bit);
  return damaged;
}

/** Names of the records that tensors of the chosen state dict show whole, and whose checksum is known. */
async function checkedRecords({ file, select, bytes }: Sample): Promise<ReadonlySet<string>> {
  const context = createContext();
  const { checkpoint, name } = await openModel(
    memoryInput(file, bytes),
    { formats: builtinFormats },
    context,
  );
  const { tensors } = chooseStateDict(checkpoint, select, name, context).load();
  const payloads = [...tensors.values()].map(({ payload }) => payload);
  const checked = payloads.filter((payload) => payload.crc32 !== undefined);
  return new Set(checked.map((payload) => payload.name.split("#")[1] as string));
}

/** Where the bytes of a stored entry lie; its own header tells the length of what precedes them. */
function dataRange(bytes: Uint8Array, entry: ZipEntry): { start: number; end: number } {
  const view = new DataView(bytes.buffer, entry.headerOffset);
  const start = entry.headerOffset + 30 + view.getUint16(26, true) + view.getUint16(28, true);
  return { start, end: start + entry.packedBytes };
}

describe("a real file cut short", () => {
  test.each(cases)("%s, at any 16th byte, is refused", async (file, { select, bytes }) => {
    for (let size = 0; size < bytes.length; size += 16) {
      const { error } = await outcomeOf(() => convertBytes(file, bytes.slice(0, size), { select }));
      expect(error?.message, `cut at ${size}`).toBeTruthy();
    }
  });
});

describe("a real file with one bit changed", () => {
  test.each(cases)("%s converts or is refused", async (file, { select, bytes }) => {
    const next = numbers(bytes.length);
    for (let round = 0; round < 200; round++) {
      const at = next(bytes.length);
      const { value, error } = await outcomeOf(() =>
        convertBytes(file, flipped(bytes, at, next(8)), { select }),
      );
      if (value) expect(value.files.size, `byte ${at}`).toBe(1);
      else
        expect(error?.kind, `byte ${at}: ${error?.message}`).toMatch(/malformed|unsupported|io|limit|usage/);
    }
  });
});

/** Stored records with their own bytes, each shown whole by a tensor: those whose damage is bound to be noticed. */
async function guardedRecords(sample: Sample): Promise<readonly ZipEntry[]> {
  if (!sample.file.endsWith(".pth") || sample.bytes[0] !== 0x50) return [];
  const { entries } = await readZipDirectory(bytesSource(sample.file, sample.bytes), createContext());
  const checked = await checkedRecords(sample);
  return entries.filter((entry) => checked.has(entry.name) && entry.method === 0 && entry.bytes > 0);
}

const guarded = await Promise.all(
  samples.map(async (sample) => ({ sample, entries: await guardedRecords(sample) })),
);

describe("a real checkpoint with one bit of a weight changed", () => {
  const archives = guarded.filter(({ entries }) => entries.length > 0);

  test.each(archives.map(({ sample, entries }) => [sample.file, sample, entries] as const))(
    "%s is refused for its checksum",
    async (file, { select, bytes }, entries) => {
      const next = numbers(bytes.length);
      for (const entry of entries) {
        const { start, end } = dataRange(bytes, entry);
        for (let round = 0; round < 8; round++) {
          const at = start + next(end - start);
          const damaged = flipped(bytes, at, next(8));
          const { error } = await outcomeOf(() => convertBytes(file, damaged, { select }));
          expect(error?.message, `byte ${at} of ${entry.name}`).toContain("do not match their checksum");
        }
      }
    },
  );

  test("is noticed in most of them", () => {
    const checkpoints = samples.filter(({ file }) => file.endsWith(".pth"));
    expect(archives.length).toBeGreaterThan(checkpoints.length / 2);
  });
});
