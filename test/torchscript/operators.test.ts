import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import type { PickleValue } from "../../src/containers/pickle/values.ts";
import { isConvertError } from "../../src/core/errors.ts";
import type { ScriptArchive } from "../../src/core/script-archive.ts";
import { open } from "../../src/node.ts";
import { rulesByName } from "../../src/torchscript/operators/index.ts";
import type { OperatorRule } from "../../src/torchscript/operators/rule.ts";
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

/** What is expected: torch's numbers, exact or of float32 only, or a refusal of what torch refuses, or of what torch takes. */
type Outcome = "answers" | "single" | "raises" | "refused";

interface Case {
  readonly name: string;
  readonly inputs: readonly PlainTensor[];
  readonly outputs: readonly PlainTensor[];
  readonly outcome: Outcome;
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
  const outcome = (name: string) => (model.dict.metadata.get(name) ?? "answers") as Outcome;
  return [...cases].map(([name, own]) => ({ name, ...own, outcome: outcome(name) }));
}

/** Rules that a case with torch's numbers went through, and those of the case that runs. */
const proven = new Set<OperatorRule>();
const tried = new Set<OperatorRule>();
const allRules = [...rulesByName.values()].flat();

if (coverage !== undefined)
  for (const rule of allRules) {
    const { emit } = rule;
    const noted: OperatorRule["emit"] = (...given) => {
      tried.add(rule);
      return emit(...given);
    };
    Object.assign(rule, { emit: noted });
  }

beforeEach(() => tried.clear());

/** Each rule as `+name(types)` or, where no case went through it, `-name(types)`. */
afterAll(() => {
  if (coverage === undefined) return;
  const lines = allRules.map((rule) => {
    const types = rule.schema.parameters.map(({ type, name }) => `${type} ${name}`).join(", ");
    return `${proven.has(rule) ? "+" : "-"}${rule.schema.name}(${types})\n`;
  });
  writeFileSync(coverage, lines.join(""));
});

/** How far numbers may lie from torch's: kernels add up in other orders. */
const tolerances: Readonly<Record<string, { readonly relative: number; readonly absolute: number }>> = {
  F16: { relative: 2e-3, absolute: 1e-3 },
  BF16: { relative: 2e-2, absolute: 1e-2 },
  F32: { relative: 1e-4, absolute: 1e-5 },
  F64: { relative: 1e-9, absolute: 1e-10 },
};
const exact = { relative: 0, absolute: 0 };

/** The dtype whose exactness a result can have. */
function computedIn(family: string, outcome: Outcome, dtype: string): string {
  // What was computed in bfloat16 comes out as float32.
  if (family.startsWith("bfloat-") && dtype === "F32") return "BF16";
  return outcome === "single" && dtype === "F64" ? "F32" : dtype;
}

/** The graph of a case; nothing where an operator is refused that only a later opset has, which is then tried there. */
async function graphOf(
  archive: ScriptArchive<PickleValue>,
  method: string,
  inputs: readonly PlainTensor[],
): Promise<Uint8Array | undefined> {
  try {
    return await compiled(archive, { method, inputs: inputs.map(inputOption), opset });
  } catch (error) {
    const [, needed] =
      (isConvertError(error, "unsupported") && /needs opset (\d+)/.exec(error.message)) || [];
    if (Number(needed) > opset) return undefined;
    throw error;
  }
}

const families = readdirSync(folder)
  .filter((name) => name.endsWith(".safetensors"))
  .map((name) => name.slice(0, -".safetensors".length));

describe.each(families)("%s", async (family) => {
  const cases = await casesOf(`${family}.safetensors`);
  const programs = readdirSync(folder).filter(
    (name) => name.startsWith(`${family}-`) && name.endsWith(".pt") && wanted.test(name),
  );

  describe.each(programs)("%s", async (program) => {
    const archive = await openProgram(join(folder, program));
    const sources = [...(await archive.sources()).values()];
    // Not every function can be traced, and an archive may have some of the cases only.
    const own = cases.filter(({ name }) => sources.some((text) => text.includes(`def ${name}(`)));
    const expected = (...outcomes: readonly Outcome[]) =>
      own.filter(({ outcome }) => outcomes.includes(outcome)).map((each) => [each.name, each] as const);

    test.for(expected("answers", "single"))(
      "%s gives torch's numbers",
      async ([method, { inputs, outputs, outcome }]) => {
        const model = await graphOf(archive, method, inputs);
        if (model === undefined) return;
        if (models !== undefined) writeFileSync(join(models, `${opset}-${program}-${method}.onnx`), model);
        const given = await runGraph(model, inputs);
        expect(given.length).toBe(outputs.length);
        for (const [index, wanted] of outputs.entries()) {
          const tolerance = tolerances[computedIn(family, outcome, wanted.dtype)] ?? exact;
          const difference = differenceBetween(given[index] as PlainTensor, wanted, tolerance);
          expect(difference, `output ${index}`).toBe(undefined);
        }
        for (const rule of tried) proven.add(rule);
      },
    );

    test.for(expected("raises"))("%s, which torch refuses, has no answer", async ([method, { inputs }]) => {
      const options = { method, inputs: inputs.map(inputOption), opset };
      const model = await compiled(archive, options).catch((error: unknown) => error);
      // What depends on data is refused when the graph runs.
      if (model instanceof Uint8Array)
        await expect(runGraph(model, inputs)).rejects.toThrow(/Non-zero status code/);
      else expect(isConvertError(model, "malformed", "unsupported"), String(model)).toBe(true);
    });

    test.for(expected("refused"))("%s is refused by name", async ([method, { inputs }]) => {
      const attempt = compiled(archive, { method, inputs: inputs.map(inputOption), opset });
      await expect(attempt).rejects.toSatisfy((error) => isConvertError(error, "unsupported"));
    });
  });
});
