import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { TensorReport } from "../../src/convert/look/inspect.ts";
import { type ModuleNode, moduleTree } from "../../src/convert/look/module-tree.ts";

function tensor(name: string, shape: readonly number[] = [2], tiedTo?: string): TensorReport {
  const bytes = 4 * shape.reduce((product, extent) => product * extent, 1);
  return { name, dtype: "F32", shape, bytes, ...(tiedTo === undefined ? {} : { tiedTo }) };
}

/** Labels with their bytes, indented. */
function drawn(nodes: readonly ModuleNode[], indent = ""): readonly string[] {
  return nodes.flatMap(({ label, count, bytes, children }) => [
    `${indent}${label}${count > 1 ? ` ×${count}` : ""} ${bytes}`,
    ...drawn(children, `${indent}  `),
  ]);
}

describe("the tree of modules", () => {
  test("folds blocks that are alike, and sorts them by their numbers", () => {
    const blocks = [0, 1, 10, 11, 2, 3, 4, 5, 6, 7, 8, 9].flatMap((number) => [
      tensor(`model.layers.${number}.attn.q.weight`, [4, 4]),
      tensor(`model.layers.${number}.norm.weight`, number === 3 ? [9] : [4]),
    ]);
    const tree = moduleTree([
      tensor("model.embed.weight"),
      ...blocks,
      tensor("head", [2], "model.embed.weight"),
    ]);
    expect(drawn(tree)).toEqual([
      "model 988",
      "  embed.weight 8",
      "  layers 980",
      "    0…2, 4…11 ×11 880",
      "      attn.q.weight 64",
      "      norm.weight 16",
      "    3 100",
      "      attn.q.weight 64",
      "      norm.weight 36",
      "head 0",
    ]);
  });

  test("keeps modules apart whose tensors differ in name, dtype, shape or tie", () => {
    const names = [
      tensor("a.0.w"),
      { ...tensor("a.1.w"), dtype: "I32" as const },
      tensor("a.2.v"),
      tensor("a.3.w", [1, 2]),
      tensor("a.4.w", [2], "a.0.w"),
    ];
    expect(drawn(moduleTree(names))).toEqual(["a 32", "  0.w 8", "  1.w 8", "  2.v 8", "  3.w 8", "  4.w 0"]);
  });

  test("shows what stands in a line by itself as one name", () => {
    const tree = moduleTree([tensor("a.0.b.c"), tensor("a.2.b.c"), tensor("x.y.z"), tensor("x.y")]);
    expect(drawn(tree)).toEqual(["a 16", "  {0, 2}.b.c ×2 16", "x.y 16", "  z 8"]);
  });

  test("tells of many numbers apart by the ends", () => {
    const odd = Array.from({ length: 50 }, (_, index) => tensor(`a.${2 * index + 1}.w`));
    expect(drawn(moduleTree([...odd, tensor("b")]))).toEqual([
      "a 400",
      "  {1, 3, 5, …, 99}.w ×50 400",
      "b 8",
    ]);
  });

  test("of any names counts every tensor once", () => {
    const name = fc.array(fc.constantFrom("a", "b", "0", "1", "2", "", "00"), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(
        fc.uniqueArray(
          name.map((parts) => parts.join(".")),
          { maxLength: 30 },
        ),
        (names) => {
          const tree = moduleTree(names.map((each) => tensor(each)));
          expect(tree.reduce((sum, node) => sum + node.tensors, 0)).toBe(names.length);
          expect(tree.reduce((sum, node) => sum + node.bytes, 0)).toBe(8 * names.length);
        },
      ),
    );
  });

  test("of names that are made to be deep stays shallow", () => {
    expect(moduleTree([tensor(".".repeat(200_000))])[0]?.tensors).toBe(1);
  });

  test("of 200,000 tensors takes a moment", () => {
    const many = Array.from({ length: 200_000 }, (_, index) =>
      tensor(`model.layers.${index % 100}.experts.${Math.floor(index / 100)}.w`),
    );
    const begun = process.cpuUsage();
    expect(drawn(moduleTree(many))).toEqual([
      "model.layers 1600000",
      "  0…99.experts ×100 1600000",
      "    0…1999.w ×2000 16000",
    ]);
    expect(process.cpuUsage(begun).user / 1000).toBeLessThan(4000);
  });
});
