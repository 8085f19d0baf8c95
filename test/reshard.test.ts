import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { convert, inspect } from "../src/node.ts";
import { fixtures, hashesOf, sha256, temporaryFolder } from "./support/files.ts";
import type { ReferenceFile, ReferenceOutputs } from "./support/manifest.ts";

interface Expected {
  readonly outputs: ReferenceOutputs;
  readonly bins: readonly {
    readonly maxShardSize: number;
    readonly indexSha256: string;
    readonly files: Readonly<Record<string, readonly string[]>>;
  }[];
}

const expected = JSON.parse(readFileSync(join(fixtures, "reshard/expected.json"), "utf8")) as Record<
  "safetensors" | "bin",
  Expected
>;

/** The reference does not look at the index's record of the tied head when it loads safetensors shards. */
const withoutRecord = { exclude: ["lm_head.weight"] };

/** Each kind of shards, as a folder and by its index. */
const inputs = [
  ["a folder of safetensors shards", "safetensors", "", withoutRecord],
  ["an index of safetensors shards", "safetensors", "model.safetensors.index.json", withoutRecord],
  ["a folder of .bin shards", "bin", "", {}],
  ["an index of .bin shards", "bin", "pytorch_model.bin.index.json", {}],
] as const;

function hashOf(file: ReferenceFile): string | null {
  return file.headerSortedSha256 ?? file.sha256;
}

describe.each(inputs)("%s", (_, kind, name, options) => {
  const input = join(fixtures, "reshard", kind, name);
  const { outputs, bins } = expected[kind];
  const keep = Object.values(outputs.single.dropped);

  test("becomes the one file that the reference writes for it", async () => {
    const output = join(temporaryFolder(), "model.safetensors");
    await convert(input, output, { ...options, keep });
    expect(sha256(readFileSync(output))).toBe(hashOf(outputs.single));
  });

  test.each(outputs.sharded.map((sharded) => [sharded.maxShardSize, sharded] as const))(
    "becomes the reference's shards of %d bytes",
    async (maxShardBytes, { files, indexSha256 }) => {
      const folder = temporaryFolder();
      await convert(input, `${folder}/`, { ...options, keep, maxShardBytes });
      expect(hashesOf(folder)).toEqual({
        ...Object.fromEntries(files.map((file) => [file.name, file.headerSortedSha256 ?? file.sha256])),
        "model.safetensors.index.json": indexSha256,
      });
    },
  );

  test.each(bins.map((row) => [row.maxShardSize, row] as const))(
    "becomes .bin shards of %d bytes with the reference's index and contents",
    async (maxShardBytes, { indexSha256, files }) => {
      const folder = temporaryFolder();
      await convert(input, `${folder}/`, { ...options, to: "pytorch", maxShardBytes, verify: true });
      const contents: Record<string, readonly string[]> = {};
      for (const file of Object.keys(hashesOf(folder)).filter((file) => file.endsWith(".bin"))) {
        const { tensors } = await inspect(join(folder, file));
        contents[file] = tensors.map((tensor) => tensor.name);
      }
      expect(contents).toEqual(files);
      const index = readFileSync(join(folder, "pytorch_model.bin.index.json"), "utf8");
      expect(sha256(index)).toBe(indexSha256);
    },
  );
});

test("shards that are cut again and joined give what cutting them once gives", async () => {
  const folder = temporaryFolder();
  const input = join(fixtures, "reshard/bin");
  await convert(input, join(folder, "direct.safetensors"));
  await convert(input, join(folder, "small/"), { maxShardBytes: 700 });
  await convert(join(folder, "small"), join(folder, "large/"), { maxShardBytes: 3000 });
  await convert(join(folder, "large"), join(folder, "joined.safetensors"));
  expect(sha256(readFileSync(join(folder, "joined.safetensors")))).toBe(
    sha256(readFileSync(join(folder, "direct.safetensors"))),
  );
});
