import { join } from "node:path";
import { expect, test } from "vitest";
import { open } from "../../../src/node.ts";
import { fixtures } from "../../support/files.ts";

test.each([
  ["training/torch-2.13/random.pth", "model.state_dict()"],
  ["special/torch-2.13/number.pth", "model.state_dict()"],
])("%s, which has no tensors, is refused with a word on how to save them", async (file, hint) => {
  const attempt = open(join(fixtures, "pytorch/more", file));
  await expect(attempt).rejects.toMatchObject({
    kind: "unsupported",
    site: { hint: expect.stringContaining(hint) },
  });
});
