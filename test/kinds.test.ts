import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { open } from "../src/node.ts";
import { fixtures, sha256 } from "./support/files.ts";
import { dictsOf, type ManifestDict, unusual } from "./support/manifest.ts";

// Put together from flat parts, which test/formats/pytorch/zero.test.ts looks at.
const isFlat = (file: string): boolean => file.includes("/zero/");

const cases = unusual
  .filter(({ file }) => !isFlat(file))
  .flatMap((row) =>
    dictsOf(row).map(([select, dict]) => [`${row.file} ${select ?? ""}`, row.file, select, dict] as const),
  );

/** Rows that we take otherwise than the real torch can, with the classes at hand. */
const without: readonly (readonly [pattern: RegExp, kind: string | undefined, why: string])[] = [
  [/\/own-getstate/, undefined, "the class would give the names; without it they are numbers"],
  [/modules\/.*\/list(-legacy)?\.pth/, "usage", "several modules in a list: one has to be selected"],
  [
    /special\/.*\/list(-legacy)?\.pth/,
    "usage",
    "tensors and dicts of tensors in a list: one has to be selected",
  ],
  [/(optimizer|\/shared)\.pth?$/, "usage", "no dict stands out"],
  [
    /\/(empty|empty-dict|empty-state-dict|nothing|number|random|storage|storage-untyped)(-legacy)?\.pth/,
    "unsupported",
    "there is no tensor in it",
  ],
  [/\/storage-(list\.pth|bytes\.pkl)/, undefined, "storages by themselves are left behind"],
  [
    /\/(on-meta|meta|nested-tensor|nested-tensor-jagged|quantized-narrow|sharded-tensor)(-legacy)?\.pth/,
    "unsupported",
    "a kind of tensor that is refused",
  ],
  [/\/package-several\.pt$/, "usage", "several pickles: one has to be selected"],
  [/\/arrays\/.*\/(objects|records|wide|subclass)\.pkl/, "unsupported", "arrays that no tensor can be"],
  [/\/arrays\/.*\/nested\.pkl/, "usage", "dicts of arrays in a dict: one has to be selected"],
  [/\/bits\.pth/, "unsupported", "types that stand for no numbers"],
  [/\/uninitialized/, undefined, "parameters without a shape are left behind"],
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
  const plain = cases.filter(
    ([, file, , dict]) =>
      !isQuantized(dict) && !isPacked(file) && !isBeyondState(file) && exception(file) === undefined,
  );
  test.each(plain)("%s", async (_, file, select, dict) => {
    const seen = await readAll(file, select);
    const wanted = dict.tensors.map(({ name, dtype, shape, bytes, sha256 }) => ({
      name,
      dtype,
      shape,
      bytes,
      sha256,
    }));
    expect(seen).toEqual(wanted);
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
    const wanted = dict.tensors.map(({ sha256 }) => sha256).filter((hash) => hash !== null);
    expect(wanted).toEqual(file.includes("/storage-") ? expect.arrayContaining(seen) : seen);
  });
});

describe("quantized modules give the names and values of their state dict", () => {
  const named = cases.filter(([, file]) => isPacked(file) && !/recurrent/.test(file));
  test.each(named)("%s", async (_, file, select, dict) => {
    const seen = await readAll(file, select);
    const wanted = new Set(dict.tensors.map(({ name }) => name));
    expect(seen.map(({ name }) => name).filter((name) => wanted.has(name))).toEqual([...wanted]);
    for (const { name, quantized, sha256 } of dict.tensors)
      expect(seen.find((tensor) => tensor.name === name)?.sha256).toBe(quantized?.integers.sha256 ?? sha256);
  });
});

describe("packed weights of quantized modules come under their place in the object", () => {
  const packed = cases.filter(([, file]) => isPacked(file));
  test.each(packed)("%s", async (_, file, select, dict) => {
    const seen = (await readAll(file, select)).map(({ sha256 }) => sha256);
    const integers = [...dict.tensors, ...(dict.otherTensors ?? [])].flatMap(
      ({ quantized }) => quantized?.integers ?? [],
    );
    expect(seen).toEqual(expect.arrayContaining(integers.map(({ sha256 }) => sha256)));
  });
});

function isPacked(file: string): boolean {
  return /modules\/.*\/quantized-(static|dynamic|recurrent)/.test(file);
}

/** Scripts whose weights are no state to torch.jit; test/formats/pytorch/torchscript.test.ts looks at them. */
function isBeyondState(file: string): boolean {
  return /torchscript\/.*\/(lite-)?(frozen|mobile-optimized|quantized-(static|dynamic)(-traced)?)\.ptl?$/.test(
    file,
  );
}

describe("quantized tensors give their integers, with scale, zero point and axis beside them", () => {
  test.each(
    cases.filter(([, file, , dict]) => isQuantized(dict) && !isPacked(file) && exception(file) === undefined),
  )("%s", async (_, file, select, dict) => {
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
  });
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
