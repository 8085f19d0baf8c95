import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { isConvertError } from "../../src/core/errors.ts";
import { fixtures } from "../support/files.ts";
import {
  compiled,
  differenceBetween,
  inputOption,
  openProgram,
  type PlainTensor,
  runGraph,
} from "../support/run-graph.ts";
import { casesOf } from "../support/script-cases.ts";

const folder = join(fixtures, "torchscript", "versions");

describe.each([3, 4, 5, 8, 9, 10])("operators of version %d mean what they meant", async (version) => {
  const cases = [...(await casesOf(join(folder, `version-${version}.safetensors`)))];
  const archive = await openProgram(join(folder, `version-${version}.pt`));

  test("as the archive says", () => {
    expect(archive.version).toBe(version);
  });

  test.each(cases.filter(([, { raises }]) => !raises))("%s", async (method, { inputs, outputs }) => {
    const given = await runGraph(
      await compiled(archive, { method, inputs: inputs.map(inputOption) }),
      inputs,
    );
    expect(given.length).toBe(outputs.length);
    for (const [index, wanted] of outputs.entries())
      expect(
        differenceBetween(given[index] as PlainTensor, wanted, { relative: 1e-4, absolute: 1e-5 }),
        `output ${index}`,
      ).toBe(undefined);
  });

  const refused = cases.filter(([, { raises }]) => raises);
  test.runIf(refused.length > 0).each(refused)(
    "what torch refuses is refused: %s",
    async (method, { inputs }) => {
      const attempt = compiled(archive, { method, inputs: inputs.map(inputOption) });
      await expect(attempt).rejects.toSatisfy((error) => isConvertError(error, "malformed", "unsupported"));
    },
  );
});
