import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import type { GraphReport } from "../../src/core/graph-report.ts";
import { convert, inspect, type OpenModel, open } from "../../src/node.ts";
import type { ScriptOptions } from "../../src/torchscript/compile/parse-request.ts";
import { fixtures, temporaryFolder } from "../support/files.ts";
import {
  compiled,
  differenceBetween,
  openProgram,
  type PlainTensor,
  runGraph,
} from "../support/run-graph.ts";
import { casesOf, type ScriptCase } from "../support/script-cases.ts";

const folder = join(fixtures, "torchscript", "contract");

async function compare(program: string, name: string, options: ScriptOptions): Promise<void> {
  const model = await compiled(await openProgram(join(folder, `${program}.pt`)), options);
  await compareWith(model, program, name);
}

async function compareWith(model: Uint8Array, program: string, name: string): Promise<void> {
  const { inputs, outputs } = (await casesOf(join(folder, `${program}.safetensors`))).get(name) as ScriptCase;
  const given = await runGraph(model, inputs);
  expect(given.length).toBe(outputs.length);
  for (const [index, wanted] of outputs.entries())
    expect(
      differenceBetween(given[index] as PlainTensor, wanted, { relative: 1e-4, absolute: 1e-5 }),
      `output ${index}`,
    ).toBe(undefined);
}

const models: OpenModel[] = [];
afterAll(async () => {
  for (const model of models) await model.close();
});

interface Converted {
  readonly model: OpenModel;
  readonly graph: GraphReport;
  readonly notices: readonly string[];
}

function namesOf(values: GraphReport["inputs"]): readonly string[] {
  return values.map(({ name }) => name);
}

/** A program on the disk as a file of ONNX, read again. */
async function converted(program: string, script: ScriptOptions): Promise<Converted> {
  const output = join(temporaryFolder(), "model.onnx");
  const { notices } = await convert(join(folder, `${program}.pt`), output, { script, verify: true });
  const model = await open(output);
  models.push(model);
  const { graph } = await inspect(output);
  return {
    model,
    notices: notices.map(({ message }) => message),
    graph: graph as GraphReport,
  };
}

async function refusal(
  program: string,
  script: ScriptOptions,
): Promise<{ message: string; hint: string; kind: string }> {
  try {
    await converted(program, script);
  } catch (error) {
    const { message, kind, site } = error as { message: string; kind: string; site: { hint?: string } };
    return { message, kind, hint: site.hint ?? "" };
  }
  throw new Error("it was compiled");
}

const releases = ["1.13", "2.13"];

test("both releases of torch have saved all programs", () => {
  const names = readdirSync(folder).filter((name) => name.endsWith(".pt"));
  expect(names.length).toBe(26);
});

describe.each(releases)("a method of a program that torch %s saved", (release) => {
  const program = `methods-${release}`;

  test.each([
    ["forward", { inputs: ["2,4"] }],
    ["encode", { method: "encode", inputs: ["x=2,4"] }],
    ["encode3", { method: "encode", inputs: ["x=2,4"], args: new Map([["times", "3"]]) }],
    ["decode", { method: "decode", inputs: ["scale=4", "code=2,3"] }],
  ])("%s gives torch's numbers", async (name, options) => {
    await compare(program, name, options);
  });

  test("keeps only the weights that it uses", async () => {
    const { model, graph } = await converted(program, { method: "decode", inputs: ["2,3", "4"] });
    expect([...model.dict.tensors.keys()]).toEqual(["decoder.weight", "decoder.bias"]);
    expect(namesOf(graph.inputs)).toEqual(["code", "scale"]);
  });

  test("is one of those that there are", async () => {
    expect(await refusal(program, { method: "nope", inputs: ["2,4"] })).toMatchObject({
      kind: "usage",
      message: expect.stringContaining('no method "nope"'),
      hint: "choose one with --method: forward, decode, encode",
    });
  });

  test("has its own inputs proposed", async () => {
    const { hint } = await refusal(program, { method: "decode" });
    expect(hint).toContain("--input code=1,3 --input scale=…");
  });
});

describe("versions of ONNX's operators", () => {
  test.each([17, 18, 19, 20])("%d is made where it is asked for", async (opset) => {
    const { graph } = await converted("sizes-scripted-2.13", { inputs: ["2,3,4,6"], opset });
    expect(graph.opsets).toEqual([{ domain: "", version: opset }]);
  });

  test.each([0, 16, 21, 1.5])("%d is not", async (opset) => {
    expect(await refusal("methods-2.13", { inputs: ["2,4"], opset })).toMatchObject({
      kind: "usage",
      message: expect.stringContaining(`opsets 17 to 20, not ${opset}`),
    });
  });

  test("are named by all operators that need a later one", async () => {
    const { kind, message } = await refusal("bits-2.13", { inputs: ["2,2:i64"], opset: 17 });
    expect(kind).toBe("unsupported");
    expect(message).toMatch(/__and__: .*needs opset 18.*scatter_reduce: .*needs opset 18/);
    await compare("bits-2.13", "two", { inputs: ["2,2:i64"], opset: 18 });
  });
});

describe.each(releases)("parameters that are no tensors, of torch %s", (release) => {
  const program = `options-${release}`;
  const args = (...pairs: readonly string[]): ReadonlyMap<string, string> =>
    new Map(pairs.map((pair) => pair.split("=") as [string, string]));

  test("are given by name, or have their defaults", async () => {
    await compare(program, "plain", { inputs: ["2,3"], args: args("power=1") });
    await compare(program, "masked", { inputs: ["x=2,3", "mask=2,3:bool"], args: args("power=1") });
    await compare(program, "others", {
      inputs: ["x=2,3"],
      args: args("power=3", "times=1", "factor=0.25", 'mode="mean"', "flag=False", "offset=1.5", "mask=None"),
    });
  });

  test("are the same by a document", async () => {
    const values = [
      { none: true },
      { int: 1 },
      { float: 0.25 },
      { str: "mean" },
      { bool: false },
      { float: 1.5 },
    ];
    const document = {
      args: [{ dtype: "float32", shape: [2, 3] }, ...values],
      kwargs: { power: { int: 3 } },
    };
    await compare(program, "others", { document });
  });

  test.each([
    ["times", "abc", '"times" is a int, and is given "abc"'],
    ["times", "1.5", '"times" is a int, and is given "1.5"'],
    ["flag", "1", '"flag" is a bool, and is given "1"'],
    ["power", "none", '"power" is a int, and is given "none"'],
    ["x", "3", '"x" is a Tensor, and is given "3"'],
    ["mask", "3", '"mask" is a Optional[Tensor], and is given "3"'],
    ["offset", "much", '"offset" is a Optional[float], and is given "much"'],
    [
      "nope",
      "1",
      '"forward" has no parameter "nope"; it takes x, mask, times, factor, mode, flag, offset, power',
    ],
  ])("are refused as %s=%s", async (name, value, message) => {
    const wanted = new Map([
      ["power", "1"],
      [name, value],
    ]);
    expect(await refusal(program, { inputs: name === "x" ? [] : ["x=2,3"], args: wanted })).toMatchObject({
      kind: "usage",
      message: expect.stringContaining(message),
    });
  });

  test("are read as their type says", async () => {
    // An int is a float, and a number a string.
    await converted(program, { inputs: ["2,3"], args: args("power=1", "factor=1", "offset=2") });
    const { message } = await refusal(program, { inputs: ["2,3"], args: args("power=1", "mode=1") });
    expect(message).toMatch(
      /raises an error: mode has to be sum or mean, not 1 .*torchscript_contract\.py:\d+\)/,
    );
  });

  test("are asked for by the option that takes them", async () => {
    const { hint } = await refusal(program, {});
    expect(hint).toBe("give it by --input x=… --arg power=…");
  });

  test("are no tensors, and tensors are no numbers", async () => {
    const tensor = await refusal(program, { inputs: ["2,3", "times=1"], args: args("power=1") });
    expect(tensor).toMatchObject({
      kind: "usage",
      message: expect.stringContaining('"times" is a int, and is given a Tensor'),
    });
    expect(tensor.hint).toBe("--arg times=…");
  });

  test("are given once", async () => {
    expect(await refusal(program, { inputs: ["x=2,3", "x=3,3"] })).toMatchObject({
      kind: "usage",
      message: '"x" is given twice by --input and --arg',
    });
  });
});

describe("an input of another dtype than the weights", () => {
  test("is refused, as torch refuses it", async () => {
    expect(await refusal("methods-2.13", { inputs: ["2,4:f16"] })).toMatchObject({
      kind: "malformed",
      message: expect.stringContaining("a tensor of F16 and one of F32"),
      hint: expect.stringContaining("--input x=1,3:f16"),
    });
  });

  test.each(["float32", "torch.float32", "F32", "f32"])("has the word %s", async (word) => {
    await compare("methods-2.13", "forward", { inputs: [`x=2,4:${word}`] });
  });
});

describe.each(releases)("inputs and outputs within lists, tuples and dicts, of torch %s", (release) => {
  const tensor = (...shape: readonly number[]) => ({ dtype: "float32", shape });
  const document = {
    args: [
      { tuple: [tensor(2, 3), tensor(2, 3)] },
      { list: [tensor(2, 3), tensor(1, 3)] },
      {
        dict: [
          ["gain", tensor(3)],
          ["bias", tensor(2, 1)],
        ],
      },
    ],
  };

  test("give torch's numbers", async () => {
    await compare(`containers-${release}`, "forward", { document });
  });

  test("are named by where they stand", async () => {
    const { graph } = await converted(`containers-${release}`, { document });
    expect(namesOf(graph.inputs)).toEqual([
      "pair.0",
      "pair.1",
      "rest.0",
      "rest.1",
      "named.gain",
      "named.bias",
    ]);
    expect(namesOf(graph.outputs)).toEqual([
      "output_0.total",
      "output_0.rest",
      "output_1.score",
      "output_1.best",
      "output_3_0",
    ]);
  });

  test("are not given by --input, which takes one tensor", async () => {
    expect(await refusal(`containers-${release}`, { inputs: ["2,3", "2,3", "2,3"] })).toMatchObject({
      kind: "usage",
      message: expect.stringContaining('"pair" is a Tuple[Tensor, Tensor], and is given a Tensor'),
      hint: '--inputs FILE.json with a value for "pair"',
    });
  });
});

describe.each(releases)("weights of torch %s", (release) => {
  test("have the bytes of the state dict, whatever their storages are", async () => {
    const state = await open(join(folder, `shared-${release}.pt`));
    models.push(state);
    const { model } = await converted(`shared-${release}`, { inputs: ["ids=1,3:i64"] });
    const names = [...model.dict.tensors.keys()].filter((name) => !name.startsWith("/"));
    expect(names.sort()).toEqual([
      "embedding.weight",
      "first",
      "last",
      "narrow",
      "strided",
      "turned",
      "wide",
    ]);
    for (const name of names) {
      const [own, wanted] = [model, state].map(({ dict }) => dict.tensors.get(name));
      expect([name, own?.dtype, own?.shape]).toEqual([name, wanted?.dtype, wanted?.shape]);
      expect(await model.read(name), name).toEqual(await state.read(name));
    }
    await compare(`shared-${release}`, "forward", { inputs: ["ids=1,3:i64"] });
  });
});

describe.each(["sizes-scripted-1.13", "sizes-scripted-2.13", "sizes-traced-1.13", "sizes-traced-2.13"])(
  "open extents of %s",
  (program) => {
    test("give torch's numbers for other sizes too", async () => {
      const archive = await openProgram(join(folder, `${program}.pt`));
      const model = await compiled(archive, { inputs: ["x=N:2,3,H:4,W:6"] });
      for (const name of ["2x4x6", "1x5x3", "3x8x8"]) await compareWith(model, program, name);
    });

    test("have their names in the graph, and nothing to be assumed", async () => {
      const { graph, notices } = await converted(program, { inputs: ["x=N:2,3,H:4,W:6"] });
      expect(graph.inputs[0]?.shape).toEqual(["N", 3, "H", "W"]);
      expect(graph.outputs.map(({ shape }) => shape)).toEqual([
        ["N", "H*W", 2],
        ["N", 4],
      ]);
      expect(notices).toEqual([]);
    });
  },
);

describe("a size that decides", () => {
  test("is taken as in the example, which is said in a notice and in the file", async () => {
    const { model, notices } = await converted("decides-2.13", { inputs: ["2,C:6,3"] });
    expect(notices).toEqual(["the graph is right where C > 4"]);
    expect(model.dict.metadata.get("tensorferry.assumes")).toBe("C > 4");
    const other = await converted("decides-2.13", { inputs: ["2,C:3,3"] });
    expect(other.notices).toEqual(["the graph is right where C <= 4"]);
  });

  test("is a mistake of those who say that channels are open", async () => {
    const { notices } = await converted("sizes-scripted-2.13", { inputs: ["2,C:3,4,6"] });
    expect(notices).toEqual(["the graph is right where C == 3"]);
  });

  test("leaves a loop to the graph, whose list is stacked along any axis", async () => {
    const archive = await openProgram(join(folder, "pads-2.13.pt"));
    await compareWith(await compiled(archive, { inputs: ["2,C:5"] }), "pads-2.13", "two");
    await compare("pads-2.13", "two", { inputs: ["2,2"] });
  });

  test("raises the program's own error where it does not fit", async () => {
    const { message, kind } = await refusal("raises-2.13", { inputs: ["3,2"] });
    expect(kind).toBe("unsupported");
    expect(message).toMatch(
      /raises an error: two rows, please \(in the model itself at .*torchscript_contract\.py:\d+\)$/,
    );
    await compare("raises-2.13", "two", { inputs: ["N:2,2"] });
  });
});

describe.each(releases)("operators that no graph has, of torch %s", (release) => {
  test("are told all at once, with their modules and the lines of those who wrote them", async () => {
    const { kind, message } = await refusal(`strange-${release}`, { inputs: ["2,2"] });
    expect(kind).toBe("unsupported");
    expect(message).toMatch(
      /uses 2 operators .*: polygamma, in inner\.1 at code\/\S+:\d+, written at \/tmp\/fixtures\/torchscript_contract\.py:\d+; digamma \(2 times\), in the model itself at code\/\S+:\d+, written at/,
    );
  });
});

describe.each(releases)("a function that is left where data decide, of torch %s", (release) => {
  test.each(["positive", "mixed", "negative"])("%s", async (name) => {
    await compare(`early-${release}`, name, { inputs: ["2,2"] });
  });

  test("also with an open number of turns", async () => {
    const archive = await openProgram(join(folder, `early-${release}.pt`));
    const model = await compiled(archive, { inputs: ["N:2,2"] });
    for (const name of ["positive", "mixed", "negative", "slow"])
      await compareWith(model, `early-${release}`, name);
  });
});

describe.each(releases)("memory that a loop or a branch writes in place, of torch %s", (release) => {
  const ways = ["alias", "view", "rebound", "unset", "nested", "branch", "containers", "numbers"];
  test.each(ways)("%s gives torch's numbers", async (method) => {
    const archive = await openProgram(join(folder, `memory-${release}.pt`));
    for (const inputs of [["2,3"], ["N:2,3"]]) {
      const model = await compiled(archive, { method, inputs });
      for (const name of ["rising", "falling", "large"])
        await compareWith(model, `memory-${release}`, `${method}_${name}`);
    }
  });
});

describe("a trace of torch 2.13", () => {
  test("tells the shapes of its inputs", async () => {
    await compare("sizes-traced-2.13", "2x4x6", {});
    expect((await refusal("sizes-traced-1.13", {})).hint).toContain("--input x=1,3,224,224");
  });
});
