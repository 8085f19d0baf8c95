import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { buildOnce, ended, startBuilt } from "../support/built-cli.ts";
import { commandJson } from "../support/command.ts";
import { startDiskServer } from "../support/disk-server.ts";
import { writeSparseSafetensors } from "../support/sparse.ts";
import { startUploadServer, type UploadServer } from "../support/upload-server.ts";

const reportPeak = fileURLToPath(new URL("../support/report-peak.mjs", import.meta.url));
const minutes = 60_000;

let folder: string;
let hub: UploadServer;

beforeAll(async () => {
  await buildOnce();
  folder = mkdtempSync(join(tmpdir(), "tensorferry-test-"));
  writeSparseSafetensors(join(folder, "large.safetensors"), 6, 500_000_000);
  writeSparseSafetensors(join(folder, "source.safetensors"), 5, 440_000_000);
  const words = ["convert", join(folder, "source.safetensors"), join(folder, "large.pth"), "--quiet"];
  const { exit, err } = await ended(startBuilt(words));
  expect(exit, err).toBe(0);
}, 5 * minutes);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

beforeEach(async () => {
  hub = await startUploadServer();
  hub.keeps = false;
  vi.stubEnv("HF_ENDPOINT", hub.origin);
  vi.stubEnv("HF_TOKEN", "hf_secret");
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await hub.close();
});

/** The peak in MiB of an upload that succeeds. */
async function peakOf(...words: readonly string[]): Promise<number> {
  const upload = ["upload", ...words, "--quiet"];
  const { exit, err } = await ended(startBuilt(upload, ["--import", reportPeak]));
  expect(exit, err).toBe(0);
  expect(hub.commits).toHaveLength(1);
  const peak = Number(/peak (\d+)\n$/.exec(err)?.[1]) / 1024;
  expect(peak, "MiB at the least: the number is no nonsense").toBeGreaterThan(20);
  return peak;
}

test("3 GB are sent to the Hub within 200 MiB of memory", { timeout: 5 * minutes }, async () => {
  const file = join(folder, "large.safetensors");
  expect(await peakOf(file, "owner/name")).toBeLessThan(200);
  expect([...(hub.commits[0]?.files.keys() ?? [])]).toEqual(["large.safetensors"]);
  // The store had computed the same hash of what arrived, or else there were no such object.
  expect(hub.stored.size).toBe(1);
});

test("and a checkpoint of 2 GB that is converted on its way", { timeout: 5 * minutes }, async () => {
  expect(await peakOf(join(folder, "large.pth"), "owner/name", "--to", "safetensors")).toBeLessThan(200);
  expect([...(hub.commits[0]?.files.keys() ?? [])]).toEqual(["model.safetensors"]);
});

test("looking at that checkpoint on a server costs less than 1 MB, and tells so", {
  timeout: minutes,
}, async () => {
  const path = join(folder, "large.pth");
  expect(statSync(path).size).toBeGreaterThan(2_200_000_000);
  const server = await startDiskServer(path);
  onTestFinished(() => server.close());
  for (const name of ["inspect", "scan"]) {
    const before = server.served;
    const { exit, json } = await commandJson([name, server.address]);
    const { traffic } = json as { traffic: { bytes: number; requests: number } };
    expect(exit).toBe(0);
    expect(traffic.bytes).toBeLessThan(1_000_000);
    expect(traffic.bytes).toBe(server.served - before);
  }
});
