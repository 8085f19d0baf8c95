import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { convert } from "../../../src/node.ts";
import { temporaryFolder } from "../../support/files.ts";

const fixtures = fileURLToPath(new URL("../../../fixtures/pytorch/more/", import.meta.url));

/** scripts/test-whole.mjs compares these and all other fixtures under the real torch.load. */
const inputs = [
  "training/torch-2.13/cyclic.pth",
  "training/torch-2.13/python.pth",
  "training/torch-2.13/shared.pth",
  "special/torch-2.13/storage.pth",
  "special/torch-2.13/storage-untyped.pth",
  "special/torch-2.13/storage-list.pth",
  "special/torch-1.13/storage-legacy.pth",
];

test.each(inputs)("a whole checkpoint that went there and back gives the same again: %s", async (input) => {
  const folder = temporaryFolder();
  const path = (name: string) => join(folder, name);
  const whole = { all: true, allow: ["unsafe-pickle"] as const };
  await convert(join(fixtures, input), path("first.safetensors"), whole);
  await convert(path("first.safetensors"), path("back.pth"), { allow: ["unsafe-pickle"] });
  await convert(path("back.pth"), path("second.safetensors"), whole);
  const [first, second] = ["first", "second"].map((name) => readFileSync(path(`${name}.safetensors`)));
  expect(first?.length).toBeGreaterThan(100);
  expect(second?.equals(first as Buffer)).toBe(true);
});
