import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PickleValue } from "../../src/containers/pickle/values.ts";
import { createContext } from "../../src/core/context.ts";
import { compileScript } from "../../src/torchscript/compile/compile-script.ts";
import { archiveOf } from "../support/script-archive.ts";

function compile(body: string, dims: readonly number[] = [2, 3]): Promise<unknown> {
  const positional = [{ kind: "tensor", dtype: "F32", dims } as const];
  return compileScript(archiveOf(body), { positional }, createContext());
}

describe("a program that cannot become a graph", () => {
  test("has all its unsupported operators named at once, with module and line", async () => {
    const attempt = compile(
      "y = torch.frobnicate(x)\nz = torch.relu(y)\nw = ops.custom.thing(z, 2)\nreturn torch.frobnicate(x, 1)",
    );
    await expect(attempt).rejects.toMatchObject({ kind: "unsupported" });
    await expect(attempt).rejects.toThrow(/an operator|operators/);
    await expect(attempt).rejects.toThrow(
      /frobnicate \(2 times\).*the model itself at code\/__torch__\.py:4; custom::thing, in the model/,
    );
  });

  test("gives the message that it raises", async () => {
    const attempt = compile(
      'if torch.ne(torch.size(x, 0), 5):\n  ops.prim.RaiseException("five rows, please")\nelse:\n  pass\nreturn x',
    );
    await expect(attempt).rejects.toMatchObject({ kind: "unsupported" });
    await expect(attempt).rejects.toThrow(/five rows, please.*code\/__torch__\.py:5/);
  });

  const positive = "bool(torch.gt(torch.sum(x), 0))";

  test.each([
    [
      "a value is of another rank by data",
      "y = torch.sum(x)",
      "y = torch.neg(x)",
      /2 dimensions.*data decide/,
    ],
    ["a value is of another type by data", "y = None", "y = torch.neg(x)", /None or a Tensor.*data decide/],
    ["a list grows by data", "y = torch.append(a, x)", "y = a", /2 or 1 items.*data decide/],
  ])("is refused where %s", async (_, then, otherwise, message) => {
    const attempt = compile(`a = [x]\nif ${positive}:\n  ${then}\nelse:\n  ${otherwise}\nreturn y`);
    await expect(attempt).rejects.toThrow(message);
    await expect(attempt).rejects.toMatchObject({ kind: "unsupported" });
  });

  test.each([
    ["a list grows in a loop", "_0 = torch.append(a, x)", /a list.*loop/],
    ["a dtype changes in a loop", "y = torch.gt(y, 0)", /from F32 .* to BOOL/],
    ["a loop hands on memory that others see", "y = torch.select(b, 0, 0)", /memory that others see/],
  ])("is refused where %s of which data decide the turns", async (_, body, message) => {
    const attempt = compile(
      `a = [x]\nb = torch.unsqueeze(x, 0)\ny = torch.neg(x)\nfor i in range(int(torch.sum(x))):\n  ${body}\nreturn (y, a[0])`,
    );
    await expect(attempt).rejects.toThrow(message);
    await expect(attempt).rejects.toMatchObject({ kind: "unsupported" });
  });

  test.each([
    [
      "None and then a Tensor",
      "best = None",
      "best = torch.neg(y)",
      /"best" is None or a Tensor.*data decide/,
    ],
    ["one text and then another", 'best = "a"', 'best = "b"', /"best" is a string or a string.*data decide/],
    [
      "a dict and then another",
      "best = {}",
      "best = {}",
      /"best" is a dict of 0 or a dict of 0.*data decide/,
    ],
  ])(
    "is refused where a variable is %s, of which the turns of a loop decide",
    async (_, first, turn, message) => {
      const loop = `for i in range(int(torch.sum(x))):\n  ${turn}\n  y = torch.neg(y)`;
      const after = "if torch.__is__(best, None):\n  z = x\nelse:\n  z = y\nreturn z";
      const attempt = compile(`y = x\n${first}\n${loop}\n${after}`);
      await expect(attempt).rejects.toThrow(message);
      await expect(attempt).rejects.toMatchObject({ kind: "unsupported" });
    },
  );

  test.each([
    ["a list", "[x]", "_0 = torch.append(l, x)"],
    ["a list that another is known by", "[x]", "_0 = torch._set_item(a, 0, x)"],
    ["a dict", '{"k": x}', 'torch._set_item(l, "k", x)'],
  ])("is refused where it changes %s that data have chosen", async (_, made, change) => {
    const choice = `a = ${made}\nb = ${made}\nif ${positive}:\n  l = a\nelse:\n  l = b`;
    const attempt = compile(`${choice}\n${change}\nreturn (a, b, l)`);
    await expect(attempt).rejects.toThrow(/that may be another one as well/);
    await expect(compile(`${choice}\nreturn (a, b, l)`)).resolves.toBeDefined();
  });

  test("is refused where a loop appends what is written in place afterwards", async () => {
    const loop = "for i in range(int(torch.sum(x))):\n  y = torch.neg(y)\n  _0 = torch.append(a, y)";
    const start = "y = torch.neg(x)\na = annotate(List[Tensor], [])";
    const attempt = compile(`${start}\n${loop}\n_1 = torch.add_(y, 1)\nreturn torch.stack(a)`);
    await expect(attempt).rejects.toThrow(/may share its memory/);
    await expect(compile(`${start}\n${loop}\nreturn torch.stack(a)`)).resolves.toBeDefined();
  });

  test("is refused where a loop writes in place, sets the variable anew, and the memory is read", async () => {
    const loop = "for i in range(int(torch.sum(x))):\n  y1 = torch.add_(y, 1)\n  y = torch.neg(y1)";
    const start = "a = torch.clone(x)\ny = a";
    await expect(compile(`${start}\n${loop}\nreturn (y, a)`)).rejects.toThrow(
      /writes in place what others see/,
    );
    await expect(compile(`${start}\n${loop}\nreturn y`)).resolves.toBeDefined();
  });

  test("is taken not to raise where data decide whether it does, and says so", async () => {
    const script = await compileScript(
      archiveOf(
        `if ${positive}:\n  ops.prim.RaiseException("negative, please")\nelse:\n  pass\nreturn torch.neg(x)`,
      ),
      { positional: [{ kind: "tensor", dtype: "F32", dims: [2] }] },
      createContext(),
    );
    expect(script.guards.join()).toMatch(/^not: .*negative, please/);
    expect(script.graph.nodes.map(({ opType }) => opType)).toEqual(["Neg"]);
  });

  test("is stopped where it loops without end, or calls itself", async () => {
    await expect(compile("_0 = True\nwhile _0:\n  pass\nreturn x")).rejects.toMatchObject({ kind: "limit" });
    await expect(compile("return (self).forward(x, )")).rejects.toMatchObject({ kind: "unsupported" });
  });

  test("is refused where a tensor is read that may have changed under it", async () => {
    const attempt = compile("y = torch.reshape(x, [6])\nz = torch.add_(y, 1)\nreturn x");
    await expect(attempt).rejects.toThrow(/may share its memory/);
  });

  test("that takes shapes which do not fit is told so", async () => {
    const attempt = compile("return torch.view(x, [4, 4])");
    await expect(attempt).rejects.toMatchObject({ kind: "malformed" });
    await expect(attempt).rejects.toThrow(/\[2, 3\] cannot take the shape \[4, 4\]/);
  });
});

/** A tuple of the pickle. */
function tuple(...items: readonly PickleValue[]): PickleValue {
  return { kind: "tuple", items };
}

function list(...items: PickleValue[]): PickleValue {
  return { kind: "list", items };
}

describe("the lines of a model's author", () => {
  const source = "y = torch.frobnicate(x)\nz = torch.size(x)\nreturn y";
  // The body begins at byte 97 of the file, the call at 101.
  const texts = ["def forward(self, x):\n", "    y = frobnicate(x)\n"];

  async function messageFor(ranges: PickleValue | undefined): Promise<string> {
    const positional = [{ kind: "tensor", dtype: "F32", dims: [2] } as const];
    const attempt = compileScript(archiveOf(source, { ranges }), { positional }, createContext());
    return attempt.then(
      () => "",
      (error: Error) => error.message,
    );
  }

  test("stand behind those of the archive, by a table of strings", async () => {
    const strings = tuple("", ...texts, "/home/me/net.py");
    const table = tuple(
      tuple(0, tuple(tuple(list(), 0, 0), 0, 0), 0),
      tuple(90, tuple(tuple(list(1, 2, 0), 3, 7), 26, 40), 1),
      tuple(400, tuple(tuple(list(1, 2, 0), 3, 70), 26, 40), 1),
    );
    const message = await messageFor(tuple("FORMAT_WITH_STRING_TABLE", strings, table));
    expect(message).toMatch(/code\/__torch__\.py:4, written at \/home\/me\/net\.py:8$/);
  });

  test("are found in tables of older archives, which hold the text itself", async () => {
    const entry = tuple(90, tuple(tuple(texts.join(""), "net.py", 7), 26, 40));
    expect(await messageFor(list(entry))).toMatch(/written at net\.py:8$/);
  });

  test("are left out where a table is broken in any way", async () => {
    const values: fc.Arbitrary<PickleValue> = fc.letrec<{ value: PickleValue }>((tie) => ({
      value: fc.oneof(
        { depthSize: "small" },
        fc.constantFrom<PickleValue>(null, "FORMAT_WITH_STRING_TABLE", "a.py", -1, 0, 1, 90, 2 ** 52),
        fc.array(tie("value"), { maxLength: 4 }).map((items) => tuple(...items)),
        fc.array(tie("value"), { maxLength: 4 }).map((items) => list(...items)),
      ),
    })).value;
    await fc.assert(
      fc.asyncProperty(values, async (ranges) => {
        expect(await messageFor(ranges)).toMatch(/frobnicate, in the model itself at code\/__torch__\.py:4/);
      }),
    );
  });
});
