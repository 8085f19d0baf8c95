import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { convert, inspect, open } from "../src/node.ts";
import { fixtures, hashesOf, sha256, temporaryFolder } from "./support/files.ts";
import {
  dictsOf,
  type ManifestDict,
  manifest,
  type ReferenceFile,
  type ReferenceOutputs,
  type ReferenceShards,
  rowsOf,
} from "./support/manifest.ts";

describe("every fixture", () => {
  test.each(manifest.map((row) => [row.file, row] as const))(
    "%s has the bytes that the manifest describes",
    (file, row) => {
      expect(sha256(readFileSync(join(fixtures, file)))).toBe(row.sha256);
    },
  );
});

const readable = [...rowsOf("pytorch"), ...rowsOf("safetensors")].filter((row) => !hasNoTensors(row));

function hasNoTensors(row: ManifestDict): boolean {
  return row.tensors?.length === 0;
}

describe("reading gives the names, dtypes, shapes and bytes that the real tools see", () => {
  const cases = readable.flatMap((row) =>
    dictsOf(row).map(([select, dict]) => [`${row.file} ${select ?? ""}`, row.file, select, dict] as const),
  );
  test.each(cases)("%s", async (_, file, select, dict) => {
    const model = await open(join(fixtures, file), select === undefined ? {} : { select });
    const seen = [];
    for (const [name, { dtype, shape, payload }] of model.dict.tensors) {
      seen.push({ name, dtype, shape, bytes: payload.size, sha256: sha256(await model.read(name)) });
    }
    await model.close();
    const wanted = dict.tensors.map(({ name, dtype, shape, bytes, sha256 }) => ({
      name,
      dtype,
      shape,
      bytes,
      sha256,
    }));
    expect(byName(seen)).toEqual(byName(wanted));
    if (file.endsWith(".pth")) expect(seen.map(({ name }) => name)).toEqual(wanted.map(({ name }) => name));
    expect(model.dict.leftovers.map(({ name }) => name.split(".").at(-1))).toEqual(
      expect.arrayContaining((dict.others ?? []).map((name) => name.split(".").at(-1))),
    );
  });
});

function byName<T extends { readonly name: string }>(items: readonly T[]): readonly T[] {
  return [...items].sort((a, b) => (a.name < b.name ? -1 : 1));
}

describe("a checkpoint with several models", () => {
  const ambiguous = rowsOf("pytorch").filter((row) => row.ambiguous);
  test.each(ambiguous.map((row) => [row.file, row] as const))(
    "%s is refused with a list, and inspected",
    async (file, row) => {
      const output = join(temporaryFolder(), "out.safetensors");
      await expect(convert(join(fixtures, file), output)).rejects.toMatchObject({ kind: "usage" });
      const report = await inspect(join(fixtures, file));
      expect(report.selected).toBeUndefined();
      expect(report.stateDicts.map(({ path }) => path)).toEqual(
        expect.arrayContaining([...(row.ambiguous ?? [])]),
      );
    },
  );
});

describe("one file is byte-identical to the reference's", () => {
  test.each(outputCases())("%s", async (_, file, select, { single }) => {
    const keep = Object.values(single.dropped);
    const output = join(temporaryFolder(), "model.safetensors");
    await convert(join(fixtures, file), output, { select, keep });
    expectFile(output, single);
  });

  // Where more names are tied, we prefer one ("shared") that the reference was not told about.
  const heads = outputCases().filter(
    ([, , , { keepEmbedding }]) =>
      Object.keys(keepEmbedding?.single.dropped ?? {}).join() === "lm_head.weight",
  );
  test.each(heads)("%s, embeddings kept without being told", async (_, file, select, outputs) => {
    const output = join(temporaryFolder(), "model.safetensors");
    await convert(join(fixtures, file), output, { select });
    expectFile(output, outputs.keepEmbedding?.single as ReferenceFile);
  });

  test.each(outputCases(({ copied }) => copied?.sha256 !== undefined && copied.sha256 !== null))(
    "%s, every tensor written by itself",
    async (_, file, select, outputs) => {
      const output = join(temporaryFolder(), "model.safetensors");
      await convert(join(fixtures, file), output, { select, tied: "copy" });
      expectFile(output, outputs.copied as ReferenceFile);
    },
  );
});

describe("shards and index are byte-identical to huggingface_hub's", () => {
  const cases = outputCases().flatMap(([title, file, select, outputs]) =>
    outputs.sharded.map(
      (sharded) => [`${title} at ${sharded.maxShardSize} bytes`, file, select, outputs, sharded] as const,
    ),
  );
  test.each(cases)("%s", async (_, file, select, { single }, sharded) => {
    const keep = Object.values(single.dropped);
    const folder = temporaryFolder();
    await convert(join(fixtures, file), `${folder}/`, { select, keep, maxShardBytes: sharded.maxShardSize });
    expectShards(folder, sharded);
  });
});

type OutputCase = readonly [
  title: string,
  file: string,
  select: string | undefined,
  outputs: ReferenceOutputs,
];

/** State dicts for which the reference's output is what we promise; by default those that it neither refuses nor damages. */
function outputCases(
  wanted = ({ single }: ReferenceOutputs) => single.sha256 !== null,
): readonly OutputCase[] {
  return rowsOf("pytorch").flatMap((row) =>
    dictsOf(row).flatMap(([select, dict]): OutputCase[] => {
      const outputs = dict.outputs;
      if (outputs === undefined || hasNoTensors(dict) || !wanted(outputs)) return [];
      if (wanted.length === 1 && !losesNothing(dict, outputs.single)) return [];
      return [[`${row.file} ${select ?? ""}`, row.file, select, outputs]];
    }),
  );
}

/** The reference drops whatever overlaps; where that is another tensor than the kept one, we write both instead. */
function losesNothing(dict: ManifestDict, { dropped }: ReferenceFile): boolean {
  const facts = new Map(
    dict.tensors.map(({ name, dtype, shape, sha256 }) => [name, JSON.stringify([dtype, shape, sha256])]),
  );
  return Object.entries(dropped ?? {}).every(([name, kept]) => facts.get(name) === facts.get(kept));
}

/** Several metadata keys come in random order from the reference; the manifest then has the hash with them sorted. */
function expectFile(path: string, wanted: ReferenceFile): void {
  expect(sha256(readFileSync(path))).toBe(wanted.headerSortedSha256 ?? wanted.sha256);
}

function expectShards(folder: string, { files, indexSha256 }: ReferenceShards): void {
  const wanted = Object.fromEntries(files.map((file) => [file.name, file.headerSortedSha256 ?? file.sha256]));
  if (indexSha256 !== null) wanted["model.safetensors.index.json"] = indexSha256;
  expect(hashesOf(folder)).toEqual(wanted);
}
