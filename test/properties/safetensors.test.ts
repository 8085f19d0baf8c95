import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createContext } from "../../src/core/context.ts";
import type { TensorDict } from "../../src/core/dict.ts";
import { byteLength } from "../../src/core/dtype.ts";
import { bytesSource, readBytes } from "../../src/core/source.ts";
import { reader } from "../../src/formats/safetensors/read.ts";
import { writer } from "../../src/formats/safetensors/write.ts";
import { anyDict, tensorName } from "../support/arbitrary-dict.ts";
import { concatenate } from "../support/concatenate.ts";
import { memoryInput } from "../support/memory.ts";
import { outcomeOf } from "../support/outcome.ts";

function write(dict: TensorDict): Promise<Uint8Array> {
  return concatenate(writer.plan(dict, { file: "sample" }));
}

async function read(bytes: Uint8Array): Promise<TensorDict> {
  const { folder } = memoryInput("sample.safetensors", bytes);
  const { candidates } = await reader.read(bytesSource("sample.safetensors", bytes), folder, createContext());
  return (candidates[0] as (typeof candidates)[0]).load();
}

/** A dict with its payloads pulled, to be compared; order is the file's own affair. */
async function contentsOf(dict: TensorDict) {
  const tensors = new Map<string, unknown>();
  for (const [name, { dtype, shape, payload }] of dict.tensors) {
    tensors.set(name, { dtype, shape, bytes: [...(await readBytes(payload, 0, payload.size))] });
  }
  return {
    tensors,
    metadata: new Map([...dict.metadata, ...dict.aliases].filter(([key]) => key !== "format")),
  };
}

describe("a safetensors file", () => {
  test("reads back as it was written, for any names, dtypes, shapes and metadata", async () => {
    await fc.assert(
      fc.asyncProperty(anyDict, async (dict) => {
        const bytes = await write(dict);
        const back = await read(bytes);
        expect(await contentsOf(back)).toEqual(await contentsOf(dict));
        expect(back.metadata.get("format")).toBe("pt");
        expect(await write(back)).toEqual(bytes);
      }),
      { numRuns: 300 },
    );
  });

  test("has a header that other readers can parse, padded to eight bytes", async () => {
    await fc.assert(
      fc.asyncProperty(anyDict, async (dict) => {
        const bytes = await write(dict);
        const headerBytes = Number(new DataView(bytes.buffer).getBigUint64(0, true));
        expect(headerBytes % 8).toBe(0);
        const header = new Map(
          Object.entries(JSON.parse(Buffer.from(bytes).toString("utf8", 8, 8 + headerBytes))),
        );
        header.delete("__metadata__");
        // JSON.parse gives "__proto__" an own property too; only the order of number-like keys is its own.
        expect([...header.keys()].sort()).toEqual([...dict.tensors.keys()].sort());
      }),
      { numRuns: 200 },
    );
  });

  test("cannot be written with names that have no UTF-8 bytes", async () => {
    await fc.assert(
      fc.asyncProperty(anyDict, tensorName, async (dict, name) => {
        const [tensor] = dict.tensors.values();
        fc.pre(tensor !== undefined);
        const spoiled = { ...dict, tensors: new Map([[`${name}\ud800`, tensor]]) };
        const { error } = await outcomeOf(() => write(spoiled));
        expect(error?.kind).toBe("unsupported");
      }),
    );
  });

  test("with changed header bytes is read within its bounds or refused", async () => {
    const change = fc.tuple(
      fc.nat(),
      fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('0123456789[]{},":-'))),
    );
    await fc.assert(
      fc.asyncProperty(anyDict, fc.array(change, { minLength: 1, maxLength: 3 }), async (dict, changes) => {
        const bytes = await write(dict);
        const header = Number(new DataView(bytes.buffer).getBigUint64(0, true)) + 8;
        for (const [at, byte] of changes) bytes[at % header] = byte;
        const { value, error } = await outcomeOf(() => read(bytes));
        if (error) expect(error.kind).toMatch(/malformed|unsupported|io/);
        let covered = 0;
        for (const [tensor, { dtype, shape, payload }] of value?.tensors ?? []) {
          expect(payload.size).toBe(byteLength(dtype, shape, { tensor }));
          await readBytes(payload, 0, payload.size);
          covered += payload.size;
        }
        if (value) expect(covered).toBeLessThanOrEqual(bytes.length);
      }),
      { numRuns: 2000 },
    );
  });

  test("cut anywhere is refused", async () => {
    await fc.assert(
      fc.asyncProperty(anyDict, fc.nat(), async (dict, at) => {
        const bytes = await write(dict);
        const { error } = await outcomeOf(() => read(bytes.subarray(0, at % bytes.length)));
        expect(error?.kind).toMatch(/malformed|io/);
      }),
      { numRuns: 500 },
    );
  });
});
