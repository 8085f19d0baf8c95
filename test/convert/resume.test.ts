import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import type { ConvertOptions } from "../../src/convert/conversion.ts";
import type { ByteSink, OutputFolder } from "../../src/core/sink.ts";
import {
  builtinFormats,
  convert,
  outputFolder,
  planConversion,
  resolveInput,
  verify,
} from "../../src/node.ts";
import { buildOnce } from "../support/built-cli.ts";
import { command } from "../support/command.ts";
import { hashesOf, temporaryFolder } from "../support/files.ts";

const driver = fileURLToPath(new URL("../support/killed-conversion.mjs", import.meta.url));
const options = { maxShardBytes: 300_000, bufferBytes: 16_384, checksums: true };

beforeAll(buildOnce, 60_000);

/** A model of a megabyte of bytes that do not repeat. */
function model(folder: string): string {
  const path = join(folder, "model.safetensors");
  const data = Buffer.alloc(1_000_000);
  for (let at = 0; at < data.length; at += 4) data.writeUInt32LE((at * 2654435761) % 2 ** 32, at);
  const header: Record<string, object> = {};
  for (let index = 0; index < 10; index++) {
    header[`layer.${index}`] = {
      dtype: "U8",
      shape: [100_000],
      data_offsets: [index * 100_000, (index + 1) * 100_000],
    };
  }
  const json = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(json.length));
  writeFileSync(path, Buffer.concat([prefix, json, data]));
  return path;
}

interface Run {
  readonly killed: boolean;
  readonly out: { readonly resumed?: number; readonly steps: number } | undefined;
}

function run(input: string, output: string, step: number, word = ""): Promise<Run> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [driver, input, output, String(step), word], (error, out, err) => {
      if (error && error.signal !== "SIGKILL") reject(new Error(err));
      else resolve({ killed: error !== null, out: error ? undefined : JSON.parse(out) });
    });
  });
}

/** What stands under names that are not hidden. */
function shown(folder: string): readonly string[] {
  return existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => !name.startsWith("."))
        .sort()
    : [];
}

/** The same numbers in every run. */
function randomSteps(count: number, below: number): readonly number[] {
  let state = 20_260;
  return Array.from({ length: count }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  });
}

describe("killed in the middle", () => {
  test("at any of two dozen moments, it shows nothing wrong, and ends with the same bytes when resumed", {
    timeout: 240_000,
  }, async () => {
    const folder = temporaryFolder();
    const input = model(folder);
    const whole = join(folder, "whole");
    const { out } = await run(input, whole, Number.MAX_SAFE_INTEGER);
    const expected = hashesOf(whole);
    expect(Object.keys(expected)).toHaveLength(6);
    const steps = new Set([
      ...randomSteps(20, out?.steps ?? 0),
      ...[1, 3, 6, 13].map((back) => (out?.steps ?? 0) - back),
    ]);
    let most = 0;
    for (const step of steps) {
      const output = join(folder, `out-${step}`);
      expect((await run(input, output, step)).killed, `at step ${step}`).toBe(true);
      const found = Object.entries(hashesOfShown(output));
      for (const [name, hash] of found) expect(hash, `${name} at step ${step}`).toBe(expected[name]);
      // Once the last file has its name only the journal is left to remove, and the output is there already.
      if (found.length === 6) continue;
      const resumed = await run(input, output, Number.MAX_SAFE_INTEGER, "resume");
      expect(hashesOf(output), `resumed after step ${step}`).toEqual(expected);
      most = Math.max(most, resumed.out?.resumed ?? 0);
      rmSync(output, { recursive: true });
    }
    expect(most, "bytes that did not have to be written again").toBeGreaterThan(500_000);
  });

  test("again and again, it gets to the end", { timeout: 120_000 }, async () => {
    const folder = temporaryFolder();
    const input = model(folder);
    const [whole, output] = [join(folder, "whole"), join(folder, "out")];
    await run(input, whole, Number.MAX_SAFE_INTEGER);
    let kills = 0;
    while ((await run(input, output, 60, "resume")).killed) expect(++kills).toBeLessThan(40);
    expect(kills).toBeGreaterThan(1);
    expect(hashesOf(output)).toEqual(hashesOf(whole));
  });

  test("what is left is cleared away by a run that does not resume", async () => {
    const folder = temporaryFolder();
    const input = model(folder);
    const output = join(folder, "out");
    await run(input, output, 80);
    expect(readdirSync(output).some((name) => name.endsWith(".tensorferry-part"))).toBe(true);
    // Other shards, so that no part file would be written over.
    await convert(input, output, { maxShardBytes: 450_000 });
    expect(readdirSync(output).filter((name) => name.startsWith("."))).toEqual([]);
    expect((await verify(output)).problems).toEqual([]);
  });
});

describe("--resume begins anew, with a note,", () => {
  test.each([
    ["where the options are others", { tied: "copy" } as const, () => undefined],
    ["where the input has changed since", {}, (input: string) => utimesSync(input, 1, 1)],
  ])("%s", async (_, changed, meddle) => {
    const folder = temporaryFolder();
    const input = model(folder);
    const [output, whole] = [join(folder, "out/"), join(folder, "whole/")];
    await run(input, output, 80);
    meddle(input);
    const { notices, resumed } = await convert(input, output, { ...options, ...changed, resume: true });
    expect(notices.map(({ code }) => code)).toEqual(["restarted"]);
    expect(resumed).toBe(0);
    await convert(input, whole, options);
    expect(hashesOf(output)).toEqual(hashesOf(whole));
  });

  test("where the journal is cut short, without one", async () => {
    const folder = temporaryFolder();
    const input = model(folder);
    const output = join(folder, "out/");
    await run(input, output, 80);
    truncateSync(join(output, ".model.tensorferry-journal"), 10);
    const { resumed, notices } = await convert(input, output, { ...options, resume: true });
    expect({ resumed, notices }).toEqual({ resumed: 0, notices: [] });
  });
});

/** The folder, but its calls may fail. */
function failing(inner: OutputFolder, fail: (call: "write" | "commit") => void): OutputFolder {
  const sinkOf = (sink: ByteSink): ByteSink => ({
    ...sink,
    async writeAt(chunk, position) {
      fail("write");
      await sink.writeAt(chunk, position);
    },
    async commit() {
      fail("commit");
      await sink.commit();
    },
  });
  return { ...inner, create: async (name, size) => sinkOf(await inner.create(name, size)) };
}

function sha256() {
  const hash = createHash("sha256");
  return { update: (bytes: Uint8Array) => hash.update(bytes), digest: () => hash.digest("hex") };
}

async function convertInto(folder: OutputFolder, input: string, more: ConvertOptions) {
  const source = await resolveInput(input);
  try {
    return await (
      await planConversion(source, { folder }, builtinFormats, { ...options, sha256, ...more })
    ).run();
  } finally {
    await source.folder.close();
  }
}

describe.each([
  ["a write", "write", 37],
  ["the third name", "commit", 2],
] as const)("when %s fails", (_, call, count) => {
  const failure = () => {
    let left = count;
    return (made: string) => {
      if (made === call && left-- === 0) throw Object.assign(new Error("no space"), { code: "ENOSPC" });
    };
  };

  test("nothing is left", async () => {
    const folder = temporaryFolder();
    const input = model(folder);
    const output = join(folder, "out");
    await expect(convertInto(failing(outputFolder(output, false), failure()), input, {})).rejects.toThrow(
      "no space",
    );
    expect(existsSync(output)).toBe(false);
  });

  test("with --resume the next run goes on", async () => {
    const folder = temporaryFolder();
    const input = model(folder);
    const [output, whole] = [join(folder, "out"), join(folder, "whole/")];
    const attempt = convertInto(failing(outputFolder(output, false, 0), failure()), input, { resume: true });
    await expect(attempt).rejects.toThrow("no space");
    await convert(input, whole, options);
    for (const [name, hash] of Object.entries(hashesOfShown(output)))
      expect(hash).toBe(hashesOf(whole)[name]);
    const { resumed } = await convertInto(outputFolder(output, false), input, { resume: true });
    expect(resumed).toBeGreaterThan(100_000);
    expect(hashesOf(output)).toEqual(hashesOf(whole));
  });
});

function hashesOfShown(folder: string): Record<string, string> {
  if (!existsSync(folder)) return {};
  return Object.fromEntries(Object.entries(hashesOf(folder)).filter(([name]) => !name.startsWith(".")));
}

/** A file system of two megabytes, where mounting is allowed. */
function smallDisk(): string | undefined {
  const path = temporaryFolder();
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tensorferry-test", path], { stdio: "ignore" });
  } catch {
    return undefined;
  }
  onTestFinished(() => void execFileSync("umount", [path]));
  return path;
}

const mayMount = process.getuid?.() === 0 && canMount();

function canMount(): boolean {
  try {
    execFileSync("unshare", ["-m", "mount", "-t", "tmpfs", "tensorferry-test", "/mnt"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

describe("on a disk that fills up", () => {
  // Elsewhere, failing writes stand for it: see above.
  test.runIf(mayMount)(
    "it fails with 9, leaves nothing, and with --resume goes on once there is space",
    async () => {
      const folder = temporaryFolder();
      const input = model(folder);
      const disk = smallDisk() as string;
      const [output, filler, whole] = [join(disk, "out"), join(disk, "filler"), join(folder, "whole/")];
      const fill = () => {
        try {
          writeFileSync(filler, Buffer.alloc(1_400_000));
        } catch {
          // Part of it is as good.
        }
      };
      const filling = () => {
        let left = 20;
        return failing(outputFolder(output, false, 0), () => void (left-- === 0 && fill()));
      };
      await expect(convertInto(filling(), input, {})).rejects.toMatchObject({
        kind: "output",
        message: expect.stringContaining("no space"),
      });
      expect(existsSync(output)).toBe(false);
      rmSync(filler);
      await expect(convertInto(filling(), input, { resume: true })).rejects.toMatchObject({ kind: "output" });
      expect(shown(output)).toEqual([]);
      rmSync(filler);
      const { resumed } = await convertInto(outputFolder(output, false), input, { resume: true });
      expect(resumed).toBeGreaterThan(0);
      await convert(input, whole, options);
      expect(hashesOf(output)).toEqual(hashesOf(whole));
    },
  );

  test.runIf(mayMount)("it is refused before anything is written where that is known", async () => {
    const folder = temporaryFolder();
    const input = model(folder);
    const disk = smallDisk() as string;
    writeFileSync(join(disk, "filler"), Buffer.alloc(1_400_000));
    await expect(convert(input, join(disk, "out/"))).rejects.toMatchObject({
      kind: "output",
      message: expect.stringContaining("are free"),
    });
    expect(readdirSync(disk)).toEqual(["filler"]);
  });
});

test("an input that becomes shorter meanwhile is refused, and nothing is left", async () => {
  const folder = temporaryFolder();
  const input = model(folder);
  const output = join(folder, "out");
  let left = 20;
  const cut = () => void (left-- === 0 && truncateSync(input, 400_000));
  await expect(convertInto(failing(outputFolder(output, false), cut), input, {})).rejects.toMatchObject({
    kind: "io",
  });
  expect(existsSync(output)).toBe(false);
});

describe("two conversions to one output", () => {
  test("do not run at once: the second is refused, and the first ends well", async () => {
    const folder = temporaryFolder();
    const input = model(folder);
    const output = join(folder, "out/");
    let second: Promise<unknown> | undefined;
    const meddle = () => {
      second ??= convert(input, output, options).catch((error: unknown) => error);
    };
    await convertInto(failing(outputFolder(output, false), meddle), input, {});
    expect(await second).toMatchObject({
      kind: "output",
      message: expect.stringContaining("another conversion"),
    });
    expect((await verify(output)).problems).toEqual([]);
  });

  test("on another machine count while they give signs of life", async () => {
    const folder = temporaryFolder();
    const output = join(folder, "out");
    mkdirSync(output);
    const journal = join(output, ".model.tensorferry-journal");
    const state = {
      fingerprint: "",
      pid: 1,
      host: `not-${hostname()}`,
      committing: false,
      files: { "../x": 1 },
    };
    writeFileSync(journal, JSON.stringify(state));
    const { exit, err } = await command(["convert", model(folder), `${output}/`]);
    expect(err).toContain("another conversion to this output is running, process 1");
    expect(exit).toBe(9);
    const old = Date.now() / 1000 - 120;
    utimesSync(journal, old, old);
    expect((await command(["convert", model(folder), `${output}/`])).exit).toBe(0);
    expect(readdirSync(output)).toEqual(["model.safetensors"]);
  });
});

test("--checksums lists what sha256sum finds, also for a PyTorch file with many small tensors", async () => {
  const folder = temporaryFolder();
  const input = model(folder);
  for (const [output, jobs] of [
    ["a/", 1],
    ["b/", 4],
    ["c.pth", 3],
  ] as const) {
    const path = join(folder, output);
    const { outputs } = await convert(input, path, { ...options, jobs, maxShardBytes: 250_000 });
    const place = output.endsWith("/") ? path : folder;
    expect(
      execFileSync("sha256sum", ["-c", "--strict", "SHA256SUMS"], { cwd: place, encoding: "utf8" }),
    ).not.toContain("FAILED");
    const lines = readFileSync(join(place, "SHA256SUMS"), "utf8").trim().split("\n");
    expect(lines).toEqual([...lines].sort((a, b) => (a.slice(66) < b.slice(66) ? -1 : 1)));
    expect(
      outputs.slice(0, -1).every(({ sha256: hash }) => lines.some((line) => line.startsWith(`${hash}  `))),
    ).toBe(true);
    expect(outputs.at(-1)).toMatchObject({ path: join(place, "SHA256SUMS"), tensors: 0 });
  }
});
