import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { OutputFolder } from "../../src/core/sink.ts";
import { builtinFormats, convert, outputFolder, planConversion, resolveInput } from "../../src/node.ts";
import { temporaryFolder } from "../support/files.ts";
import { safetensorsBytes, singles } from "../support/safetensors.ts";

/** Tensors of which each has one number more beyond the range of F16 than the one before. */
function inputIn(folder: string): string {
  const path = join(folder, "in.safetensors");
  const tensors = Array.from({ length: 20 }, (_, index) => {
    const values = Array.from({ length: 5000 }, (_, at) => (at < index ? 1e6 : at / 7));
    return [`layer.${String(index).padStart(2, "0")}`, singles(...values)] as const;
  });
  writeFileSync(path, safetensorsBytes(Object.fromEntries(tensors)));
  return path;
}

/** The folder, but one of its writes fails. */
function failing(inner: OutputFolder, count: number): OutputFolder {
  let left = count;
  return {
    ...inner,
    async create(name, size) {
      const sink = await inner.create(name, size);
      return {
        ...sink,
        async writeAt(chunk, position) {
          if (left-- === 0) throw new Error("no space");
          await sink.writeAt(chunk, position);
        },
      };
    },
  };
}

const options = {
  dtype: "f16",
  allow: ["lossy-cast"],
  bufferBytes: 16_384,
  jobs: 2,
  resume: true,
};

async function convertInto(folder: OutputFolder, input: string) {
  const source = await resolveInput(input);
  const sha256 = () => {
    const hash = createHash("sha256");
    return { update: (bytes: Uint8Array) => hash.update(bytes), digest: () => hash.digest("hex") };
  };
  try {
    const target = { folder, name: "out.safetensors" };
    return await (await planConversion(source, target, builtinFormats, { ...options, sha256 })).run();
  } finally {
    await source.folder.close();
  }
}

test.each([1, 4, 9])(
  "a cast that is resumed after write %i tells the same losses as one in one go",
  async (count) => {
    const folder = temporaryFolder();
    const input = inputIn(folder);
    const whole = await convert(input, join(folder, "whole.safetensors"), options);
    expect(whole.notices.map(({ code }) => code)).toEqual(new Array(19).fill("cast-overflow"));
    const output = join(folder, "out");
    await expect(convertInto(failing(outputFolder(output, false, 0), count), input)).rejects.toThrow(
      "no space",
    );
    const resumed = await convertInto(outputFolder(output, false), input);
    expect(resumed.notices).toEqual(whole.notices);
    expect(resumed.resumed).toBeGreaterThan(0);
    expect(
      readFileSync(join(output, "out.safetensors")).equals(readFileSync(join(folder, "whole.safetensors"))),
    ).toBe(true);
  },
);
