import { readdirSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PickleDict, type PickleValue } from "../../src/containers/pickle/values.ts";
import { createContext } from "../../src/core/context.ts";
import { type ErrorKind, isConvertError } from "../../src/core/errors.ts";
import type { ScriptArchive } from "../../src/core/script-archive.ts";
import { type CompiledScript, compileScript } from "../../src/torchscript/compile/compile-script.ts";
import { fixtures } from "../support/files.ts";
import { openProgram } from "../support/run-graph.ts";
import { archiveOf, archiveOfSources, scriptObject } from "../support/script-archive.ts";

/** Far above what any of these takes, far below what going on for ever would. */
const timeout = 20_000;

function compile(archive: ScriptArchive<PickleValue>): Promise<CompiledScript> {
  const positional = [{ kind: "tensor", dtype: "F32", dims: [2, 3] } as const];
  return compileScript(archive, { positional }, createContext());
}

/** The names of the graph's outputs. */
async function outputsOf(body: string): Promise<readonly string[]> {
  const { graph } = await compile(archiveOf(body));
  return graph.outputs.map(({ name }) => name);
}

type Row = readonly [what: string, body: string, kind: ErrorKind, message: RegExp];

function refuses(rows: readonly Row[]): void {
  test.each(rows)(
    "%s",
    async (_, body, kind, message) => {
      const attempt = compile(archiveOf(body));
      await expect(attempt).rejects.toMatchObject({ name: "ConvertError", kind });
      await expect(attempt).rejects.toThrow(message);
    },
    timeout,
  );
}

const twice = (before: string, body: string, after = "return x"): string =>
  `${before}\nfor i in range(60):\n  ${body}\n${after}`;

const many = /lists and strings of more than 10000000/;
const deep = /nests too deep/;

describe("a program that grows without end is stopped", () => {
  refuses([
    ["a string that doubles", twice('s = "a"', "s = torch.add(s, s)"), "limit", many],
    ["a string many times over", 's = torch.mul("a", 1000000000)\nreturn x', "limit", many],
    ["strings that are joined", twice('s = "a"', "s = torch.join(s, [s, s])"), "limit", many],
    ["a string in its own place", twice('s = "aa"', 's = torch.replace(s, "a", s)'), "limit", many],
    ["a format of itself", twice('s = "a"', 's = torch.format("{}{}", s, s)'), "limit", many],
    ["a list that doubles", twice("s = [1]", "s = torch.add(s, s)"), "limit", many],
    ["a list many times over", "s = torch.mul([1], 1000000000)\nreturn x", "limit", many],
    ["a list that takes itself in", twice("s = [1]", "_0 = torch.extend(s, s)"), "limit", many],
    [
      "tuples of tuples, as text",
      twice("t = (1, 1)", "t = (t, t)", "s = str(t)\nreturn x"),
      "limit",
      /lists and strings|steps/,
    ],
    [
      "tuples of tuples, returned",
      twice("t = (x, x)", "t = (t, t)", "return t"),
      "limit",
      /returns more than/,
    ],
    [
      "lists of lists, compared",
      twice("t = [1]\nu = [1]", "t, u = [t, t], [u, u]", "_0 = torch.eq(t, u)\nreturn x"),
      "limit",
      /steps/,
    ],
    ["a loop without end", "_0 = True\nwhile _0:\n  pass\nreturn x", "limit", /more than 4096 turns/],
    [
      "loops in loops",
      "for i in range(4000):\n  for j in range(4000):\n    pass\nreturn x",
      "limit",
      /more than 1000000 steps/,
    ],
    ["a method that calls itself", "return (self).forward(x, )", "unsupported", /calls nest too deep/],
    [
      "a method that calls itself twice",
      "_0 = (self).forward(x, )\n_1 = (self).forward(x, )\nreturn _1",
      "unsupported",
      /calls nest too deep/,
    ],
  ]);
});

const ownList = "s = annotate(List[Tensor], [])\n_0 = torch.append(s, s)\n";
const otherList = "t = annotate(List[Tensor], [])\n_1 = torch.append(t, t)\n";
const positive = "bool(torch.gt(torch.sum(x), 0))";

describe("a list that holds itself is refused", () => {
  refuses([
    ["where it is returned", `${ownList}return s`, "limit", deep],
    ["where it is printed", `${ownList}t = str(s)\nreturn x`, "limit", deep],
    ["where it is compared", `${ownList}${otherList}_2 = torch.eq(s, t)\nreturn x`, "limit", deep],
    ["where an operator takes it", `${ownList}return torch.stack(s)`, "limit", deep],
    ["where a tensor is made of it", `${ownList}return torch.tensor(s)`, "limit", deep],
    [
      "where branches join it",
      `${ownList}${otherList}if ${positive}:\n  y = s\nelse:\n  y = t\nreturn x`,
      "limit",
      deep,
    ],
    [
      "where a loop hands it on",
      `${ownList}for i in range(int(torch.sum(x))):\n  s = s\nreturn x`,
      "limit",
      deep,
    ],
  ]);
});

describe("sizes beyond all bounds are refused", () => {
  refuses([
    [
      "more elements than numbers",
      "return torch.zeros([9223372036854775807, 9223372036854775807])",
      "malformed",
      /more elements than can be counted/,
    ],
    [
      "an expanded constant",
      "return torch.expand(torch.ones([1, 1]), [10000000000, 1000000])",
      "malformed",
      /more elements than can be counted/,
    ],
    [
      "a repeated input",
      "return torch.repeat(x, [10000000000, 10000000000])",
      "malformed",
      /more elements than can be counted/,
    ],
    [
      "axes without end",
      "y = x\nfor i in range(3000):\n  y = torch.unsqueeze(y, 0)\nreturn y",
      "malformed",
      /65 dimensions/,
    ],
    ["a range", "return torch.arange(1000000000000000000)", "unsupported", /arange: a range of/],
    [
      "a one-hot encoding",
      "return torch.one_hot(torch.tensor([1]), 10000000000)",
      "unsupported",
      /one_hot: a constant of 10000000000 numbers/,
    ],
    [
      "parts of a tensor",
      "y = torch.split(torch.zeros([1000000000]), 1)\nreturn y[0]",
      "unsupported",
      /split: .*1000000000 parts/,
    ],
    [
      "a tensor for each element",
      "y = torch.unbind(torch.zeros([1000000000]))\nreturn y[0]",
      "unsupported",
      /unbind: .*1000000000 parts/,
    ],
    [
      "an adaptive pooling",
      "return torch.adaptive_avg_pool2d(torch.zeros([1, 1, 7, 7]), [99999999, 9])",
      "unsupported",
      /a constant of 699999993 numbers/,
    ],
    [
      "a resized image",
      "return torch.upsample_nearest2d(torch.zeros([1, 1, 4, 4]), [9999999999, 9])",
      "unsupported",
      /a constant of 9999999999 numbers/,
    ],
    [
      "a list of tensors",
      "return torch.cat(torch.mul([x], 1000000))",
      "unsupported",
      /a list of 1000000 items/,
    ],
    [
      "a list of numbers",
      "return torch.tensor(torch.mul([1], 1000000))",
      "unsupported",
      /1000000 numbers one by one/,
    ],
    [
      "constants, each of them small",
      "y = torch.zeros([1, 2, 8])\nfor i in range(4000):\n  y = torch.adaptive_avg_pool1d(torch.zeros([1, 2, torch.add(i, 9000)]), 9)\nreturn y",
      "limit",
      /constants of more than/,
    ],
  ]);
});

describe("what torch itself refuses is malformed", () => {
  refuses([
    ["a negative size", "return torch.zeros([-1, 2])", "malformed", /\[-1, 2\]/],
    ["two sizes left open", "return torch.reshape(x, [-1, -1])", "malformed", /\[-1, -1\]/],
    ["a slice backwards", "return torch.slice(x, 0, 0, 5, -1)", "malformed", /steps of -1/],
    ["a slice that stands still", "return torch.slice(x, 0, 0, 5, 0)", "malformed", /steps of 0/],
    [
      "windows without elements",
      "return torch.max_pool2d(torch.zeros([1, 1, 4, 4]), [0, 0], [1, 1])",
      "malformed",
      /windows of 0/,
    ],
    [
      "windows that stand still",
      "return torch.max_pool2d(torch.zeros([1, 1, 4, 4]), [2, 2], [0, 0])",
      "malformed",
      /steps of 0/,
    ],
    [
      "an image without pixels",
      "return torch.upsample_nearest2d(torch.zeros([1, 1, 4, 4]), [0, 0])",
      "malformed",
      /resized to \[0, 0\]/,
    ],
    [
      "an int of a float without end",
      "return torch.add(x, torch.floor(inf))",
      "malformed",
      /an int of Infinity/,
    ],
    [
      "a condition of several elements",
      "if x:\n  y = x\nelse:\n  y = x\nreturn y",
      "malformed",
      /a condition is a tensor of F32/,
    ],
    ["an index without a number", "y = [1][]\nreturn x", "malformed", /with 0 values/],
    ["a type that is missing", "y = isinstance(x)\nreturn x", "malformed", /without a type/],
    [
      "an int longer than 64 bits",
      "return torch.add(x, 99999999999999999999)",
      "malformed",
      /cannot be parsed/,
    ],
    [
      "a shift by more bits than there are",
      "return torch.add(x, torch.__lshift__(1, 9223372036854775807))",
      "unsupported",
      /shifts an int/,
    ],
    ["a power beyond 64 bits", "return torch.add(x, torch.pow(10, 30))", "unsupported", /beyond 64 bits/],
    [
      "an int that a double would round",
      "y = torch.full([2], 1, dtype=4)\nreturn torch.add(y, 9007199254740993)",
      "unsupported",
      /more than 53 bits/,
    ],
    ["a call without its arguments", "_0 = torch.append([])\nreturn x", "unsupported", /append/],
    ["a character that there is not", "y = torch.chr(-1)\nreturn x", "unsupported", /a character/],
    ["a letter beyond ASCII", "é = x\nreturn x", "malformed", /"é"/],
  ]);

  test("and ints overflow as torch's do", async () => {
    const { graph } = await compile(
      archiveOf(
        "y = torch.add(9223372036854775807, 2)\nreturn torch.reshape(x, [torch.sub(torch.add(y, 9223372036854775807), -6)])",
      ),
    );
    expect(graph.outputs[0]?.dims).toEqual([6]);
  });
});

describe("names that mean something to JavaScript are names", () => {
  test("of variables", async () => {
    expect(
      await outputsOf(
        "__proto__ = torch.neg(x)\nconstructor = torch.neg(__proto__)\ntoString = constructor\nreturn toString",
      ),
    ).toEqual(["output"]);
  });

  test("of keys and outputs", async () => {
    expect(await outputsOf('return {"__proto__": x, "constructor": torch.neg(x), "": torch.abs(x)}')).toEqual(
      ["__proto__", "constructor", "output"],
    );
  });

  test("of attributes, which the program may set", async () => {
    expect(
      await outputsOf(
        "self.__proto__ = torch.neg(x)\nself.constructor = x\nreturn torch.add(self.__proto__, self.constructor)",
      ),
    ).toEqual(["output"]);
  });

  test("of parameters, methods and classes", async () => {
    const source = `class constructor(Module):
  __parameters__ = []
  def toString(self: __torch__.constructor, hasOwnProperty: Tensor) -> Tensor:
    return torch.neg(hasOwnProperty)
class Net(Module):
  __parameters__ = []
  __proto__ : __torch__.constructor
  def forward(self: __torch__.Net, __proto__: Tensor) -> Tensor:
    _0 = (self.__proto__).toString(__proto__, )
    return _0
`;
    const attributes = new PickleDict();
    attributes.set("__proto__", scriptObject("constructor", new PickleDict()));
    const { graph } = await compile(archiveOfSources({ "code/__torch__.py": source }, { attributes }));
    expect(graph.inputs.map(({ name }) => name)).toEqual(["__proto__"]);
    expect(graph.nodes.map(({ opType, name }) => [opType, name])).toEqual([["Neg", "/__proto__/Neg"]]);
  });

  refuses([
    [
      "of operators that there are not",
      "return torch.constructor(torch.__proto__(x))",
      "unsupported",
      /__proto__.*; constructor/,
    ],
    ["of functions that there are not", "return hasOwnProperty(x)", "unsupported", /hasOwnProperty, in/],
    [
      "of methods that there are not",
      "return (self).constructor(x, )",
      "unsupported",
      /no method "constructor"/,
    ],
    ["of attributes that are not set", "return self.__proto__", "unsupported", /no attribute "__proto__"/],
    [
      "of arguments that an operator does not take",
      "return torch.add(x, 1, __proto__=3)",
      "unsupported",
      /no argument "__proto__"/,
    ],
  ]);
});

describe("an archive whose objects and code do not go together", () => {
  test("is refused where objects hold themselves", async () => {
    const attributes = new PickleDict();
    const list: PickleValue = { kind: "list", items: [] };
    (list.items as PickleValue[]).push(list);
    attributes.set("own", list);
    const attempt = compile(archiveOf("return self.own", { attributes }));
    await expect(attempt).rejects.toMatchObject({ kind: "limit" });
  });

  test.each([
    ["no code at all", {}],
    ["code of another class", { "code/__torch__.py": "class Other(Module):\n  __parameters__ = []\n" }],
    ["code in another file", { "code/__torch__/net.py": "class Net(Module):\n  __parameters__ = []\n" }],
  ])("is refused where there is %s", async (_, sources) => {
    const attempt = compile(archiveOfSources(sources));
    await expect(attempt).rejects.toMatchObject({ kind: "unsupported" });
    await expect(attempt).rejects.toThrow(/__torch__\.Net, which is not of the archive's code/);
  });

  test.each([11, 9999])("is refused where its operators are of version %d", async (version) => {
    const attempt = compile(archiveOf("return x", { version }));
    await expect(attempt).rejects.toMatchObject({ kind: "unsupported" });
    await expect(attempt).rejects.toThrow(`operators of version ${version}, and those up to 10 are known`);
  });

  test("has its name before that of a source file that is broken", async () => {
    await expect(compile(archiveOf("return ("))).rejects.toMatchObject({
      kind: "malformed",
      site: { file: "net.pt#code/__torch__.py" },
    });
  });

  test("is refused where a class lacks the method that is called", async () => {
    const source = "class Net(Net):\n  __parameters__ = []\n";
    await expect(compile(archiveOfSources({ "code/__torch__.py": source }))).rejects.toMatchObject({
      kind: "usage",
      message: expect.stringContaining('no method "forward"'),
    });
  });

  test("is refused where a constant is used that it lacks", async () => {
    await expect(compile(archiveOf("return torch.add(x, CONSTANTS.c7)"))).rejects.toMatchObject({
      kind: "malformed",
      message: expect.stringContaining("CONSTANTS.c7"),
    });
  });
});

const networks = join(fixtures, "torchscript", "networks");

/** Pieces of a file: lines, or words, numbers and the signs between them. */
function piecesOf(text: string, byLine: boolean): string[] {
  return text.split(byLine ? /(?<=\n)/ : /(?<=\W)|(?=\W)/);
}

describe.each(readdirSync(networks).filter((name) => name.endsWith(".pt")))("damaged code of %s", (name) => {
  test("is refused in words, or is another program", async () => {
    const archive = await openProgram(join(networks, name));
    const sources = [...(await archive.sources())];
    const edit = fc.record({
      file: fc.nat(sources.length - 1),
      byLine: fc.boolean(),
      at: fc.nat(),
      from: fc.nat(),
      how: fc.constantFrom("delete", "repeat", "swap", "replace"),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
        const damaged = new Map(sources);
        for (const { file, byLine, at, from, how } of edits) {
          const [path] = sources[file] as (typeof sources)[number];
          const pieces = piecesOf(damaged.get(path) as string, byLine);
          const [a, b] = [at % pieces.length, from % pieces.length];
          const [own, other] = [pieces[a] as string, pieces[b] as string];
          pieces[a] = how === "delete" ? "" : how === "repeat" ? own + own : other;
          if (how === "swap") pieces[b] = own;
          damaged.set(path, pieces.join(""));
        }
        const positional = [{ kind: "tensor", dtype: "F32", dims: [1, 3, 32, 32] } as const];
        const whole = { ...archive, sources: async () => damaged };
        try {
          await compileScript(whole, { positional }, createContext());
        } catch (error) {
          expect(isConvertError(error), (error as Error).stack).toBe(true);
        }
      }),
      { numRuns: 40 },
    );
  }, 60_000);
});
