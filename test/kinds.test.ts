import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { open } from "../src/node.ts";
import { fixtures, sha256 } from "./support/files.ts";
import { dictsOf, type ManifestDict, unusual } from "./support/manifest.ts";

const cases = unusual.flatMap((row) =>
  dictsOf(row).map(([select, dict]) => [`${row.file} ${select ?? ""}`, row.file, select, dict] as const),
);

/** Rows that we take otherwise than the real torch can, with the classes at hand. */
const without: readonly (readonly [pattern: RegExp, kind: string | undefined, why: string])[] = [
  [/own-getstate/, undefined, "the class would give the names; without it they are numbers"],
  [/modules\/.*\/list/, "usage", "several modules in a list: one has to be selected"],
  [/special\/.*\/list/, "usage", "tensors and dicts of tensors in a list: one has to be selected"],
  [/(optimizer|shared)\.pth?$|deepspeed-optimizer/, "usage", "no dict stands out"],
  [/empty|nothing|number|numpy-only|random|storage/, "unsupported", "there is no tensor in it"],
  [
    /meta|nested|distributed|bits|quantized-narrow|sparse-batches|special\/.*\/sparse(-legacy)?\.pth/,
    "unsupported",
    "a kind of tensor that is refused",
  ],
  [/uninitialized/, undefined, "parameters without a shape are left behind"],
  [
    /special\/.*\/(tensor|parameter)(-turned)?(-legacy)?\.pth/,
    undefined,
    "a tensor by itself is named tensor",
  ],
];

function exception(file: string) {
  return without.find(([pattern]) => pattern.test(file));
}

describe("unusual PyTorch files give the names, order and bytes that the real torch sees", () => {
  const plain = cases.filter(([, file, , dict]) => !isQuantized(dict) && exception(file) === undefined);
  test.each(plain)("%s", async (_, file, select, dict) => {
    const seen = await readAll(file, select);
    const wanted = dict.tensors.map(({ name, dtype, shape, bytes, sha256 }) => ({
      name,
      dtype,
      shape,
      bytes,
      sha256,
    }));
    // Tensors in lists within the dict come under numbers, in addition.
    const inLists = /\._packed_params\.|\._all_weight_values\./;
    expect(seen.filter(({ name }) => !inLists.test(name))).toEqual(wanted);
  });
});

describe("files that need their classes, or a choice, or hold what is not read, are refused in words", () => {
  const refused = cases.filter(([, file]) => exception(file)?.[1] !== undefined);
  test.each(refused)("%s", async (_, file, select) => {
    await expect(readAll(file, select)).rejects.toMatchObject({ kind: exception(file)?.[1] });
  });
});

describe("files that are read under other names lose no byte", () => {
  const renamed = cases.filter(([, file]) => exception(file) && exception(file)?.[1] === undefined);
  test.each(renamed)("%s", async (_, file, select, dict) => {
    const seen = (await readAll(file, select)).map(({ sha256 }) => sha256);
    expect(seen).toEqual(dict.tensors.map(({ sha256 }) => sha256).filter((hash) => hash !== null));
  });
});

describe("quantized tensors give their integers, with scale, zero point and axis beside them", () => {
  test.each(cases.filter(([, file, , dict]) => isQuantized(dict) && exception(file) === undefined))(
    "%s",
    async (_, file, select, dict) => {
      const seen = new Map((await readAll(file, select)).map((tensor) => [tensor.name, tensor]));
      for (const { name, quantized, ...plain } of dict.tensors) {
        expect(seen.get(name)).toMatchObject(
          quantized ? quantized.integers : { dtype: plain.dtype, sha256: plain.sha256 },
        );
        if (quantized?.scale === undefined) continue;
        expect(seen.get(`${name}.scale`)?.sha256).toBe(
          sha256(new Uint8Array(Float64Array.of(quantized.scale).buffer)),
        );
      }
    },
  );
});

function isQuantized({ tensors }: ManifestDict): boolean {
  return tensors.some(({ quantized }) => quantized !== undefined);
}

async function readAll(file: string, select: string | undefined) {
  const model = await open(join(fixtures, file), select === undefined ? {} : { select });
  const seen = [];
  for (const [name, { dtype, shape, payload }] of model.dict.tensors) {
    seen.push({ name, dtype, shape, bytes: payload.size, sha256: sha256(await model.read(name)) });
  }
  await model.close();
  return seen;
}
