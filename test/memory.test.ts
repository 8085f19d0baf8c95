import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "vitest";
import { buildOnce, ended, startBuilt } from "./support/built-cli.ts";
import { temporaryFolder } from "./support/files.ts";
import { writeSparseExternalOnnx, writeSparseOnnx, writeSparseSafetensors } from "./support/sparse.ts";

const reportPeak = fileURLToPath(new URL("./support/report-peak.mjs", import.meta.url));
const mebibyte = 2 ** 20;

beforeAll(buildOnce, 60_000);

test("4 GiB are converted within 160 MiB of memory", { timeout: 300_000 }, async () => {
  const folder = temporaryFolder();
  const input = join(folder, "large.safetensors");
  writeSparseSafetensors(input, 8, 512 * mebibyte);
  const words = ["convert", input, `${folder}/out/`, "--max-shard-size", "1GiB", "--quiet"];
  const { exit, err } = await ended(startBuilt(words, ["--import", reportPeak]));
  expect(exit, err).toBe(0);
  const names = readdirSync(join(folder, "out"));
  expect(names).toHaveLength(5);
  const bytes = names.map((name) => statSync(join(folder, "out", name)).size);
  expect(bytes.reduce((sum, size) => sum + size, 0)).toBeGreaterThan(4096 * mebibyte);
  const peak = Number(/peak (\d+)\n$/.exec(err)?.[1]) / 1024;
  expect(peak, "MiB at the most").toBeLessThan(160);
  expect(peak, "MiB at the least: the number is no nonsense").toBeGreaterThan(20);
});

test("and 4.5 GB go beside an ONNX model as cheaply", { timeout: 300_000 }, async () => {
  const folder = temporaryFolder();
  const input = join(folder, "large.safetensors");
  writeSparseSafetensors(input, 9, 500_000_000);
  const { exit, err } = await ended(
    startBuilt(["convert", input, `${folder}/out/large.onnx`, "--quiet"], ["--import", reportPeak]),
  );
  expect(exit, err).toBe(0);
  const sizes = ["large.onnx", "large.onnx.data"].map((name) => statSync(join(folder, "out", name)).size);
  expect(sizes[0]).toBeLessThan(2000);
  expect(sizes[1]).toBeGreaterThanOrEqual(4_500_000_000);
  const peak = Number(/peak (\d+)\n$/.exec(err)?.[1]) / 1024;
  expect(peak, "MiB at the most").toBeLessThan(160);
});

test("and 4 GiB are cast to half their width as cheaply", { timeout: 300_000 }, async () => {
  const folder = temporaryFolder();
  const input = join(folder, "large.safetensors");
  writeSparseSafetensors(input, 8, 512 * mebibyte);
  const words = ["convert", input, `${folder}/half.safetensors`, "--dtype", "bf16", "--quiet"];
  const { exit, err } = await ended(startBuilt(words, ["--import", reportPeak]));
  expect(exit, err).toBe(0);
  expect(statSync(join(folder, "half.safetensors")).size).toBeGreaterThan(2048 * mebibyte);
  const peak = Number(/peak (\d+)\n$/.exec(err)?.[1]) / 1024;
  expect(peak, "MiB at the most").toBeLessThan(160);
});

test("an ONNX model of 4.5 GB in one file is inspected and converted as cheaply", {
  timeout: 300_000,
}, async () => {
  const folder = temporaryFolder();
  const input = join(folder, "large.onnx");
  writeSparseOnnx(input, 9, 500_000_000);
  const look = await ended(startBuilt(["inspect", input, "--json"], ["--import", reportPeak]));
  expect(JSON.parse(look.out)).toMatchObject({ bytes: 4_500_000_000 });
  expect(peakOf(look.err), "MiB to inspect").toBeLessThan(120);
  expect(await convertLarge(input, folder)).toBeLessThan(160);
});

test("and one of 3 GB with its weights in another file", { timeout: 300_000 }, async () => {
  const folder = temporaryFolder();
  const input = join(folder, "model.onnx");
  writeSparseExternalOnnx(input, join(folder, "model.data"), 6, 500_000_000);
  expect(await convertLarge(input, folder)).toBeLessThan(160);
});

/** Converts to safetensors; returns the most memory in MiB. */
async function convertLarge(input: string, folder: string): Promise<number> {
  const output = join(folder, "out.safetensors");
  const { exit, err } = await ended(
    startBuilt(["convert", input, output, "--quiet"], ["--import", reportPeak]),
  );
  expect(exit, err).toBe(0);
  expect(statSync(output).size).toBeGreaterThanOrEqual(3_000_000_000);
  return peakOf(err);
}

function peakOf(err: string): number {
  return Number(/peak (\d+)\n$/.exec(err)?.[1]) / 1024;
}
