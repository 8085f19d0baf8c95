import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { join, little, type Part } from "../../scripts/fixtures/failure/bytes.mjs";
import { list, op, pickle, text } from "../../scripts/fixtures/failure/pickle.mjs";
import { createPickleMachine, type PickleMachine } from "../../src/containers/pickle/machine.ts";
import { readPickle } from "../../src/containers/pickle/read.ts";
import type { PickleValue } from "../../src/containers/pickle/values.ts";
import { createContext } from "../../src/core/context.ts";
import { defaultLimits } from "../../src/core/limits.ts";
import { bytesSource } from "../../src/core/source.ts";
import { type Choose, comparable, encodePython, pythonValue } from "../support/build-python-value.ts";
import { outcomeOf } from "../support/outcome.ts";

/** Picks by the numbers of a list, over and over. */
function chooser(numbers: readonly number[]): Choose {
  let at = 0;
  return (count) => (numbers[at++ % numbers.length] as number) % count;
}

const choices = fc.array(fc.nat(1000), { minLength: 1, maxLength: 30 }).map(chooser);

async function read(bytes: Uint8Array): Promise<PickleValue> {
  return (await readPickle(bytesSource("sample", bytes), 0, {}, createContext())).value;
}

function messageOf(attempt: () => unknown): string {
  try {
    attempt();
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

/** The codes in `pickletools.opcodes`, as text where they are letters. */
const pythonOpcodes: ReadonlySet<number> = new Set([
  ...Buffer.from("()012BCFGIJKLMNPQRSTUVX]abcdeghijlopqrstu}."),
  ...Array.from({ length: 0x99 - 0x80 }, (_, index) => 0x80 + index),
]);

/** Feeds a machine windows of the given sizes, in turn; one that holds no whole opcode is widened. */
function runInWindows(bytes: Uint8Array, sizes: readonly number[]): PickleMachine {
  const machine = createPickleMachine("sample", {}, defaultLimits);
  let at = 0;
  let wider = 0;
  for (let turn = 0; machine.result === undefined; turn++) {
    const end = Math.min(bytes.length, at + (sizes[turn % sizes.length] as number) + wider);
    const used = machine.run(bytes.subarray(at, end), at);
    wider = used === 0 ? wider * 2 + 1 : 0;
    at += used;
    if (machine.result === undefined && used === 0 && end === bytes.length) throw new Error("no STOP");
  }
  return machine;
}

describe("the pickle reader", () => {
  test("gives back any plain value, whatever opcodes it is written with", async () => {
    await fc.assert(
      fc.asyncProperty(pythonValue, choices, async (value, choose) => {
        expect(comparable(await read(encodePython(value, choose)))).toEqual(value);
      }),
      { numRuns: 2000 },
    );
  });

  test("gives the same value in windows of any sizes", () => {
    fc.assert(
      fc.property(
        pythonValue,
        choices,
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 }),
        (value, choose, sizes) => {
          const machine = runInWindows(encodePython(value, choose), sizes);
          expect(comparable((machine.result as { value: PickleValue }).value)).toEqual(value);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test("gives the same value where opcodes straddle its own windows of 1 MiB", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 900, max: 1100 }),
        fc.integer({ min: 1, max: 3 }),
        async (step, megabytes) => {
          const strings = Array.from({ length: 1200 * megabytes }, (_, index) =>
            `${index} `.repeat(step).slice(0, step),
          );
          const long = "long".repeat(600_000);
          const value = await read(pickle(list(...strings.map(text), text(long))));
          expect(comparable(value)).toEqual({ list: [...strings, long] });
        },
      ),
      { numRuns: 5 },
    );
  });

  test("ends any bytes with a value or with words", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 80 }), async (bytes) => {
        const { error } = await outcomeOf(() => read(bytes));
        if (error) expect(error.kind).toMatch(/malformed|limit/);
      }),
      { numRuns: 3000 },
    );
  });

  test("ends any run of opcodes with a value or with words", async () => {
    const operand: fc.Arbitrary<Part> = fc.oneof(
      fc.constant(""),
      fc.nat(3).map((value) => little(value, 1)),
      fc.nat(300).map((value) => little(value, 4)),
      fc.nat(9).map((value) => little(value, 8)),
      fc.constantFrom("1\n", "os\nsystem\n", "'x'\n", "nan\n", "-5\n"),
      fc.constantFrom(0xff, 0x7f).map((byte) => new Uint8Array(8).fill(byte)),
    );
    const value = fc.constantFrom<Part>(
      op.NONE,
      op.EMPTY_LIST,
      op.EMPTY_DICT,
      op.MARK,
      [0x4b, 1],
      text("a"),
      "cos\nsystem\n",
    );
    const step: fc.Arbitrary<Part> = fc.oneof(value, fc.tuple(fc.constantFrom(...pythonOpcodes), operand));
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const { error } = await outcomeOf(() => read(join(...steps, op.STOP)));
        if (error) expect(error.kind).toMatch(/malformed|limit/);
      }),
      { numRuns: 5000 },
    );
  });

  test("ends a value with any byte changed, or cut anywhere, with a value or with words", async () => {
    await fc.assert(
      fc.asyncProperty(pythonValue, choices, fc.nat(), fc.nat(255), async (value, choose, at, byte) => {
        const bytes = encodePython(value, choose);
        const cut = await outcomeOf(() => read(bytes.subarray(0, at % bytes.length)));
        expect(cut.error?.kind).toBe("malformed");
        bytes[at % bytes.length] = byte;
        await outcomeOf(() => read(bytes));
      }),
      { numRuns: 2000 },
    );
  });

  test("knows every opcode of Python's pickletools, and no other", () => {
    expect(pythonOpcodes.size).toBe(68);
    for (let code = 0; code < 256; code++) {
      const machine = createPickleMachine("sample", {}, defaultLimits);
      const attempt = () => machine.run(Uint8Array.of(code), 0);
      if (!pythonOpcodes.has(code)) expect(attempt).toThrow("is no pickle opcode");
      else expect(messageOf(attempt)).not.toContain("is no pickle opcode");
    }
  });
});

describe("a pickle that wants more than it has", () => {
  test("is refused before memory is taken for a length that it only claims", async () => {
    const claims = fc.constantFrom<readonly [number, number]>(
      [0x58, 4],
      [0x42, 4],
      [0x8d, 8],
      [0x8e, 8],
      [0x96, 8],
    );
    await fc.assert(
      fc.asyncProperty(claims, fc.bigInt({ min: 100n, max: 2n ** 62n }), async ([code, width], length) => {
        const before = process.memoryUsage().arrayBuffers;
        const claimed = width === 4 ? (length % 2n ** 31n) + 100n : length;
        const { error } = await outcomeOf(() => read(join(code, little(claimed, width), "few")));
        expect(error?.kind).toBe("malformed");
        expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1e6);
      }),
    );
  });

  test("is refused once it has pushed more values than the limit, however few it holds at a time", async () => {
    const context = createContext({ limits: { pickleValues: 1000 } });
    const busy = bytesSource("sample", pickle(new Array<Part>(2000).fill([op.NONE, op.POP]), op.NONE));
    const { error } = await outcomeOf(() => readPickle(busy, 0, {}, context));
    expect(error?.kind).toBe("limit");
    expect(error?.site.hint).toContain("--limit pickleValues=");
  });
});
