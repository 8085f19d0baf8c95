import { join } from "node:path";
import { expect, test } from "vitest";
import { convert, open } from "../../src/node.ts";
import { fixtures, temporaryFolder } from "../support/files.ts";

const twoModels = join(fixtures, "pytorch/torch-2.13/checkpoint-two-models.pth");

async function namesIn(path: string, select: string): Promise<readonly string[]> {
  const model = await open(path, { select });
  const names = [...model.dict.tensors.keys()];
  await model.close();
  return names;
}

test("a path above several state dicts takes them all, under their places", async () => {
  const [generator, discriminator] = [
    await namesIn(twoModels, "generator"),
    await namesIn(twoModels, "discriminator"),
  ];
  expect(await namesIn(twoModels, ".")).toEqual([
    ...generator.map((name) => `generator.${name}`),
    ...discriminator.map((name) => `discriminator.${name}`),
  ]);
});

test("optimizers are left out where there is a model, and taken where there is none", async () => {
  const checkpoint = join(fixtures, "pytorch/more/training/torch-2.13/optimizers.pth");
  const all = await namesIn(checkpoint, ".");
  expect(all.length).toBeGreaterThan(0);
  expect(all.every((name) => name.startsWith("model."))).toBe(true);
});

test("what was taken is not told of as left behind, and the error names the path above", async () => {
  const output = join(temporaryFolder(), "both.safetensors");
  await expect(convert(twoModels, output)).rejects.toMatchObject({
    site: { hint: "choose one with --select generator, or take all of them with --select ." },
  });
  const { dropped, tensors } = await convert(twoModels, output, { select: "." });
  expect(tensors).toBeGreaterThan(0);
  expect(dropped.map(({ name }) => name)).not.toContain("generator");
});
