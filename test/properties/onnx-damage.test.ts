import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { failureCases } from "../../scripts/fixtures/failure/cases.mjs";
import { probeSource } from "../../src/convert/open/open.ts";
import { createContext } from "../../src/core/context.ts";
import { bytesSource } from "../../src/core/source.ts";
import { skimModel } from "../../src/formats/onnx/skim.ts";
import { builtinFormats, onnx } from "../../src/index.ts";
import { fixtures } from "../support/files.ts";
import { manifest, unusual } from "../support/manifest.ts";
import { convertBytes } from "../support/memory.ts";
import { onnxManifest } from "../support/onnx-manifest.ts";
import { outcomeOf } from "../support/outcome.ts";

/** Models of one file that convert. */
const samples = onnxManifest
  .filter(({ file, tensors }) => !/external|odd|homes/.test(file) && tensors.length > 0)
  .map(({ file }) => [file, bytesOf(file)] as const);

function bytesOf(file: string): Uint8Array {
  return Uint8Array.from(readFileSync(join(fixtures, file)));
}

const options = { allow: ["densify"], from: "onnx" };

async function converted(file: string, bytes: Uint8Array): Promise<Uint8Array | undefined> {
  const { files } = await convertBytes(file, bytes, options);
  const output = files.get("out.safetensors") ?? new Uint8Array(8);
  // Without the header, which has the metadata: that may well be cut off.
  return output.slice(8 + new DataView(output.buffer).getUint32(0, true));
}

describe("an ONNX model cut short", () => {
  // These two have weights behind the graph, and a file that ends between two fields is a whole one to protobuf.
  const ordinary = samples.filter(([file]) => !/by-hand|functions/.test(file));

  test.each(ordinary)("%s is refused, or has lost none of its weights", async (file, bytes) => {
    const { graph } = await skimModel(bytesSource(file, bytes), createContext());
    const end = graph.parts[0]?.end ?? 0;
    const whole = await converted(file, bytes);
    const step = Math.max(1, Math.floor(bytes.length / 400));
    for (let size = 0; size < bytes.length; size += step) {
      const { value, error } = await outcomeOf(() => converted(file, bytes.slice(0, size)));
      if (size < end) expect(error?.kind, `cut at ${size} of ${end}`).toMatch(/io|malformed|unsupported/);
      // What stands behind the graph are facts about the model.
      else if (value) expect(value.length).toBe(whole?.length);
    }
  });
});

describe("an ONNX model with some bytes changed", () => {
  test.each(samples)("%s converts, or is refused in our own words", async (file, bytes) => {
    const change = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
        const damaged = bytes.slice();
        for (const [at, byte] of changes) damaged[at] = byte;
        const { value, error } = await outcomeOf(() => converted(file, damaged));
        if (!value)
          expect(error?.kind, error?.message).toMatch(/malformed|unsupported|unsafe|io|limit|lossy/);
      }),
    );
  });
});

describe("a file is taken for ONNX by its content", () => {
  const probe = (bytes: Uint8Array) => probeSource(bytesSource("sample", bytes), createContext());

  test.each(onnxManifest.map(({ file }) => file))("%s is", async (file) => {
    const found = await probe(bytesOf(file));
    expect(builtinFormats.map((format) => format.detect(found))).toEqual(["no", "no", "likely"]);
  });

  test("and no checkpoint of another kind is, nor any other file that is known", async () => {
    const others = [...manifest, ...unusual].map(({ file }) => [file, bytesOf(file)] as const);
    const foreign = failureCases
      .filter(({ file }) => !file.startsWith("onnx-"))
      .map(({ file, bytes }) => [file, bytes] as const);
    expect(others.length + foreign.length).toBeGreaterThan(400);
    const taken = [];
    for (const [file, bytes] of [...others, ...foreign])
      if (onnx.detect(await probe(bytes)) !== "no") taken.push(file);
    expect(taken).toEqual([]);
  });
});
