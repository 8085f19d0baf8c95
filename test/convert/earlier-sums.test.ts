import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { convert } from "../../src/node.ts";
import { fixtures, temporaryFolder } from "../support/files.ts";
import { safetensorsBytes, singles } from "../support/safetensors.ts";

const input = join(fixtures, "pytorch/torch-2.13/plain-dict.pth");
const other = join(fixtures, "pytorch/torch-2.13/ordered-dict.pth");

function sumsIn(folder: string): string {
  return readFileSync(join(folder, "SHA256SUMS"), "utf8");
}

/** Names that the list has, each of which `sha256sum` finds to be right. */
function checkedNames(folder: string): readonly string[] {
  const said = execFileSync("sha256sum", ["-c", "--strict", "SHA256SUMS"], { cwd: folder, encoding: "utf8" });
  expect(said).not.toContain("FAILED");
  return said
    .trim()
    .split("\n")
    .map((line) => line.replace(/: OK$/, ""));
}

test("a list of hashes that is there is added to, without force", async () => {
  const folder = temporaryFolder();
  await convert(input, join(folder, "b.safetensors"), { checksums: true });
  const { outputs } = await convert(other, join(folder, "a.safetensors"), { checksums: true });
  expect(checkedNames(folder)).toEqual(["a.safetensors", "b.safetensors"]);
  expect(outputs.at(-1)).toMatchObject({ bytes: sumsIn(folder).length });
});

test("what is written over has its new hash, and what gives way has none", async () => {
  const folder = temporaryFolder();
  await convert(input, join(folder, "kept.safetensors"), { checksums: true });
  await convert(input, `${folder}/`, { checksums: true, maxShardBytes: 30 });
  expect(checkedNames(folder).length).toBeGreaterThan(3);
  await convert(other, `${folder}/`, { checksums: true, force: true });
  expect(checkedNames(folder)).toEqual(["kept.safetensors", "model.safetensors"]);
});

test("a list with more in it than hashes is not written over without force", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "SHA256SUMS"), `# of the release\n${"0".repeat(64)}  gone.bin\n`);
  const output = join(folder, "a.safetensors");
  await expect(convert(input, output, { checksums: true })).rejects.toThrow("it is there already");
  await convert(input, output, { checksums: true, force: true });
  expect(checkedNames(folder)).toEqual(["a.safetensors"]);
});

test("an output that is taken back leaves the list as it was", async () => {
  const folder = temporaryFolder();
  await convert(input, join(folder, "a.safetensors"), { checksums: true });
  const before = sumsIn(folder);
  const large = join(temporaryFolder(), "large.safetensors");
  writeFileSync(large, safetensorsBytes({ w: singles(1e30) }));
  const options = { checksums: true, dtype: ["f16"] };
  await expect(convert(large, join(folder, "b.safetensors"), options)).rejects.toMatchObject({
    kind: "lossy",
  });
  expect(sumsIn(folder)).toBe(before);
  expect(readdirSync(folder).sort()).toEqual(["SHA256SUMS", "a.safetensors"]);
});
