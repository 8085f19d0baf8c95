import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { crc32 } from "node:zlib";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { Copier } from "../../src/core/copier.ts";
import { createCopier } from "../../src/node/copier.ts";
import { convert } from "../../src/node.ts";
import { buildOnce, runBuilt } from "../support/built-cli.ts";
import { temporaryFolder } from "../support/files.ts";

const built = new URL("../../dist/node/copy-worker.js", import.meta.url);
const bytes = Uint8Array.from({ length: 1_000_003 }, (_, index) => (index * 7 + (index >> 9)) & 0xff);

beforeAll(buildOnce, 60_000);

const opened: number[] = [];
const copiers: Copier[] = [];

afterEach(() => {
  for (const handle of opened.splice(0)) closeSync(handle);
  for (const copier of copiers.splice(0)) copier.close();
});

function opening(path: string, mode: string): number {
  const handle = openSync(path, mode);
  opened.push(handle);
  return handle;
}

function copierOf(script: URL): Copier {
  const copier = createCopier(2, script);
  copiers.push(copier);
  return copier;
}

/** A copier one of whose threads has started. */
async function started(): Promise<Copier> {
  const copier = copierOf(built);
  const { from, to } = files();
  const nothing = { from, to, size: 0, wantsCrc32: false };
  await vi.waitUntil(async () => (await copier.copy(nothing)) !== undefined, { timeout: 30_000 });
  return copier;
}

function files(folder = temporaryFolder()) {
  writeFileSync(join(folder, "in"), bytes);
  writeFileSync(join(folder, "out"), "");
  const from = { handle: opening(join(folder, "in"), "r"), position: 0, file: "in" };
  const to = { handle: opening(join(folder, "out"), "r+"), position: 0, file: "out" };
  return { from, to, written: () => readFileSync(join(folder, "out")) };
}

describe("threads that copy", () => {
  test("bring every run to its place, with its checksum", async () => {
    const copier = await started();
    const { from, to, written } = files();
    const cuts = [0, 1, 300_000, 562_144, 1_000_003];
    const runs = cuts.slice(1).map((end, index) => [cuts[index] as number, end] as const);
    const sums = await Promise.all(
      runs.map(([start, end]) =>
        copier.copy({
          from: { ...from, position: start },
          to: { ...to, position: start + 5 },
          size: end - start,
          wantsCrc32: true,
        }),
      ),
    );
    expect(sums).toEqual(runs.map(([start, end]) => crc32(bytes.subarray(start, end))));
    expect(written().subarray(5).equals(bytes)).toBe(true);
  });

  test("tell that a file ended too soon, and where", async () => {
    const copier = await started();
    const { from, to } = files();
    const request = { from: { ...from, position: 1_000_000 }, to, size: 300_000, wantsCrc32: false };
    await expect(copier.copy(request)).rejects.toMatchObject({
      kind: "io",
      site: { file: "in", offset: 1_000_003 },
    });
  });

  test("tell what the system refuses, and of which file", async () => {
    const copier = await started();
    const { from, to } = files();
    await expect(
      copier.copy({ from, to: { ...from, file: "out" }, size: 9, wantsCrc32: false }),
    ).rejects.toMatchObject({
      kind: "output",
      site: { file: "out" },
    });
    await expect(
      copier.copy({ from: { ...from, handle: 9999 }, to, size: 9, wantsCrc32: false }),
    ).rejects.toMatchObject({
      kind: "io",
      site: { file: "in" },
    });
    if (!existsSync("/dev/full")) return;
    const full = { handle: opening("/dev/full", "r+"), position: 0, file: "full" };
    const failure = await copier.copy({ from, to: full, size: 9, wantsCrc32: false }).then(
      () => undefined,
      (error: Error) => error.message,
    );
    expect(failure).toBe("there is no space left on the device");
  });

  test("hand every request back where they cannot start, and the one that a thread dies of", async () => {
    const { from, to } = files();
    const request = { from, to, size: 9, wantsCrc32: false };
    const absent = copierOf(new URL("./absent.js", import.meta.url));
    expect(await absent.copy(request)).toBe(undefined);
    const script = join(temporaryFolder(), "dies.mjs");
    const text = `import { parentPort } from "node:worker_threads"; parentPort.on("message", () => { throw new Error("no"); });`;
    writeFileSync(script, text);
    const dying = copierOf(pathToFileURL(script));
    // Whether its threads have started by now or not.
    for (let turn = 0; turn < 20; turn++) {
      expect(await dying.copy(request)).toBe(undefined);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });
});

test("the command line writes with them what the library writes without", { timeout: 120_000 }, async () => {
  const folder = temporaryFolder();
  const sizes = [40_000_000, 1000, 41_000_004];
  const header: Record<string, object> = {};
  let end = 0;
  for (const [index, size] of sizes.entries()) {
    header[`t${index}`] = { dtype: "F32", shape: [size / 4], data_offsets: [end, end + size] };
    end += size;
  }
  const head = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeUInt32LE(head.length);
  const data = Buffer.alloc(end);
  for (let at = 0; at < end; at += 4) data.writeUInt32LE((at * 2_654_435_761) % 2 ** 32, at);
  const input = join(folder, "in.safetensors");
  writeFileSync(input, Buffer.concat([length, head, data]));
  for (const name of ["out.pth", "out.safetensors"]) {
    expect(await runBuilt(["convert", input, join(folder, `cli-${name}`), "--quiet"])).toMatchObject({
      exit: 0,
    });
    // From its sources the library finds no program for its threads, and does without.
    await convert(input, join(folder, `library-${name}`));
    expect(
      readFileSync(join(folder, `cli-${name}`)).equals(readFileSync(join(folder, `library-${name}`))),
    ).toBe(true);
  }
});
