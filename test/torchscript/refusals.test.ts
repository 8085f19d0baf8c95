import { describe, expect, test } from "vitest";
import { PickleDict, type PickleValue } from "../../src/containers/pickle/values.ts";
import { createContext } from "../../src/core/context.ts";
import type { ScriptArchive } from "../../src/core/script-archive.ts";
import { compileScript } from "../../src/torchscript/compile/compile-script.ts";

/** An archive of one module without attributes whose `forward` has this body. */
function archiveOf(body: string): ScriptArchive<PickleValue> {
  const lines = body.split("\n").map((line) => `    ${line}`);
  const source = [
    "class Net(Module):",
    "  __parameters__ = []",
    "  def forward(self: __torch__.Net, x: Tensor) -> Tensor:",
    ...lines,
    "",
  ].join("\n");
  const object: PickleValue = {
    kind: "call",
    how: "new",
    callable: { kind: "global", module: "__torch__", name: "Net" },
    args: { kind: "tuple", items: [] },
    kwargs: undefined,
    state: new PickleDict(),
    items: undefined,
    entries: undefined,
  };
  return {
    file: "net.pt",
    version: 3,
    object,
    constants: { kind: "tuple", items: [] },
    sources: async () => new Map([["code/__torch__.py", source]]),
    exampleInputs: async () => undefined,
    openTensor: () => undefined,
  };
}

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
      /frobnicate \(2 times\).*the model itself at code\/__torch__\.py:4/,
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
