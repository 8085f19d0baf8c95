import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { floatCast } from "../../src/bytes/float-cast.ts";
import { createContext } from "../../src/core/context.ts";
import { tensorDict } from "../../src/core/dict.ts";
import { bytesSource } from "../../src/core/source.ts";
import type { LazyTensor } from "../../src/core/tensor.ts";
import { convert, open } from "../../src/node.ts";
import { cast } from "../../src/transforms/cast.ts";
import { createCastLosses } from "../../src/transforms/cast-losses.ts";
import { parseCastRule } from "../../src/transforms/cast-rules.ts";
import { command, commandJson, samples } from "../support/command.ts";
import { countingScratch } from "../support/doubles.ts";
import { fixtures, sha256, temporaryFolder } from "../support/files.ts";
import { dictsOf, unusual } from "../support/manifest.ts";
import { type PlainTensor, safetensorsBytes, singles } from "../support/safetensors.ts";

function inputOf(tensors: Readonly<Record<string, PlainTensor>>): { input: string; output: string } {
  const folder = temporaryFolder();
  const input = join(folder, "in.safetensors");
  writeFileSync(input, safetensorsBytes(tensors));
  return { input, output: join(folder, "out.safetensors") };
}

async function dtypesOf(path: string): Promise<Record<string, string>> {
  const model = await open(path);
  const dtypes = [...model.dict.tensors].map(([name, { dtype }]) => [name, dtype]);
  await model.close();
  return Object.fromEntries(dtypes);
}

async function bytesOf(path: string, name: string): Promise<Uint8Array> {
  const model = await open(path);
  const bytes = await model.read(name);
  await model.close();
  return bytes;
}

const integers: PlainTensor = { dtype: "I64", shape: [1], bytes: new Uint8Array(8) };
const complex: PlainTensor = { dtype: "C64", shape: [1], bytes: new Uint8Array(8) };

describe("--dtype says which tensors become what", () => {
  test("all floating ones by a type alone, and no others", async () => {
    const { input, output } = inputOf({ a: singles(1), b: singles(2, 3), count: integers, wave: complex });
    const { notices } = await convert(input, output, { dtype: "bf16" });
    expect(await dtypesOf(output)).toEqual({ a: "BF16", b: "BF16", count: "I64", wave: "C64" });
    expect(notices).toEqual([]);
  });

  test("the last one that fits a tensor counts, in any order of wide and narrow", async () => {
    const { input, output } = inputOf({ "head.w": singles(1), "body.w": singles(2), "body.b": singles(3) });
    await convert(input, output, { dtype: ["head.*=f64", "f16", "*.b=f32", "body.?=f8_e5m2", "*.b=bf16"] });
    expect(await dtypesOf(output)).toEqual({ "head.w": "F16", "body.w": "F8_E5M2", "body.b": "BF16" });
  });

  test("a tensor that has the type already keeps its bytes", async () => {
    const { input, output } = inputOf({ a: singles(Number.NaN, -0, 1e-40) });
    await convert(input, output, { dtype: "f32" });
    expect(readFileSync(output).subarray(-12)).toEqual(readFileSync(input).subarray(-12));
  });

  test("numbers that are no plain ones stay, with a notice where a pattern names them", async () => {
    const { input, output } = inputOf({ a: singles(1), wave: complex, count: integers });
    const { notices } = await convert(input, output, { dtype: ["wave=f16", "count=f16", "nothing*=f16"] });
    expect(notices.map(({ code, tensor }) => [code, tensor])).toEqual([
      ["not-cast", "wave"],
      ["unmatched", undefined],
    ]);
  });

  test("an unknown type, or none, is refused", async () => {
    for (const dtype of ["f17", "a*=", "=f16", "int8", "a=b=f9"]) {
      const attempt = convert(samples.network, join(temporaryFolder(), "out.safetensors"), { dtype });
      await expect(attempt, dtype).rejects.toMatchObject({ kind: "usage" });
    }
    expect(parseCastRule("a=b=F16")).toMatchObject({ to: "F16", pattern: { text: "a=b" } });
    const { exit, err } = await command(["convert", samples.network, "out.safetensors", "--dtype", "half"]);
    expect(exit).toBe(2);
    expect(err).toContain("f8_e4m3fnuz");
  });

  test("on the command line it is repeatable", async () => {
    const { input, output } = inputOf({ a: singles(1), b: singles(2) });
    const words = ["convert", input, output, "--dtype", "f16", "--dtype", "b=f8_e4m3"];
    expect(await commandJson(words)).toMatchObject({ exit: 0 });
    expect(await dtypesOf(output)).toEqual({ a: "F16", b: "F8_E4M3" });
  });
});

describe("what a type cannot hold is told", () => {
  const tensors = { a: singles(1, 70_000, -1e30, Infinity, 1e-9, 0, 2), b: singles(1) };

  test("a number beyond the range ends the conversion, and nothing is left", async () => {
    const { input, output } = inputOf(tensors);
    const attempt = convert(input, output, { dtype: "f16" });
    await expect(attempt).rejects.toMatchObject({ kind: "lossy", site: { tensor: "a" } });
    expect(() => readFileSync(output)).toThrow();
    const { exit, err } = await command(["convert", input, output, "--dtype", "f16"]);
    expect(exit).toBe(7);
    expect(err).toContain("--allow lossy-cast");
  });

  test("with leave it is written, and counted once, however often it is read", async () => {
    const { input, output } = inputOf(tensors);
    const { notices } = await convert(input, output, { dtype: "f16", allow: ["lossy-cast"], verify: true });
    expect(notices).toEqual([
      {
        code: "cast-overflow",
        tensor: "a",
        message: '2 of the 7 numbers of "a" are beyond the range of F16 and became infinite',
      },
      {
        code: "cast-underflow",
        tensor: "a",
        message: '1 of the 7 numbers of "a" are too small for F16 and became 0',
      },
    ]);
    expect([...new Uint16Array((await bytesOf(output, "a")).slice().buffer)]).toEqual([
      0x3c00, 0x7c00, 0xfc00, 0x7c00, 0, 0, 0x4000,
    ]);
  });

  test("types without an infinity say what they make of it", async () => {
    for (const [dtype, outcome] of [
      ["f8_e4m3", "448 or -448"],
      ["f8_e4m3fnuz", "NaN"],
      ["f8_e5m2fnuz", "NaN"],
    ] as const) {
      const { input, output } = inputOf(tensors);
      const { notices } = await convert(input, output, { dtype, allow: ["lossy-cast"] });
      expect(notices[0]?.message).toBe(
        `3 of the 7 numbers of "a" are beyond the range of ${dtype.toUpperCase()} and became ${outcome}`,
      );
    }
  });

  test("numbers that become 0 are a notice, and an error with --strict", async () => {
    const { input, output } = inputOf({ a: singles(1e-9) });
    const strict = convert(input, output, { dtype: "f16", strict: true });
    await expect(strict).rejects.toMatchObject({ kind: "lossy" });
    expect(() => readFileSync(output)).toThrow();
    const { notices } = await convert(input, output, { dtype: "f16" });
    expect(notices.map(({ code }) => code)).toEqual(["cast-underflow"]);
  });
});

describe("tensors that share a storage", () => {
  const tiedBytes = 4 * 12;

  test("share one in the output, cast once", async () => {
    const model = await open(samples.tied);
    const views = [...model.dict.tensors.values()].map(({ view }) => view?.storage);
    await model.close();
    expect(new Set(views).size, "the sample has ties").toBeLessThan(views.length);
    const output = join(temporaryFolder(), "out.pth");
    await convert(samples.tied, output, { dtype: "f64", verify: true });
    const [before, after] = [await open(samples.tied), await open(output)];
    const shared = ({ dict }: typeof before) => {
      const storages = [...dict.tensors.values()].map(({ view }) => view?.storage);
      return storages.map((storage) => storages.indexOf(storage));
    };
    expect(shared(after)).toEqual(shared(before));
    await Promise.all([before.close(), after.close()]);
  });

  test("and are parted where they are cast differently", () => {
    const storage = bytesSource("storage", new Uint8Array(tiedBytes));
    const view = { storage: "0", source: storage, start: 0, end: tiedBytes, strides: [1], contiguous: true };
    const tensor: LazyTensor = { dtype: "F32", shape: [12], payload: storage, view };
    const dict = tensorDict(new Map(["a", "b", "c", "d"].map((name) => [name, tensor])));
    const context = createContext();
    const rules = { dtype: ["f16", "c=bf16", "d=f32"] };
    const { tensors } = cast(rules, createCastLosses(false), context)(dict);
    const [a, b, c, d] = [...tensors.values()].map((one) => one.view?.storage);
    expect(a).toBe(b);
    expect(new Set([a, c, d]).size).toBe(3);
    expect(tensors.get("a")?.view?.source).toBe(tensors.get("b")?.view?.source);
    expect(tensors.get("a")?.view).toMatchObject({ start: 0, end: tiedBytes / 2 });
  });
});

describe("reading a cast", () => {
  const values = Uint8Array.from({ length: 40_000 }, (_, at) => (at * 37 + (at >> 7)) & 0x3f);

  test("in any stretches gives the whole", async () => {
    const dict = tensorDict(
      new Map([["a", { dtype: "F32", shape: [10_000], payload: bytesSource("a", values) }]]),
    );
    const whole = new Uint8Array(20_000);
    floatCast("F32", "BF16")(values, whole, { overflowed: 0, vanished: 0 });
    const losses = createCastLosses(true);
    const { payload } = cast({ dtype: "bf16" }, losses, createContext())(dict).tensors.get("a") as LazyTensor;
    const stretch = fc.tuple(fc.nat(9_999), fc.nat(9_999));
    await fc.assert(
      fc.asyncProperty(stretch, async ([a, b]) => {
        const [from, to] = [2 * Math.min(a, b), 2 * Math.max(a, b)];
        const target = new Uint8Array(to - from);
        await payload.readInto(target, from);
        expect(target).toEqual(whole.subarray(from, to));
      }),
    );
  });

  test("borrows no more than a stretch, however many tensors and however large they are", async () => {
    const payload = { name: "large", size: 2 ** 32, readInto: async () => undefined };
    const tensor: LazyTensor = { dtype: "F32", shape: [2 ** 30], payload };
    const dict = tensorDict(new Map(Array.from({ length: 2000 }, (_, at) => [`t${at}`, tensor])));
    const scratch = countingScratch();
    const { tensors } = cast({ dtype: "f16" }, createCastLosses(true), createContext())(dict);
    const target = new Uint8Array(8 * 2 ** 20);
    for (const { payload } of [...tensors.values()].slice(0, 5))
      await payload.readInto(target, 0, { scratch });
    expect(scratch.mostBytes).toBe(2 * 2 ** 20);
  });

  test("keeps to the long reads that its input prefers, as far as memory allows", async () => {
    const mebibyte = 2 ** 20;
    for (const [dtype, preferredBytes, input, output] of [
      ["f16", 16, 16, 8],
      ["f64", 16, 8, 16],
      ["f16", 40, 20, 10],
      ["f64", 40, 10, 20],
    ] as const) {
      const reads: number[] = [];
      const payload = {
        name: "gathered",
        size: 64 * mebibyte,
        preferredBytes: preferredBytes * mebibyte,
        readInto: async (target: Uint8Array) => void reads.push(target.length / mebibyte),
      };
      const dict = tensorDict(new Map([["a", { dtype: "F32" as const, shape: [2 ** 24], payload }]]));
      const { tensors } = cast({ dtype }, createCastLosses(true), createContext())(dict);
      const source = tensors.get("a")?.payload;
      expect(source?.preferredBytes).toBe(output * mebibyte);
      await source?.readInto(new Uint8Array(output * mebibyte), 0);
      expect(reads).toEqual([input]);
    }
  });

  test("compares the bytes with the checksum of their container", async () => {
    const folder = temporaryFolder();
    const damaged = join(folder, "damaged.pth");
    const bytes = readFileSync(samples.network);
    const model = await open(samples.network);
    const [, first] = [...model.dict.tensors].find(([, { payload }]) => payload.size > 1000) ?? [];
    const needle = Buffer.alloc(64);
    await first?.payload.readInto(needle, 0);
    await model.close();
    bytes.writeUInt8((bytes.readUInt8(bytes.indexOf(needle)) + 1) % 256, bytes.indexOf(needle));
    writeFileSync(damaged, bytes);
    for (const output of ["out.safetensors", "out.pth"]) {
      const attempt = convert(damaged, join(folder, output), { dtype: "bf16" });
      await expect(attempt, output).rejects.toMatchObject({
        kind: "malformed",
        message: expect.stringMatching(/checksum/),
      });
    }
  });
});

describe("a checkpoint taken as a whole", () => {
  test("keeps its dtypes", async () => {
    const output = join(temporaryFolder(), "out.safetensors");
    const attempt = convert(samples.checkpoint, output, { all: true, dtype: "f16" });
    await expect(attempt).rejects.toMatchObject({ kind: "usage" });
  });
});

describe("the executor's buffers", () => {
  test("may be of any size: the file is the same", async () => {
    const folder = temporaryFolder();
    const outputs = await Promise.all(
      [4096, 10_001, 8 * 2 ** 20].map(async (bufferBytes, index) => {
        const output = join(folder, `${index}.safetensors`);
        await convert(samples.network, output, {
          dtype: ["f16", "*.bias=f64"],
          bufferBytes,
          jobs: 1 + index,
        });
        return sha256(readFileSync(output));
      }),
    );
    expect(new Set(outputs).size).toBe(1);
  });
});

describe("quantized tensors", () => {
  const payload = bytesSource("quantized", new Uint8Array(6));
  const part = (dtype: "F64" | "I64" | "F16", count: number): LazyTensor => ({
    dtype,
    shape: [count],
    payload: bytesSource("part", new Uint8Array(8 * count)),
  });

  test("whose scales do not fit are refused", () => {
    for (const [axis, scales, zeroPoints] of [
      [0, 3, 2],
      [0, 2, 3],
      [2, 1, 1],
      [undefined, 2, 1],
    ] as const) {
      const quantization = { scale: part("F64", scales), zeroPoint: part("I64", zeroPoints), axis };
      const dict = tensorDict(
        new Map([["q", { dtype: "I8" as const, shape: [2, 3], payload, quantization }]]),
      );
      const transform = cast({ dtype: "f32" }, createCastLosses(false), createContext());
      expect(() => transform(dict), `${axis} ${scales} ${zeroPoints}`).toThrow(/zero points/);
    }
  });

  test("of integers or scales that are not known are refused", async () => {
    const context = createContext();
    const transform = cast({ dtype: "f32" }, createCastLosses(false), context);
    const quantization = { scale: part("F64", 1), zeroPoint: part("I64", 1) };
    const short = { dtype: "I16" as const, shape: [3], payload, quantization };
    expect(() => transform(tensorDict(new Map([["q", short]])))).toThrow(/I16/);
    const half = { ...short, dtype: "I8" as const, quantization: { ...quantization, scale: part("F16", 1) } };
    const { tensors } = transform(tensorDict(new Map([["q", { ...half, shape: [6] }]])));
    const reading = tensors.get("q")?.payload.readInto(new Uint8Array(24), 0);
    await expect(reading).rejects.toMatchObject({ kind: "unsupported" });
  });

  const rows = unusual.filter(
    ({ file, tensors }) => tensors?.some(({ quantized }) => quantized) && !file.includes("quantized-narrow"),
  );
  const named = rows.filter(({ file }) => !/quantized-static(-legacy|-per-tensor)?\.pth$/.test(file));

  test.each(named.map((row) => [row.file, row] as const))(
    "become the numbers that torch's dequantize() gives: %s",
    async (file, row) => {
      const output = join(temporaryFolder(), "out.safetensors");
      await convert(join(fixtures, file), output, { dtype: "f32", tied: "copy" });
      const model = await open(output);
      for (const [, dict] of dictsOf(row)) {
        for (const { name, sha256: wanted, quantized } of dict.tensors) {
          if (quantized === undefined) continue;
          expect(model.dict.tensors.get(name)?.dtype).toBe("F32");
          expect(sha256(await model.read(name)), name).toBe(wanted);
          for (const part of ["scale", "zero_point", "axis"])
            expect(model.dict.tensors.has(`${name}.${part}`)).toBe(false);
        }
      }
      await model.close();
    },
  );

  test("go on to narrower types from there, and keep their parts where no pattern names them", async () => {
    const input = join(fixtures, "pytorch/more/special/torch-2.13/quantized.pth");
    const folder = temporaryFolder();
    const [wide, narrow] = [join(folder, "wide.safetensors"), join(folder, "narrow.safetensors")];
    await convert(input, wide, { dtype: "f32" });
    const { dropped } = await convert(input, narrow, { dtype: "channel.qint8=bf16", tied: "copy" });
    expect(await dtypesOf(narrow)).toMatchObject({
      "channel.qint8": "BF16",
      "channel.quint8": "U8",
      "channel.quint8.scale": "F64",
    });
    const expected = (await bytesOf(wide, "channel.qint8")).slice();
    const cast = new Uint8Array(expected.length / 2);
    floatCast("F32", "BF16")(expected, cast, { overflowed: 0, vanished: 0 });
    expect(await bytesOf(narrow, "channel.qint8")).toEqual(cast);
    expect(dropped.map(({ name, reason }) => [name, reason])).toEqual([
      ["channel.qint8.scale", "dequantized"],
      ["channel.qint8.zero_point", "dequantized"],
      ["channel.qint8.axis", "dequantized"],
    ]);
  });
});
