import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { castOn, floatCast } from "../../src/bytes/float-cast.ts";
import { createCastMachine } from "../../src/bytes/float-steps.ts";
import { type FloatType, floatBytes } from "../../src/bytes/floats.ts";
import { fixtures, sha256 } from "../support/files.ts";
import { castInputs } from "../support/floats.ts";

interface Row {
  readonly from: FloatType;
  readonly to: FloatType;
  readonly count: number;
  readonly inputSha256: string;
  readonly sha256: string;
  readonly overflowed: number;
  readonly vanished: number;
  readonly sample: readonly string[];
}

const table: { readonly step: number; readonly pairs: readonly Row[] } = JSON.parse(
  readFileSync(join(fixtures, "casts.json"), "utf8"),
);
const inputs = new Map(
  ["F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ"].map((type) => [
    type,
    castInputs(type as FloatType),
  ]),
);
const machines = [
  ["with vectors", createCastMachine(false)],
  ["without", createCastMachine(true)],
] as const;
const cases = machines.flatMap(([how, machine]) =>
  table.pairs.map((row) => [row.from, row.to, how, machine, row] as const),
);

test("this platform runs the WebAssembly kernels", () => {
  const [vectors, portable] = machines.map(([, machine]) => machine.steps("F32", "F16"));
  expect(vectors).not.toEqual(portable);
});

describe("casts give what torch gives, bit for bit, and count what is lost", () => {
  test.each(cases)("%s to %s, %s", (from, to, _, machine, row) => {
    const input = inputs.get(from) as Uint8Array;
    expect(sha256(input), "the inputs are those of the script").toBe(row.inputSha256);
    const width = floatBytes(to);
    const output = new Uint8Array(row.count * width);
    const loss = { overflowed: 0, vanished: 0 };
    castOn(machine, from, to)(input, output, loss);
    const sample = row.sample.map((_, at) => codeAt(output, at * table.step, width));
    expect(sample).toEqual(row.sample);
    expect(sha256(output)).toBe(row.sha256);
    expect(loss).toEqual({ overflowed: row.overflowed, vanished: row.vanished });
  });
});

function codeAt(bytes: Uint8Array, index: number, width: number): string {
  return Buffer.from(bytes.subarray(index * width, (index + 1) * width))
    .reverse()
    .toString("hex");
}

test("a cast of any length at any alignment is that of each number by itself", () => {
  const types = fc.constantFrom(...table.pairs);
  fc.assert(
    fc.property(types, fc.nat(40), fc.nat(7), fc.nat(7), fc.nat(100_000), ({ from, to }, count, a, b, at) => {
      const all = inputs.get(from) as Uint8Array;
      const [width, result] = [floatBytes(from), floatBytes(to)];
      const start = (at % (all.length / width - 40)) * width;
      const source = new Uint8Array(count * width + a).subarray(a);
      source.set(all.subarray(start, start + count * width));
      const target = new Uint8Array(count * result + b + 1).fill(0x55);
      const loss = { overflowed: 0, vanished: 0 };
      floatCast(from, to)(source, target.subarray(b, b + count * result), loss);
      const single = new Uint8Array(result);
      const total = { overflowed: 0, vanished: 0 };
      for (let index = 0; index < count; index++) {
        floatCast(from, to)(source.slice(index * width, (index + 1) * width), single, total);
        expect(target.slice(b + index * result, b + (index + 1) * result)).toEqual(single);
      }
      expect(loss).toEqual(total);
      expect(target.at(-1)).toBe(0x55);
    }),
  );
});

test("widening and narrowing again gives the same number", () => {
  const loss = { overflowed: 0, vanished: 0 };
  for (const { from, to } of table.pairs) {
    const source = (inputs.get(from) as Uint8Array).slice(0, 524_288);
    const wide = new Uint8Array((source.length / floatBytes(from)) * floatBytes(to));
    const back = new Uint8Array(source.length);
    if (floatBytes(to) < 4 || floatBytes(from) > 2) continue;
    floatCast(from, to)(source, wide, loss);
    floatCast(to, from)(wide, back, loss);
    expect(numbersOf(back, from)).toEqual(numbersOf(source, from));
  }
  expect(loss).toEqual({ overflowed: 0, vanished: 0 });
});

/** As numbers, so that one NaN is like another. */
function numbersOf(bytes: Uint8Array, type: FloatType): Float64Array {
  const wide = new Uint8Array((bytes.length / floatBytes(type)) * 8);
  floatCast(type, "F64")(bytes, wide, { overflowed: 0, vanished: 0 });
  return new Float64Array(wide.buffer);
}

test("the compiled kernels are those of their text", () => {
  const script = fileURLToPath(new URL("../../scripts/kernels.mjs", import.meta.url));
  execFileSync(process.execPath, [script, "--check"]);
});
