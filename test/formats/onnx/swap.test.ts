import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { convert } from "../../../src/node.ts";
import { sha256, temporaryFolder } from "../../support/files.ts";
import { exportCases } from "../../support/onnx-names.ts";

/** Parametrized weights, which the graph holds as products; its bias-free layers could be anything. */
const cannot = new Set(["normed"]);
const swappable = exportCases.filter((row) => !cannot.has(row.case));

function epsilonOf(name: string): number {
  return name === "mobile" ? 1e-3 : 1e-5;
}

describe("other weights in a graph", () => {
  test.each(swappable.map((row) => [row.title, row] as const))(
    "%s: byte for byte the graph that torch exports with them",
    async (_, row) => {
      const out = join(temporaryFolder(), "out.onnx");
      await convert(row.other, out, {
        template: row.graph,
        naming: { normEpsilon: epsilonOf(row.case) },
        verify: true,
        bufferBytes: 4096,
      });
      expect(sha256(readFileSync(out))).toBe(row.otherSha256);
    },
  );
});
