import { cpSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { convert, open } from "../../../src/node.ts";
import { fixtures, sha256, temporaryFolder } from "../../support/files.ts";
import { unusual } from "../../support/manifest.ts";

const rows = unusual.filter(({ file }) => file.includes("/zero/"));
const cases = rows.map((row) => [dirname(row.file), row.tensors] as const);

function folderOf(name: string): string {
  return join(fixtures, "pytorch/more/zero/by-hand", name);
}

async function hashes(path: string, select?: string) {
  const model = await open(path, select === undefined ? {} : { select });
  const seen = [];
  for (const [name, { dtype, shape }] of model.dict.tensors)
    seen.push({ name, dtype, shape, sha256: sha256(await model.read(name)) });
  await model.close();
  return seen;
}

describe("weights that DeepSpeed's ranks have in flat form are put together", () => {
  test.each(cases)("%s", async (folder, tensors) => {
    const wanted = tensors.map(({ name, dtype, shape, sha256 }) => ({ name, dtype, shape, sha256 }));
    expect(wanted.length).toBe(10);
    expect(await hashes(join(fixtures, folder), "fp32")).toEqual(wanted);
  });

  test("by default in stage 3, where the model's own are empty", async () => {
    const [first, second] = [await hashes(folderOf("zero-3")), await hashes(folderOf("zero-3"), "fp32")];
    expect(first).toEqual(second);
  });

  test("only where they are selected before stage 3, and are told of", async () => {
    const output = join(temporaryFolder(), "out.safetensors");
    const result = await convert(folderOf("zero-2"), output);
    expect(result.notices.map(({ message }) => message).join()).toContain("--select fp32");
    const selected = await convert(folderOf("zero-2"), output, { select: "fp32", force: true });
    expect(selected.bytes).toBeGreaterThan(result.bytes);
    expect(selected.dropped).toContainEqual(
      expect.objectContaining({ name: "lm_head.weight", keptAs: "wte.weight" }),
    );
  });
});

describe("a folder of several steps", () => {
  function training(latest: string): string {
    const folder = temporaryFolder();
    for (const step of ["global_step5", "global_step10"])
      cpSync(folderOf("zero-3"), join(folder, step), { recursive: true });
    for (const [name, text] of Object.entries({ latest, "training_args.bin": "", "scheduler.pt": "" }))
      writeFileSync(join(folder, name), text);
    return folder;
  }

  test("gives the one that the file latest names, and says so", async () => {
    const folder = training("global_step10\n");
    expect(await hashes(folder)).toEqual(await hashes(folderOf("zero-3")));
    const { notices } = await convert(folder, join(temporaryFolder(), "out.safetensors"));
    expect(notices[0]).toMatchObject({ code: "selected", message: expect.stringContaining("global_step10") });
  });

  test.each(["global_step11", "../global_step5", ""])("is not left by a latest of %j", async (latest) => {
    await expect(hashes(training(latest))).rejects.toThrow();
  });

  test("gives its own model where it has one", async () => {
    const folder = training("global_step10");
    cpSync(join(fixtures, "safetensors/dtypes.safetensors"), join(folder, "model.safetensors"));
    expect(await hashes(folder)).toEqual(await hashes(join(fixtures, "safetensors/dtypes.safetensors")));
  });
});

describe("a folder of DeepSpeed of which files were left out", () => {
  function copyWithout(name: string, pattern: RegExp): string {
    const copy = temporaryFolder();
    cpSync(folderOf(name), copy, { recursive: true, filter: (from) => !pattern.test(from) });
    return copy;
  }

  test("gives what the model states have before stage 3", async () => {
    const copy = copyWithout("zero-2", /rank_2_.*optim_states/);
    expect((await hashes(copy)).length).toBe(10);
    await expect(hashes(copy, "fp32")).rejects.toThrow("the weights lie on 3 ranks");
    const bare = copyWithout("zero-2", /optim_states/);
    expect((await hashes(bare)).length).toBe(10);
    await expect(hashes(bare, "fp32")).rejects.toThrow('no state dict at "fp32"');
  });

  test("is refused in stage 3, in words that name a file", async () => {
    await expect(hashes(copyWithout("zero-3", /rank_1_.*optim_states/))).rejects.toThrow(
      "zero_pp_rank_1_mp_rank_00_optim_states.pt",
    );
    await expect(hashes(copyWithout("zero-3", /rank_1_.*model_states/))).rejects.toThrow(
      "zero_pp_rank_1_mp_rank_00_model_states.pt",
    );
    await expect(hashes(copyWithout("zero-3", /optim_states/))).rejects.toThrow("ZeRO stage 3 spreads it");
  });
});
