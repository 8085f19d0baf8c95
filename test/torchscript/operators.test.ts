import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { isConvertError } from "../../src/core/errors.ts";
import { open } from "../../src/node.ts";
import { rulesByName } from "../../src/torchscript/operators/index.ts";
import { fixtures } from "../support/files.ts";
import {
  compiled,
  differenceBetween,
  inputOption,
  openProgram,
  type PlainTensor,
  runGraph,
} from "../support/run-graph.ts";

/** Where the cases lie: those that are committed, or many more that `npm run test:torchscript` has made. */
const folder = process.env["TORCHSCRIPT_CASES"] ?? join(fixtures, "torchscript", "operators");

/** Set by `npm run test:torchscript`: the opset, which archives, a folder for the models, and a file for what was called. */
const opset = Number(process.env["TORCHSCRIPT_OPSET"] ?? 18);
const wanted = new RegExp(process.env["TORCHSCRIPT_PROGRAMS"] ?? ".");
const models = process.env["TORCHSCRIPT_MODELS"];
const coverage = process.env["TORCHSCRIPT_COVERAGE"];

interface Case {
  readonly name: string;
  readonly inputs: readonly PlainTensor[];
  readonly outputs: readonly PlainTensor[];
  readonly raises: boolean;
}

/** The cases of one file, with the tensors that torch was given and gave. */
async function casesOf(file: string): Promise<readonly Case[]> {
  const model = await open(join(folder, file));
  const cases = new Map<string, { inputs: PlainTensor[]; outputs: PlainTensor[] }>();
  for (const [path, { dtype, shape }] of model.dict.tensors) {
    const [name, side] = path.split("/") as [string, "in" | "out"];
    const own = cases.get(name) ?? { inputs: [], outputs: [] };
    cases.set(name, own);
    (side === "in" ? own.inputs : own.outputs).push({ dtype, shape, bytes: await model.read(path) });
  }
  await model.close();
  return [...cases].map(([name, own]) => ({
    name,
    ...own,
    raises: model.dict.metadata.get(name) === "raises",
  }));
}

const called = new Set<string>();

/** Notes the operators that a program's code names; one in place counts as the one that makes a new tensor. */
function noteCalls(sources: Iterable<string>): void {
  for (const text of sources)
    for (const [, space, name] of text.matchAll(/\b(torch|ops)\.([\w.]+)\(/g)) {
      const full = space === "torch" ? (name as string) : (name as string).replace(".", "::");
      called.add(rulesByName.has(full) ? full : full.replace(/_$/, ""));
    }
}

afterAll(() => {
  if (coverage === undefined) return;
  const lines = [...rulesByName.keys()].sort().map((name) => `${called.has(name) ? "+" : "-"}${name}\n`);
  writeFileSync(coverage, lines.join(""));
});

const families = readdirSync(folder)
  .filter((name) => name.endsWith(".safetensors"))
  .map((name) => name.slice(0, -".safetensors".length));

describe.each(families)("%s", async (family) => {
  const cases = await casesOf(`${family}.safetensors`);
  const programs = readdirSync(folder).filter(
    (name) => name.startsWith(`${family}-`) && name.endsWith(".pt") && wanted.test(name),
  );

  describe.each(programs)("%s gives torch's numbers", async (program) => {
    const archive = await openProgram(join(folder, program));
    noteCalls((await archive.sources()).values());
    const isTraced = program.endsWith("-traced.pt");

    test.each(cases.filter(({ raises }) => !raises).map((own) => [own.name, own] as const))(
      "%s",
      async (method, { inputs, outputs }) => {
        let model: Uint8Array;
        try {
          model = await compiled(archive, { method, inputs: inputs.map(inputOption), opset });
        } catch (error) {
          // Not every function can be traced.
          if (isTraced && isConvertError(error, "usage") && /no method/.test(error.message)) return;
          throw error;
        }
        if (models !== undefined) writeFileSync(join(models, `${opset}-${program}-${method}.onnx`), model);
        const given = await runGraph(model, inputs);
        expect(given.length).toBe(outputs.length);
        for (const [index, wanted] of outputs.entries()) {
          const isHalf = /16/.test(wanted.dtype);
          const tolerance = isHalf ? { relative: 2e-3, absolute: 1e-3 } : { relative: 1e-4, absolute: 1e-5 };
          expect(differenceBetween(given[index] as PlainTensor, wanted, tolerance), `output ${index}`).toBe(
            undefined,
          );
        }
      },
    );
  });

  const scripted = programs.find((program) => program.endsWith("-scripted.pt"));
  const refused = scripted === undefined ? [] : cases.filter(({ raises }) => raises);
  test.runIf(refused.length > 0).each(refused.map((own) => [own.name, own] as const))(
    "what torch refuses is refused: %s",
    async (method, { inputs }) => {
      const archive = await openProgram(join(folder, scripted as string));
      const attempt = compiled(archive, { method, inputs: inputs.map(inputOption) });
      await expect(attempt).rejects.toSatisfy((error) => isConvertError(error, "malformed", "unsupported"));
    },
  );
});
