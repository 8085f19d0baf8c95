import { execFileSync } from "node:child_process";
import { cpSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseSums, sumsSize, writeSums } from "../../src/convert/run/sha256-sums.ts";
import type { VerifyReport } from "../../src/convert/verify/verify-model.ts";
import { verify } from "../../src/node.ts";
import { command, commandJson, samples } from "../support/command.ts";
import { fixtures, sha256, temporaryFolder } from "../support/files.ts";

const indexName = "model.safetensors.index.json";
const shard = (number: number) => `model-0000${number}-of-00004.safetensors`;

/** A copy of a checkpoint in shards, with the list of hashes that sha256sum makes. */
function sharded(options: { readonly sums?: boolean } = {}): string {
  const folder = temporaryFolder();
  cpSync(samples.shards, folder, { recursive: true });
  if (options.sums) writeFileSync(join(folder, "SHA256SUMS"), sha256sum(folder));
  return folder;
}

function sha256sum(folder: string): Buffer {
  return execFileSync("sh", ["-c", "sha256sum *"], { cwd: folder });
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  const position = at < 0 ? bytes.length + at : at;
  bytes[position] = (bytes[position] as number) ^ 1;
  writeFileSync(path, bytes);
}

function editIndex(
  folder: string,
  edit: (index: { metadata: Record<string, unknown>; weight_map: Record<string, string> }) => void,
) {
  const path = join(folder, indexName);
  const index = JSON.parse(readFileSync(path, "utf8"));
  edit(index);
  writeFileSync(path, JSON.stringify(index));
}

/** The problems in short. */
async function codes(path: string): Promise<readonly string[]> {
  const { problems, sound } = await verify(path);
  expect(sound).toBe(problems.length === 0);
  return problems.map(({ code, file, tensor }) => [code, file, ...(tensor ? [tensor] : [])].join(" "));
}

describe("verify finds sound", () => {
  test.each([
    "pytorch/torch-2.13/network.pth",
    "pytorch/torch-1.13/network.pth",
    "pytorch/more/legacy/torch-1.13/checkpoint.pth",
    "pytorch/more/folders/torch-2.13/distributed",
    "safetensors/sharded",
    "safetensors/dtypes.safetensors",
    `safetensors/sharded/${indexName}`,
  ])("%s", async (path) => {
    expect(await codes(join(fixtures, path))).toEqual([]);
  });

  test("a folder with the list of sha256sum, and gives the hashes", async () => {
    const folder = sharded({ sums: true });
    const report = await verify(folder);
    expect(report.problems).toEqual([]);
    const found = report.files.map(({ file, sha256: hash }) => [file, hash]);
    expect(found).toContainEqual([shard(1), sha256(readFileSync(join(folder, shard(1))))]);
    expect(found).toHaveLength(5);
  });

  test("a total that older tools wrote as a float", async () => {
    const folder = sharded();
    const path = join(folder, indexName);
    writeFileSync(path, readFileSync(path, "utf8").replace(/"total_size": (\d+)/, '"total_size": $1.0'));
    expect(readFileSync(path, "utf8")).toMatch(/\d\.0/);
    expect(await codes(folder)).toEqual([]);
  });

  test("a link into a cache", async () => {
    const folder = temporaryFolder();
    symlinkSync(samples.network, join(folder, "model.pth"));
    expect(await codes(folder)).toEqual([]);
  });

  test("a training's folder, with a note on files that hold no tensors", async () => {
    const report = await verify(join(fixtures, "pytorch/more/training/torch-2.13/trainer"));
    expect(report.problems).toEqual([]);
    expect(report.notices.filter(({ code }) => code === "unread").length).toBeGreaterThan(0);
  });
});

describe("verify finds unsound", () => {
  test("a byte that flipped, by the checksum of the zip", async () => {
    const path = join(temporaryFolder(), "model.pth");
    cpSync(samples.network, path);
    flip(path, readFileSync(path).length >> 1);
    const { exit, json } = await commandJson(["verify", path]);
    expect(exit).toBe(10);
    expect(json).toMatchObject({ sound: false, problems: [{ code: "checksum", file: "model.pth" }] });
  });

  test("the same in a safetensors file, by SHA256SUMS, whichever path is given", async () => {
    const folder = sharded({ sums: true });
    flip(join(folder, shard(2)), -1);
    for (const path of ["", indexName, shard(2), "SHA256SUMS"])
      expect(await codes(join(folder, path)), path).toEqual([`sha256 ${shard(2)}`]);
    expect(await codes(join(folder, shard(1)))).toEqual([]);
  });

  test("a file that is cut short", async () => {
    const folder = sharded();
    truncateSync(join(folder, shard(3)), readFileSync(join(folder, shard(3))).length - 4);
    expect(await codes(folder)).toEqual([`io ${shard(3)}`]);
  });

  test("shards that are missing, once each, and ones that are left over", async () => {
    const folder = sharded();
    rmSync(join(folder, shard(2)));
    cpSync(join(folder, shard(1)), join(folder, "model-00001-of-00009.safetensors"));
    expect(await codes(folder)).toEqual([
      `missing-shard ${shard(2)}`,
      "stray-shard model-00001-of-00009.safetensors",
    ]);
  });

  test("tensors that the index has in the wrong place, or not at all", async () => {
    const folder = sharded();
    let moved = "";
    let gone = "";
    editIndex(folder, ({ weight_map }) => {
      [moved = "", gone = ""] = Object.keys(weight_map).filter((name) => weight_map[name] === shard(1));
      weight_map[moved] = shard(2);
      delete weight_map[gone];
    });
    expect(new Set(await codes(folder))).toEqual(
      new Set([
        `missing-tensor ${indexName} ${moved}`,
        `stray-tensor ${indexName} ${moved}`,
        ...(gone ? [`stray-tensor ${indexName} ${gone}`] : []),
      ]),
    );
  });

  test("a total that is not the sum", async () => {
    const folder = sharded();
    editIndex(folder, ({ metadata }) => {
      metadata["total_size"] = (metadata["total_size"] as number) + 1;
    });
    expect(await codes(folder)).toEqual([`total-size ${indexName}`]);
  });

  test("an index that is none, or that points elsewhere", async () => {
    const folder = sharded();
    writeFileSync(join(folder, indexName), "{}");
    expect(await codes(folder)).toEqual([`malformed ${indexName}`]);
    writeFileSync(join(folder, indexName), '{"weight_map": {"a": "../a.safetensors"}}');
    expect(await codes(folder)).toEqual([`unsafe ${indexName} a`]);
  });

  test("a list of hashes with a file that is not there, and one that is no list", async () => {
    const folder = sharded({ sums: true });
    writeFileSync(join(folder, "SHA256SUMS"), `${"0".repeat(64)}  gone.txt\n`);
    expect(await codes(folder)).toEqual(["missing-file gone.txt"]);
    writeFileSync(join(folder, "SHA256SUMS"), "abc\n");
    expect(await codes(folder)).toEqual(["malformed SHA256SUMS"]);
  });

  test("any single byte of a PyTorch zip that is flipped, but for those that nothing reads", async () => {
    const original = readFileSync(samples.tied);
    const path = join(temporaryFolder(), "model.pth");
    await fc.assert(
      fc.asyncProperty(fc.nat(original.length - 1), async (at) => {
        writeFileSync(path, original);
        flip(path, at);
        const report = await verify(path).catch((error: unknown) => error as Error);
        // It may also become a file of another kind. What it never does is to fail in other words.
        if (report instanceof Error) expect(report.name).toBe("ConvertError");
        else if (report.sound) expect(await sameTensors(path, samples.tied)).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});

async function sameTensors(a: string, b: string): Promise<number> {
  return (await command(["diff", a, b, "--quiet"])).exit;
}

describe("the command", () => {
  test("says what is wrong, a line each, and nothing when quiet", async () => {
    const folder = sharded();
    rmSync(join(folder, shard(2)));
    const { exit, out } = await command(["verify", folder]);
    expect(exit).toBe(10);
    expect(out).toBe(
      `${shard(2)}: ${indexName} names it, but it is not there (missing-shard)\n${folder}: unsound, 1 problem in 4 files\n`,
    );
    expect(await command(["verify", folder, "--quiet"])).toEqual({ exit: 10, out: "", err: "" });
    expect((await command(["verify", samples.network])).out).toMatch(/: sound, 1 file, [\d.]+ kB\n$/);
  });

  test("fails as ever where there is nothing, or nothing that is read", async () => {
    expect((await command(["verify", "nothing.pth"])).exit).toBe(3);
    expect((await command(["verify", temporaryFolder()])).exit).toBe(3);
    const text = join(temporaryFolder(), "notes.txt");
    writeFileSync(text, "hello");
    expect((await command(["verify", text])).exit).toBe(5);
  });

  test("counts to the end and not beyond", async () => {
    const steps: { done: number; total: number }[] = [];
    const report: VerifyReport = await verify(samples.network, { onProgress: (step) => steps.push(step) });
    expect(report.sound).toBe(true);
    expect(steps.at(-1)?.done).toBeLessThanOrEqual(steps.at(-1)?.total ?? 0);
  });
});

test("a list of hashes is read as it was written, and its size is known before", () => {
  const name = fc.string({ minLength: 1, unit: "grapheme" }).filter((text) => !text.startsWith("#"));
  const hash = fc
    .uint8Array({ minLength: 32, maxLength: 32 })
    .map((bytes) => Buffer.from(bytes).toString("hex"));
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(name, hash), { selector: ([file]) => file }), (entries) => {
      const bytes = writeSums(new Map(entries));
      expect([...parseSums(bytes, "SHA256SUMS")].sort()).toEqual([...entries].sort());
      expect(sumsSize(entries.map(([file]) => file))).toBe(bytes.length);
    }),
  );
});

test("names that need it are escaped as sha256sum has it", () => {
  const folder = temporaryFolder();
  for (const name of ["back\\slash", "line\nfeed", "plain name"]) writeFileSync(join(folder, name), name);
  const listed = sha256sum(folder);
  const hashes = parseSums(listed, "SHA256SUMS");
  expect([...hashes.keys()].sort()).toEqual(["back\\slash", "line\nfeed", "plain name"]);
  const sorted = (text: string) => text.split("\n").sort();
  expect(sorted(Buffer.from(writeSums(hashes)).toString())).toEqual(sorted(listed.toString()));
});
