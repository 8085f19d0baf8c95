import { join } from "node:path";
import { expect, test } from "vitest";
import { convert } from "../../src/node.ts";
import { fixtures, temporaryFolder } from "../support/files.ts";

const archive = join(fixtures, "torchscript/transformers/bert_sdpa-2.13-traced.pt");

test("the constants of a program go into its graph, and are left behind by its weights alone", async () => {
  const folder = temporaryFolder();
  const graph = await convert(archive, join(folder, "bert.onnx"));
  const weights = await convert(archive, join(folder, "bert.safetensors"));
  expect(graph.notices).toEqual([]);
  expect(weights.notices.map(({ code }) => code)).toEqual(["left-behind"]);
});
