import { describe, expect, test } from "vitest";
import { planOutput } from "../../src/convert/plan/plan-output.ts";
import { runPlan } from "../../src/convert/run/run-plan.ts";
import { type ContextOptions, createContext } from "../../src/core/context.ts";
import { type TensorDict, tensorDict } from "../../src/core/dict.ts";
import { pieceSize } from "../../src/core/plan.ts";
import { createScratchPool } from "../../src/core/scratch.ts";
import type { OutputFolder } from "../../src/core/sink.ts";
import { type ByteSource, bytesSource } from "../../src/core/source.ts";
import type { LazyTensor } from "../../src/core/tensor.ts";
import { safetensors } from "../../src/formats/safetensors/index.ts";
import { countingScratch, inverted, type RecordingFolder, recordingFolder } from "../support/doubles.ts";
import { sha256 } from "../support/files.ts";

/** `count` tensors of `bytes` bytes each, whose content tells them apart. */
function manyTensors(count: number, bytes: number): TensorDict {
  const tensors = Array.from({ length: count }, (_, index): [string, LazyTensor] => {
    const name = `tensor.${index}`;
    const payload = bytesSource(name, new Uint8Array(bytes).fill(index + 1));
    return [name, { dtype: "U8", shape: [bytes], payload }];
  });
  return tensorDict(new Map(tensors));
}

/** Every payload wrapped twice, so that each read borrows twice. */
function wrapped(dict: TensorDict): TensorDict {
  const tensors = [...dict.tensors].map(([name, tensor]): [string, LazyTensor] => [
    name,
    { ...tensor, payload: inverted(inverted(tensor.payload)) },
  ]);
  return tensorDict(new Map(tensors));
}

function hashes({ files }: RecordingFolder): readonly (readonly [string, string])[] {
  return [...files].map(([name, bytes]) => [name, sha256(bytes)]);
}

async function planOf(dict: TensorDict, shardBytes = Number.POSITIVE_INFINITY) {
  return (await planOutput(dict, safetensors, "model.safetensors", { maxShardBytes: shardBytes })).plan;
}

async function write(dict: TensorDict, folder: OutputFolder, options: ContextOptions = {}): Promise<void> {
  await runPlan(await planOf(dict), folder, () => false, createContext(options));
}

describe("running a plan", () => {
  test("gives the same bytes with any number of jobs and any buffer", async () => {
    const dict = manyTensors(50, 1000);
    const plain = recordingFolder();
    await write(dict, plain);
    for (const options of [
      { jobs: 1, bufferBytes: 64 },
      { jobs: 3, bufferBytes: 999 },
      { jobs: 8, bufferBytes: 1_000_000 },
    ]) {
      const folder = recordingFolder();
      await write(dict, folder, options);
      expect(hashes(folder)).toEqual(hashes(plain));
    }
  });

  test("finishes every file before it shows the first, and settles after the last", async () => {
    const folder = recordingFolder();
    const plan = await planOf(manyTensors(4, 1000), 2000);
    await runPlan(plan, folder, () => false, createContext({ bufferBytes: 500 }));
    const kinds = folder.calls.map((call) => call.split(" ")[0]);
    expect(kinds.filter((kind) => kind === "commit")).toHaveLength(3);
    expect(kinds.indexOf("commit")).toBeGreaterThan(kinds.lastIndexOf("finish"));
    expect(kinds.at(-1)).toBe("settle");
    expect(kinds).not.toContain("discard");
  });

  test("writes from front to back in one lane where a folder takes bytes in order only", async () => {
    let busy = 0;
    let most = 0;
    const folder = recordingFolder({
      inOrder: true,
      async onWrite() {
        most = Math.max(most, ++busy);
        await new Promise((resolve) => setTimeout(resolve, 0));
        busy--;
      },
    });
    await write(manyTensors(20, 1000), folder, { jobs: 4, bufferBytes: 700 });
    expect(most).toBe(1);
    let expected = 0;
    for (const { position, length } of folder.writes) {
      expect(position).toBe(expected);
      expected = position + length;
    }
    expect(folder.writes.length).toBeGreaterThan(20);
  });

  test("has as many transfers under way as there are jobs elsewhere", async () => {
    let busy = 0;
    let most = 0;
    const folder = recordingFolder({
      async onWrite() {
        most = Math.max(most, ++busy);
        await new Promise((resolve) => setTimeout(resolve, 2));
        busy--;
      },
    });
    await write(manyTensors(20, 1000), folder, { jobs: 4, bufferBytes: 1000 });
    expect(most).toBe(4);
  });

  test("tells how far it is: never back, and to the last byte", async () => {
    const steps: number[] = [];
    const plan = await planOf(manyTensors(20, 1000));
    const context = createContext({
      bufferBytes: 100,
      onProgress({ phase, done, total, label }) {
        expect({ phase, total, label }).toEqual({
          phase: "write",
          total: plan.size,
          label: "model.safetensors",
        });
        steps.push(done);
      },
    });
    await runPlan(plan, recordingFolder(), () => false, context);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    expect(steps.at(-1)).toBe(plan.size);
  });
});

describe("payloads that are better read in patches", () => {
  /** A matrix of `rows` rows in patches of some columns; reading it from front to back fails unless it is allowed. */
  function patched(bytes: Uint8Array, rows: number, columns: number, inOrder: boolean): ByteSource {
    const plain = bytesSource("patched", bytes);
    const step = bytes.length / rows;
    return {
      ...plain,
      readInto: (target, offset, request) =>
        inOrder ? plain.readInto(target, offset, request) : Promise.reject(new Error("read in order")),
      patchwork: {
        *patches() {
          for (let from = 0; from < step; from += columns)
            yield { offset: from, length: Math.min(columns, step - from), count: rows, step };
        },
        async readPatch(target, { offset, length, count }) {
          for (let run = 0; run < count; run++) {
            const at = offset + run * step;
            target.set(bytes.subarray(at, at + length), run * length);
          }
        },
      },
    };
  }

  function dictOf(inOrder: boolean): TensorDict {
    const bytes = Uint8Array.from({ length: 40 * 30 }, (_, index) => (index * 7 + (index >> 8)) % 251);
    const small = manyTensors(3, 50);
    const [first, second, third] = [...small.tensors] as [
      [string, LazyTensor],
      [string, LazyTensor],
      [string, LazyTensor],
    ];
    const wide = (columns: number): LazyTensor => ({
      dtype: "U8",
      shape: [40, 30],
      payload: patched(bytes, 40, columns, inOrder),
    });
    return tensorDict(new Map([first, ["a", wide(7)], second, ["b", wide(30)], third]));
  }

  test("get to their places, whatever the buffers", async () => {
    const plain = recordingFolder();
    const whole = [...dictOf(true).tensors].map(([name, tensor]): [string, LazyTensor] => [
      name,
      { ...tensor, payload: { ...tensor.payload, patchwork: undefined } },
    ]);
    await write(tensorDict(new Map(whole)), plain);
    for (const options of [
      { jobs: 1, bufferBytes: 64 },
      { jobs: 4, bufferBytes: 400 },
      { jobs: 2, bufferBytes: 1_000_000 },
    ]) {
      const folder = recordingFolder();
      await write(dictOf(false), folder, options);
      expect(hashes(folder)).toEqual(hashes(plain));
    }
  });

  test("are read from front to back where a folder or a hash needs that", async () => {
    const plain = recordingFolder();
    await write(dictOf(false), plain);
    const inOrder = recordingFolder({ inOrder: true });
    await write(dictOf(true), inOrder, { bufferBytes: 100 });
    expect(hashes(inOrder)).toEqual(hashes(plain));
    let end = 0;
    for (const { position, length } of inOrder.writes) {
      expect(position).toBe(end);
      end = position + length;
    }
  });

  test("count as there only when all of their patches are", async () => {
    const reached: number[] = [];
    const inner = recordingFolder();
    const folder: OutputFolder = {
      ...inner,
      async create(name, size) {
        const sink = await inner.create(name, size);
        return { ...sink, reached: (position) => void reached.push(position) };
      },
    };
    const plan = await planOf(dictOf(false));
    await runPlan(plan, folder, () => false, createContext({ jobs: 1, bufferBytes: 64 }));
    const inside: [number, number][] = [];
    let position = 0;
    for (const piece of plan.files[0]?.pieces ?? []) {
      const size = pieceSize(piece);
      if (piece.kind === "payload" && piece.source.patchwork)
        inside.push([position + 1, position + size - 1]);
      position += size;
    }
    expect(inside).toHaveLength(2);
    for (const at of reached) expect(inside.some(([from, to]) => at >= from && at <= to)).toBe(false);
    expect(reached.at(-1)).toBe(plan.size);
    expect(reached).toEqual([...reached].sort((a, b) => a - b));
  });
});

describe("memory is lent, and given back", () => {
  test("2,000 wrapped tensors take a few buffers, not one each", async () => {
    const bufferBytes = 64 * 1024;
    const scratch = countingScratch();
    const plan = await planOf(wrapped(manyTensors(2000, 5000)));
    const folder = recordingFolder();
    await runPlan(plan, folder, () => false, { ...createContext({ bufferBytes, jobs: 2 }), scratch });
    // Two lanes, each with its own buffer and one for each of the two wrappers.
    expect(scratch.mostBytes).toBeLessThanOrEqual(2 * 3 * bufferBytes);
    const plain = recordingFolder();
    await write(manyTensors(2000, 5000), plain);
    expect(hashes(folder)).toEqual(hashes(plain));
  });

  test("reads that are better long have two long buffers at the most, however many lanes there are", async () => {
    const bufferBytes = 1024;
    const longBytes = 16 * bufferBytes;
    const dict = manyTensors(6, 5 * longBytes);
    const long = [...dict.tensors].map(([name, tensor]): [string, LazyTensor] => [
      name,
      { ...tensor, payload: { ...tensor.payload, preferredBytes: longBytes } },
    ]);
    const scratch = countingScratch();
    const folder = recordingFolder();
    const plan = await planOf(tensorDict(new Map(long)));
    await runPlan(plan, folder, () => false, { ...createContext({ bufferBytes, jobs: 4 }), scratch });
    expect(scratch.mostBytes).toBe(4 * bufferBytes + 2 * longBytes);
    const plain = recordingFolder();
    await write(dict, plain);
    expect(hashes(folder)).toEqual(hashes(plain));
  });

  test("the pool owns no more than was out at once", async () => {
    const bufferBytes = 64 * 1024;
    const scratch = createScratchPool();
    const plan = await planOf(wrapped(manyTensors(2000, 5000)));
    await runPlan(plan, recordingFolder(), () => false, {
      ...createContext({ bufferBytes, jobs: 2 }),
      scratch,
    });
    expect(scratch.ownedBytes).toBeLessThanOrEqual(2 * 3 * bufferBytes);
  });
});

describe("a failure leaves nothing", () => {
  const failure = new Error("the disk is gone");

  test.each([0, 1, 7])("of write number %i", async (number) => {
    let count = 0;
    const folder = recordingFolder({
      onWrite() {
        if (count++ === number) throw failure;
      },
    });
    await expect(write(manyTensors(20, 1000), folder, { bufferBytes: 500 })).rejects.toBe(failure);
    expect(folder.files.size).toBe(0);
    expect(folder.calls.slice(-2)).toEqual(["discard model.safetensors", "abandon"]);
  });

  test("of the last commit takes the files back that were shown before", async () => {
    const folder = recordingFolder({
      onCommit(file) {
        if (file.endsWith(".json")) throw failure;
      },
    });
    const plan = await planOf(manyTensors(4, 1000), 2000);
    await expect(runPlan(plan, folder, () => false, createContext())).rejects.toBe(failure);
    expect(folder.files.size).toBe(0);
    expect(folder.calls.filter((call) => call.startsWith("discard"))).toHaveLength(3);
  });

  test("of a read, whatever the other lanes are doing", async () => {
    const dict = manyTensors(20, 1000);
    const tensors = new Map(dict.tensors);
    tensors.set("tensor.9", {
      dtype: "U8",
      shape: [1000],
      payload: { name: "broken", size: 1000, readInto: () => Promise.reject(failure) },
    });
    const folder = recordingFolder();
    const options = { bufferBytes: 500, jobs: 4 };
    await expect(write(tensorDict(tensors), folder, options)).rejects.toBe(failure);
    expect(folder.files.size).toBe(0);
    expect(folder.calls.at(-1)).toBe("abandon");
  });

  test("of what a folder refuses creates no file", async () => {
    const folder = recordingFolder();
    folder.prepare = () => Promise.reject(failure);
    await expect(write(manyTensors(1, 10), folder)).rejects.toBe(failure);
    expect(folder.calls).toEqual([]);
  });
});

describe("an abort signal", () => {
  test.each([0, 1, 7])("stops at write number %i and leaves nothing", async (number) => {
    const stop = new AbortController();
    let count = 0;
    const folder = recordingFolder({
      onWrite() {
        if (count++ === number) stop.abort(new Error("enough"));
      },
    });
    const attempt = write(manyTensors(50, 1000), folder, { signal: stop.signal, bufferBytes: 500, jobs: 2 });
    await expect(attempt).rejects.toMatchObject({ kind: "cancelled", cause: new Error("enough") });
    expect(folder.files.size).toBe(0);
    expect(folder.calls.slice(-2)).toEqual(["discard model.safetensors", "abandon"]);
    expect(folder.writes.length).toBeLessThan(number + 4);
  });

  test("that fires with the last write still counts", async () => {
    const stop = new AbortController();
    const folder = recordingFolder({ onWrite: () => stop.abort() });
    await expect(write(manyTensors(1, 10), folder, { signal: stop.signal })).rejects.toMatchObject({
      kind: "cancelled",
    });
    expect(folder.files.size).toBe(0);
  });
});
