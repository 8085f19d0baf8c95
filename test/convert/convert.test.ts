import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type Progress, planConversion } from "../../src/core.ts";
import { builtinFormats } from "../../src/formats/index.ts";
import { convert, inspect, open, plan } from "../../src/node.ts";
import { samples } from "../support/command.ts";
import { readBack, recordingFolder } from "../support/doubles.ts";
import { hashesOf, temporaryFolder } from "../support/files.ts";
import { memoryInput } from "../support/memory.ts";

describe("planning and running are two steps", () => {
  test("a plan writes nothing, and its run gives what it told", async () => {
    const folder = temporaryFolder();
    const planned = await plan(samples.network, join(folder, "out/"), { maxShardBytes: 25_000 });
    expect(readdirSync(folder)).toEqual([]);
    expect(planned.result.outputs.map(({ path }) => path)).toEqual([
      join(folder, "out/model-00001-of-00002.safetensors"),
      join(folder, "out/model-00002-of-00002.safetensors"),
      join(folder, "out/model.safetensors.index.json"),
    ]);
    expect(await planned.run()).toEqual(planned.result);
    for (const { path, bytes } of planned.result.outputs) expect(readFileSync(path)).toHaveLength(bytes);
  });

  test("a plan that is not wanted is closed", async () => {
    const planned = await plan(samples.network, join(temporaryFolder(), "out/"));
    await planned.close();
    await expect(planned.run()).rejects.toThrow();
  });

  test("converting twice gives the same bytes", async () => {
    const [first, second] = [temporaryFolder(), temporaryFolder()];
    for (const folder of [first, second]) await convert(samples.network, folder, { maxShardBytes: 10_000 });
    expect(hashesOf(first)).toEqual(hashesOf(second));
  });

  test("tells of notices at once and again in the result", async () => {
    const codes: string[] = [];
    const result = await convert(samples.checkpoint, join(temporaryFolder(), "out/"), {
      onNotice: ({ code }) => codes.push(code),
    });
    expect(codes).toEqual(["selected", "left-behind"]);
    expect(result.notices.map(({ code }) => code)).toEqual(codes);
  });
});

describe("an abort signal", () => {
  test("that has fired already stops before anything is made", async () => {
    const folder = temporaryFolder();
    const attempt = convert(samples.network, join(folder, "out/"), { signal: AbortSignal.abort() });
    await expect(attempt).rejects.toMatchObject({ kind: "cancelled" });
    expect(readdirSync(folder)).toEqual([]);
  });

  test("that fires during progress leaves nothing on disk, new folders included", async () => {
    const folder = temporaryFolder();
    const stop = new AbortController();
    const attempt = convert(samples.network, join(folder, "deep/out/"), {
      signal: stop.signal,
      bufferBytes: 4096,
      onProgress: () => stop.abort(),
    });
    await expect(attempt).rejects.toMatchObject({ kind: "cancelled" });
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("verification", () => {
  const network = readFileSync(samples.network);

  async function convertWith(onWrite: (chunk: Uint8Array) => void, verify = true): Promise<void> {
    const folder = recordingFolder({ onWrite });
    const planned = await planConversion(
      memoryInput("model.pth", network),
      { folder, name: "model.safetensors" },
      builtinFormats,
      { verify, bufferBytes: 4096, jobs: 1 },
    );
    await planned.run(readBack(folder.files));
  }

  test("passes over what was written well", async () => {
    await convertWith(() => undefined);
  });

  test("finds a single bit that the disk turned, and names the tensor", async () => {
    let count = 0;
    const damage = (chunk: Uint8Array) => {
      if (++count === 5) chunk[100] = (chunk[100] as number) ^ 1;
    };
    await expect(convertWith(damage)).rejects.toMatchObject({
      kind: "mismatch",
      message: expect.stringMatching(/^"[^"]+" differs from the input at byte \d+$/),
      site: { file: "model.safetensors", tensor: expect.any(String) },
    });
    count = 0;
    await convertWith(damage, false);
  });

  test("finds a name that changed on its way", async () => {
    const damage = (chunk: Uint8Array) => {
      const text = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
      const at = text.indexOf('"embed_tokens.weight":{');
      if (at > 0) chunk[at + 1] = "E".charCodeAt(0);
    };
    await expect(convertWith(damage)).rejects.toMatchObject({
      kind: "mismatch",
      message: '"Embed_tokens.weight" was written, but is not in the input',
    });
  });

  test("counts its progress in a phase of its own, up to every payload byte", async () => {
    const last = new Map<string, Progress>();
    const result = await convert(samples.network, join(temporaryFolder(), "out/"), {
      verify: true,
      onProgress: (step) => last.set(step.phase, step),
    });
    expect(last.get("write")).toMatchObject({ done: result.bytes, total: result.bytes });
    const { done, total } = last.get("verify") as Progress;
    expect(done).toBe(total);
    expect(total).toBe((await inspect(samples.network)).bytes);
  });
});

describe("an open model", () => {
  test("gives tensors one by one, and a word about names that are not there", async () => {
    const model = await open(samples.tied);
    expect([...model.dict.tensors.keys()]).toContain("lm_head.weight");
    expect(await model.read("lm_head.weight")).toEqual(await model.read("model.embed_tokens.weight"));
    await expect(model.read("nothing")).rejects.toMatchObject({ kind: "usage" });
    await model.close();
  });
});
