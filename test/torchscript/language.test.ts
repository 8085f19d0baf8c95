import { readdirSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isConvertError } from "../../src/core/errors.ts";
import { createCursor } from "../../src/torchscript/language/cursor.ts";
import { parseExpression } from "../../src/torchscript/language/parse-expression.ts";
import { parseFile } from "../../src/torchscript/language/parse-file.ts";
import type { Expression } from "../../src/torchscript/language/syntax.ts";
import { fixtures } from "../support/files.ts";
import { openProgram } from "../support/run-graph.ts";

const expression = (text: string): Expression => parseExpression(createCursor(text, "test.py"));

const wholeClass = `class Net(Module):
  __parameters__ = ["weight", ]
  __buffers__ = []
  weight : Tensor
  training : bool
  __annotations__["0"] = __torch__.torch.nn.modules.linear.Linear
  stride : Final[Tuple[int, int]] = (2, 2)
  def forward(self: __torch__.Net,
    x: Tensor,
    scale: Optional[float]=None) -> Tuple[Tensor, int]:
    _0, _1, = (getattr(self, "0")).forward(x, )
    values, indices = torch.max(x, 1)
    y : Optional[Tensor] = None
    a, b = 1, -2.5
    if torch.__isnot__(scale, None):
      self.training = False
    else:
      pass
    for i in range(torch.len([1, 2])):
      c = torch.append(annotate(List[int], []), i)
    while _3:
      _3 = False
    return (_0, CONSTANTS.c0)
def helper(x: Tensor) -> Tensor:
  return torch.slice(x, 0, 0, 9223372036854775807)
`;

describe("the language of archives", () => {
  test("has classes with attributes, constants and methods, and functions beside them", () => {
    const { classes, functions } = parseFile(wholeClass, "code/__torch__.py");
    const net = classes.get("Net");
    expect(net?.base).toBe("Module");
    expect(net?.parameters).toEqual(["weight"]);
    expect([...(net?.attributes.keys() ?? [])]).toEqual(["weight", "training", "0"]);
    expect([...(net?.constants.keys() ?? [])]).toEqual(["stride"]);
    const forward = net?.methods.get("forward");
    expect(forward?.parameters.map(({ name }) => name)).toEqual(["self", "x", "scale"]);
    expect(forward?.body.map(({ kind }) => kind)).toEqual([
      "unpack",
      "unpack",
      "assign",
      "assign",
      "if",
      "for",
      "while",
      "return",
    ]);
    expect([...functions.keys()]).toEqual(["helper"]);
  });

  test("keeps ints apart from floats, and the largest int exact", () => {
    expect(expression("1")).toMatchObject({ value: 1n });
    expect(expression("1.")).toMatchObject({ value: 1 });
    expect(expression("-inf")).toMatchObject({ value: Number.NEGATIVE_INFINITY });
    expect(expression("9.9999999999999995e-08")).toMatchObject({ value: 1e-7 });
    expect(expression("9223372036854775807")).toMatchObject({ value: 2n ** 63n - 1n });
  });

  test("unescapes strings as C does", () => {
    expect(expression(String.raw`"a\n\"\\\101\x42"`)).toMatchObject({ value: 'a\n"\\AB' });
  });

  test.each([
    ["an operator", "def f(x: int) -> int:\n  return x + 1\n"],
    ["a statement that torch compiles away", "def f(x: int) -> int:\n  break\n"],
    ["a bracket that stays open", "def f(x: int) -> int:\n  return g((x)\n"],
    ["a block that fits nowhere", "def f(x: int) -> int:\n    pass\n  pass\n"],
    ["an unknown character", "def f(x: int) -> int:\n  return ?\n"],
    ["brackets without end", `def f(x: int) -> int:\n  return ${"(".repeat(100_000)}\n`],
  ])("refuses %s", (_, source) => {
    expect(() => parseFile(source, "code/__torch__.py")).toThrow(
      expect.objectContaining({ kind: "malformed" }),
    );
  });

  test("damaged code is refused in words, or is other code", () => {
    fc.assert(
      fc.property(fc.nat(wholeClass.length - 1), fc.string({ maxLength: 4 }), (at, text) => {
        try {
          parseFile(wholeClass.slice(0, at) + text + wholeClass.slice(at + text.length), "code/__torch__.py");
        } catch (error) {
          expect(isConvertError(error, "malformed")).toBe(true);
        }
      }),
    );
  });
});

const folder = join(fixtures, "torchscript", "operators");

describe("code that torch printed is parsed whole", () => {
  test.each(readdirSync(folder).filter((name) => name.endsWith(".pt")))("%s", async (name) => {
    const archive = await openProgram(join(folder, name));
    for (const [file, source] of await archive.sources()) {
      const { classes, functions } = parseFile(source, file);
      // That of libtorch's own classes is empty.
      if (source.trim() !== "") expect(classes.size + functions.size).toBeGreaterThan(0);
    }
  });
});
