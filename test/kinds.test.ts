import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { open } from "../src/node.ts";
import { fixtures, sha256 } from "./support/files.ts";
import { dictsOf, unusual } from "./support/manifest.ts";

describe("unusual PyTorch files give the names, order and bytes that the real torch sees", () => {
  const cases = unusual.flatMap((row) =>
    dictsOf(row).map(([select, dict]) => [`${row.file} ${select ?? ""}`, row.file, select, dict] as const),
  );
  test.each(cases)("%s", async (_, file, select, dict) => {
    const model = await open(join(fixtures, file), select === undefined ? {} : { select });
    const seen = [];
    for (const [name, { dtype, shape, payload }] of model.dict.tensors) {
      seen.push({ name, dtype, shape, bytes: payload.size, sha256: sha256(await model.read(name)) });
    }
    await model.close();
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
