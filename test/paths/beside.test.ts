import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { convert, inspect } from "../../src/node.ts";
import { samples } from "../support/command.ts";
import { temporaryFolder } from "../support/files.ts";

const config = '{"model_type": "bert", "architectures": ["BertModel"]}\n';

/** A folder as training and the Hub leave them, with weights under a name. */
function modelFolder(weights = "pytorch_model.bin"): string {
  const folder = temporaryFolder();
  cpSync(samples.network, join(folder, weights));
  writeFileSync(join(folder, "config.json"), config);
  writeFileSync(join(folder, "tokenizer.json"), "{}");
  writeFileSync(join(folder, "optimizer.pt"), "not for others");
  writeFileSync(join(folder, "tf_model.h5"), "another form");
  writeFileSync(join(folder, ".DS_Store"), "nobody's");
  mkdirSync(join(folder, "logs"));
  return folder;
}

describe("from a folder into a folder", () => {
  test("configuration and tokenizer go along, other weights do not", async () => {
    const from = modelFolder();
    const to = join(temporaryFolder(), "out/");
    const { outputs, tensors } = await convert(from, to, { verify: true });
    expect(readdirSync(to).sort()).toEqual(["config.json", "model.safetensors", "tokenizer.json"]);
    expect(readFileSync(join(to, "config.json"), "utf8")).toBe(config);
    expect(outputs.map((output) => output.tensors)).toEqual([tensors, 0, 0]);
  });

  test("unless they are to stay, or there is no folder to take them from", async () => {
    const from = modelFolder();
    const to = temporaryFolder();
    await convert(from, `${to}/a/`, { carry: false });
    await convert(join(from, "pytorch_model.bin"), `${to}/b/`);
    await convert(from, `${to}/c.safetensors`);
    expect([readdirSync(`${to}/a`), readdirSync(`${to}/b`)]).toEqual([
      ["model.safetensors"],
      ["model.safetensors"],
    ]);
    expect(readdirSync(to).sort()).toEqual(["a", "b", "c.safetensors"]);
  });

  test("a folder can be converted into itself", async () => {
    const folder = modelFolder();
    await convert(folder, `${folder}/`);
    expect(existsSync(join(folder, "model.safetensors"))).toBe(true);
    expect(readFileSync(join(folder, "config.json"), "utf8")).toBe(config);
  });

  test("with hub, there is a card that says what is known, and attributes", async () => {
    const to = join(temporaryFolder(), "out/");
    await convert(modelFolder(), to, { hub: true });
    const card = readFileSync(join(to, "README.md"), "utf8");
    expect(card).toMatch(
      /^---\n# license[^\n]*\nlibrary_name: transformers\ntags:\n- safetensors\n---\n\n# BertModel\n/,
    );
    expect(card).toContain("| model.safetensors |");
    expect(readFileSync(join(to, ".gitattributes"), "utf8")).toContain("*.safetensors filter=lfs");
  });

  test("but a card that is there is kept", async () => {
    const from = modelFolder();
    writeFileSync(join(from, "README.md"), "mine");
    const to = join(temporaryFolder(), "out/");
    await convert(from, to, { hub: true });
    expect(readFileSync(join(to, "README.md"), "utf8")).toBe("mine");
  });

  test("a card takes nothing from a configuration but single words", async () => {
    const from = modelFolder("adapter_model.bin");
    const base = "owner/base";
    writeFileSync(
      join(from, "adapter_config.json"),
      JSON.stringify({ peft_type: "LORA", base_model_name_or_path: base }),
    );
    writeFileSync(join(from, "config.json"), JSON.stringify({ architectures: ["evil\n---\n# injected"] }));
    const to = join(temporaryFolder(), "out/");
    await convert(from, to, { hub: true });
    const card = readFileSync(join(to, "README.md"), "utf8");
    expect(card).toContain('library_name: peft\nbase_model: "owner/base"\n');
    expect(card).not.toContain("injected");
  });
});

describe("the names of files in a folder", () => {
  test.each([
    ["diffusion_pytorch_model.bin", "diffusion_pytorch_model.safetensors"],
    ["adapter_model.bin", "adapter_model.safetensors"],
    ["pytorch_lora_weights.bin", "pytorch_lora_weights.safetensors"],
    ["pytorch_model.bin", "model.safetensors"],
  ])("of %s is %s", async (name, expected) => {
    const to = join(temporaryFolder(), "out/");
    await convert(join(modelFolder(name), name), to);
    expect(readdirSync(to)).toEqual([expected]);
  });

  test("may be those of a variant, which is read back through its index", async () => {
    const to = temporaryFolder();
    const made = await convert(samples.network, `${to}/`, { variant: "fp16", maxShardBytes: 4000 });
    const names = readdirSync(to);
    expect(names.at(-1)).toBe("model.safetensors.index.fp16.json");
    expect(names[0]).toMatch(/^model\.fp16-00001-of-000\d\d\.safetensors$/);
    expect((await inspect(to)).tensors).toHaveLength(made.tensors);
  });

  test("without a variant come first where both are there", async () => {
    const to = temporaryFolder();
    await convert(samples.network, `${to}/`);
    await convert(samples.network, `${to}/`, { variant: "fp16" });
    expect((await inspect(to)).path).toBe(join(to, "model.safetensors"));
  });

  test("have no variant outside a folder", async () => {
    await expect(
      convert(samples.network, join(temporaryFolder(), "a.safetensors"), { variant: "x" }),
    ).rejects.toMatchObject({
      kind: "usage",
    });
  });
});
