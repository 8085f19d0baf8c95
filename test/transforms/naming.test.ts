import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type FilterOptions, filter } from "../../src/transforms/filter.ts";
import { type RenameOptions, rename } from "../../src/transforms/rename.ts";
import { restoreTies } from "../../src/transforms/restore-ties.ts";
import { resolveTies } from "../../src/transforms/tied.ts";
import { anyDict } from "../support/arbitrary-dict.ts";
import { namedDict, noticing } from "../support/named-dict.ts";
import "../support/seed.ts";

const names = ["enc.0.weight", "enc.0.bias", "enc.1.weight", "head.weight"];

function filtered(options: FilterOptions, dict = namedDict(names)) {
  const { context, notices } = noticing();
  const { tensors, aliases } = filter(options, context)(dict);
  return { names: [...tensors.keys()], aliases: Object.fromEntries(aliases), notices, tensors };
}

function renamed(options: RenameOptions, dict = namedDict(names)) {
  const { context, notices } = noticing();
  const { tensors, aliases } = rename(options, context)(dict);
  return { names: [...tensors.keys()], aliases: Object.fromEntries(aliases), notices };
}

describe("include and exclude", () => {
  test("take what one pattern wants and none excludes, in the order of the input", () => {
    expect(filtered({ include: ["head.*", "enc.*"], exclude: ["*.bias"] }).names).toEqual([
      "enc.0.weight",
      "enc.1.weight",
      "head.weight",
    ]);
    expect(filtered({ exclude: ["/^enc/"] }).names).toEqual(["head.weight"]);
    expect(filtered({}).names).toEqual(names);
  });

  test("tell of a pattern that matches nothing, and what would", () => {
    const { notices } = filtered({ include: ["enc.*"], exclude: ["decoder.*", "enc.1"] });
    expect(notices).toEqual([
      { code: "unmatched", message: 'exclude "decoder.*" matches no tensor' },
      {
        code: "unmatched",
        message: 'exclude "enc.1" matches no tensor; "enc.1.*" would match what is below that name',
      },
    ]);
  });

  test("say nothing of a pattern whose names another one took too", () => {
    expect(filtered({ include: ["*", "enc.*", "head.weight"] }).notices).toEqual([]);
  });

  test("refuse to leave nothing", () => {
    expect(() => filtered({ include: ["nothing"] })).toThrow("of 4 tensors, none is left to write");
  });

  test("give a name the tensor that it stood for where that one's name is left out", () => {
    const dict = namedDict(["embed", "norm"], { head: "embed", tail: "embed" });
    const result = filtered({ exclude: ["embed"] }, dict);
    expect(result.names).toEqual(["head", "norm"]);
    expect(result.aliases).toEqual({ tail: "head" });
    expect(result.tensors.get("head")).toBe(dict.tensors.get("embed"));
    expect(filtered({ include: ["tail"] }, dict)).toMatchObject({ names: ["tail"], aliases: {} });
    expect(filtered({ exclude: ["h*"] }, dict)).toMatchObject({
      names: ["embed", "norm"],
      aliases: { tail: "embed" },
    });
  });
});

describe("new names", () => {
  test("are made by stripping, the map, rules in order, and adding", () => {
    const options: RenameOptions = {
      addPrefix: "model.",
      rename: [
        ["/^layer\\.(\\d+)\\./", "h.$1."],
        ["h.0.bias", "first"],
      ],
      map: new Map([["0.weight", "layer.0.weight"]]),
      stripPrefix: "enc.",
    };
    expect(
      renamed({ ...options, rename: [["/^(\\d)/", "layer.$1"], ...(options.rename ?? [])] }).names,
    ).toEqual(["model.h.0.weight", "model.first", "model.h.1.weight", "model.head.weight"]);
  });

  test("of a map come all at once, so that names can be swapped", () => {
    const map = new Map([
      ["enc.0.weight", "enc.1.weight"],
      ["enc.1.weight", "enc.0.weight"],
      ["/^head\\./", "lm_head."],
    ]);
    expect(renamed({ map })).toMatchObject({
      names: ["enc.1.weight", "enc.0.bias", "enc.0.weight", "lm_head.weight"],
      notices: [],
    });
  });

  test("replace the first match, or with g every one", () => {
    const dict = namedDict(["a.a.a"]);
    expect(renamed({ rename: [["/a/", "b"]] }, dict).names).toEqual(["b.a.a"]);
    expect(renamed({ rename: [["/A/gi", "b"]] }, dict).names).toEqual(["b.b.b"]);
  });

  test("are given to names that stand for others too", () => {
    const dict = namedDict(["m.embed"], { "m.head": "m.embed" });
    expect(renamed({ stripPrefix: "m.", rename: [["head", "lm_head"]] }, dict)).toMatchObject({
      names: ["embed"],
      aliases: { lm_head: "embed" },
      notices: [],
    });
  });

  test("that two tensors would share are refused with both", () => {
    expect(() => renamed({ rename: [["enc.0.bias", "head.weight"]] })).toThrow(
      '"enc.0.bias" and "head.weight" would both be named "head.weight"',
    );
    const dict = namedDict(["embed", "norm"], { head: "embed" });
    expect(() => renamed({ rename: [["norm", "head"]] }, dict)).toThrow('would both be named "head"');
    expect(() => renamed({ stripPrefix: "head.weight" })).toThrow('nothing would be left of the name "head');
  });

  test("that nothing gets are told", () => {
    const { notices } = renamed({
      stripPrefix: "module.",
      map: new Map([
        ["enc.0.bias", "b"],
        ["gone", "x"],
        ["/z/", "y"],
      ]),
      rename: [["enc.0.bias", "after the map"]],
      addPrefix: "p.",
    });
    expect(notices.map(({ message }) => message)).toEqual([
      'strip-prefix "module." matches no tensor',
      'the name "gone" of the map matches no tensor',
      'the name "/z/" of the map matches no tensor',
      'rename "enc.0.bias" matches no tensor',
    ]);
  });

  test("added and stripped again are the old ones", () => {
    fc.assert(
      fc.property(anyDict, fc.string({ minLength: 1 }), (dict, prefix) => {
        fc.pre(!dict.tensors.has(""));
        const { context } = noticing();
        const there = rename({ addPrefix: prefix }, context)(dict);
        const back = rename({ stripPrefix: prefix }, context)(there);
        expect([...back.tensors]).toEqual([...dict.tensors]);
      }),
    );
  });
});

describe("tied names that were dropped", () => {
  test("come back sharing the bytes of the kept one", () => {
    const restored = restoreTies(namedDict(["embed", "norm"], { head: "embed", stray: "gone" }));
    expect([...restored.tensors.keys()]).toEqual(["embed", "norm", "head"]);
    expect(restored.tensors.get("head")).toBe(restored.tensors.get("embed"));
    expect(Object.fromEntries(restored.aliases)).toEqual({ stray: "gone" });
    expect(restored.tensors.get("norm")?.view).toBeUndefined();
  });

  test("are dropped again as they were", () => {
    const dict = namedDict(["embed", "norm"], { head: "embed" });
    const again = resolveTies("drop", ["embed"], noticing().context)(restoreTies(dict));
    expect(again).toEqual({ ...dict, tensors: new Map(again.tensors) });
    expect([...again.tensors.keys()]).toEqual(["embed", "norm"]);
  });

  test("come back in the groups that are asked for alone", () => {
    const dict = namedDict(["a", "b"], { a2: "a", b2: "b" });
    expect([...restoreTies(dict, ["b2"]).tensors.keys()]).toEqual(["a", "b", "b2"]);
    expect(restoreTies(dict, []).aliases.size).toBe(2);
  });
});

test("200,000 tensors are chosen and renamed", () => {
  const many = Array.from({ length: 200_000 }, (_, index) => `model.layers.${index % 97}.experts.${index}.w`);
  const { context } = noticing();
  const rules = [
    ["/^layers\\.(\\d+)/", "h.$1"],
    ["/experts/", "e"],
  ] as const;
  const exclude = ["*.{91..96}.experts.*", "*bias*"];
  const chosen = filter({ include: ["model.*"], exclude }, context)(namedDict(many));
  const result = rename({ stripPrefix: "model.", rename: rules, addPrefix: "x." }, context)(chosen);
  expect(result.tensors.size).toBe(200_000 - 6 * 2061);
});
