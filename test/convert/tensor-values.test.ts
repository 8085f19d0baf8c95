import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { TensorValues } from "../../src/convert/look/tensor-values.ts";
import { createContext } from "../../src/core/context.ts";
import { type ByteSource, bytesSource } from "../../src/core/source.ts";
import { inspectTensor, tensorValues } from "../../src/node.ts";
import { fixtures } from "../support/files.ts";

type Expected = Omit<TensorValues, "histogram" | "dtype" | "shape" | "bytes"> & {
  readonly histogram?: readonly number[];
};

const expected = JSON.parse(readFileSync(join(fixtures, "statistics/expected.json"), "utf8")) as Readonly<
  Record<string, Readonly<Record<string, Expected>>>
>;

const cases = Object.entries(expected).flatMap(([file, tensors]) =>
  Object.entries(tensors).map(([name, facts]) => [file, name, facts] as const),
);

/** Sums and absolute values are rounded in another order than the reference's; all else is exact. */
function expectValues(values: TensorValues, { mean, std, histogram, ...others }: Expected): void {
  const { min, max, ...exact } = others;
  const isComplex = values.dtype.startsWith("C");
  expect(values).toMatchObject(isComplex ? exact : others);
  expect(values.min === undefined).toBe(min === undefined);
  if (isComplex) expectNear([values.min, values.max], [min, max], 1e-15);
  // Beyond 2^53 a mean is one of rounded numbers.
  const rounding = values.dtype.endsWith("64")
    ? 2 ** -52 * Math.max(Math.abs(Number(min)), Math.abs(Number(max)))
    : 0;
  expectNear([values.mean, values.std], [mean, std], 1e-12, rounding);
  expect(values.histogram?.counts).toEqual(histogram);
}

function expectNear(
  found: readonly unknown[],
  wanted: readonly unknown[],
  relative: number,
  absolute = 0,
): void {
  for (const [index, number] of wanted.entries()) {
    if (number === undefined) expect(found[index]).toBeUndefined();
    else {
      const distance = Math.abs((found[index] as number) - (number as number));
      expect(distance).toBeLessThanOrEqual(relative * Math.abs(number as number) + absolute);
    }
  }
}

describe("what torch and numpy say of a tensor's values", () => {
  test.each(cases)("%s, %s", async (file, name, facts) => {
    const { tensor } = await inspectTensor(join(fixtures, file), name);
    expectValues(tensor, facts);
  });

  test.each(cases.filter(([file]) => file.startsWith("statistics/")))(
    "%s, %s: the same from a .pth through the smallest of buffers",
    async (file, name, facts) => {
      const { tensor } = await inspectTensor(join(fixtures, file.replace("safetensors", "pth")), name, {
        bufferBytes: 4096,
      });
      expectValues(tensor, facts);
    },
  );
});

describe("reading the values of a tensor", () => {
  test("holds one buffer, whatever the tensor's size", async () => {
    const reads: number[] = [];
    const endless: ByteSource = {
      name: "endless",
      size: 4 * 5_000_000,
      async readInto(target) {
        reads.push(target.length);
        target.fill(0);
      },
    };
    const context = createContext({ bufferBytes: 1 << 20 });
    const values = await tensorValues("x", { dtype: "F32", shape: [5_000_000], payload: endless }, context);
    expect(values).toMatchObject({ zeros: 5_000_000, mean: 0, std: 0, min: 0, max: 0 });
    expect(Math.max(...reads)).toBe(1 << 20);
    expect((context.scratch as unknown as { ownedBytes: number }).ownedBytes).toBe(1 << 20);
  });

  test("takes both halves of a byte of 4-bit numbers", async () => {
    const payload = bytesSource("x", Uint8Array.of(0x72, 0xf1));
    const values = await tensorValues("x", { dtype: "F4", shape: [4], payload }, createContext());
    expect(values).toMatchObject({ first: [1, 6, 0.5, -6], min: -6, max: 6, elements: 4 });
  });

  test("refuses a type of which the numbers are not known, and a wrong checksum", async () => {
    const payload = bytesSource("x", new Uint8Array(6));
    await expect(
      tensorValues("x", { dtype: "F6_E2M3", shape: [8], payload }, createContext()),
    ).rejects.toMatchObject({ kind: "unsupported" });
    const checked = { ...payload, crc32: 1 };
    await expect(
      tensorValues("x", { dtype: "U8", shape: [6], payload: checked }, createContext()),
    ).rejects.toMatchObject({ kind: "malformed", message: '"x" does not match its checksum' });
  });

  test("stops when it is told to", async () => {
    const attempt = inspectTensor(join(fixtures, "statistics/values.pth"), "normal", {
      signal: AbortSignal.abort(),
    });
    await expect(attempt).rejects.toMatchObject({ kind: "cancelled" });
  });
});
