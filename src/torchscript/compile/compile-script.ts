import type { PickleValue } from "../../containers/pickle/values.ts";
import type { RunContext } from "../../core/context.ts";
import { ConvertError, isConvertError } from "../../core/errors.ts";
import type { OperatorGraph } from "../../core/graph.ts";
import type { ScriptArchive } from "../../core/script-archive.ts";
import { createGraphBuilder } from "../emit/graph-builder.ts";
import { createMachine } from "../evaluate/evaluate-program.ts";
import { codePlaceOf } from "../evaluate/locate.ts";
import type { Machine } from "../evaluate/machine.ts";
import { rulesByName } from "../operators/index.ts";
import { createObjectTree } from "../program/build-objects.ts";
import { createProgram, requireClass } from "../program/program.ts";
import { readKnown, readRows } from "../program/read-known.ts";
import { createReport, type Report, unsupportedText, writtenAt } from "../report.ts";
import { describe, isA, type ObjectValue, type Value } from "../values/value.ts";
import { bindInputs } from "./bind-inputs.ts";
import { collectOutputs } from "./collect-outputs.ts";
import { exampleInputs } from "./example-inputs.ts";
import { originalLines } from "./original-lines.ts";
import { requireInputs } from "./propose-inputs.ts";
import type { ScriptRequest } from "./request.ts";

/** A program as a graph, with what is to be said about it. */
export interface CompiledScript {
  readonly graph: OperatorGraph;
  /** What the program itself warned of, and what was decided for it. */
  readonly warnings: readonly string[];
  /** What has to hold for sizes that the runtime settles, such as `H == W`. */
  readonly guards: readonly string[];
}

/** The latest version of torch's operators, which releases since 2.0 write (caffe2/serialize/versions.h). */
const latestVersion = 10;

/** Versions of ONNX's operators that graphs are made for. */
const opsets = { lowest: 17, usual: 18, highest: 20 } as const;

/**
 * Evaluates a program of TorchScript with its real attributes and tensors of which only dtype and shape are known, and
 * gives the graph of the operators that it calls. Throws kind `unsupported` with all operators that there is no rule
 * for, `usage` where an input is not described, `limit` where the program takes too many steps.
 */
export async function compileScript(
  archive: ScriptArchive<PickleValue>,
  request: ScriptRequest,
  context: RunContext,
): Promise<CompiledScript> {
  try {
    return await compileMethod(archive, request, context);
  } catch (error) {
    throw isStackOverflow(error) ? nestsTooDeep(archive, error) : withArchive(archive, error);
  }
}

/** What is wrong with a source file is said with the archive that holds it. */
function withArchive({ file }: ScriptArchive<PickleValue>, error: unknown): unknown {
  if (!isConvertError(error) || error.site.file?.startsWith("code/") !== true) return error;
  return new ConvertError(error.kind, error.message, { ...error.site, file: `${file}#${error.site.file}` });
}

/** Values of a program may hold themselves; what looks into them then comes to the end of the stack, whatever it is. */
function isStackOverflow(error: unknown): boolean {
  return error instanceof Error && /call stack|too much recursion/.test(error.message);
}

function nestsTooDeep({ file }: ScriptArchive<PickleValue>, cause: unknown): ConvertError {
  return new ConvertError("limit", "the program, or a value that it makes, nests too deep", {
    file,
    hint: "no model needs it; the archive may be made to do harm",
    cause,
  });
}

async function compileMethod(
  archive: ScriptArchive<PickleValue>,
  request: ScriptRequest,
  context: RunContext,
): Promise<CompiledScript> {
  const { machine, root, report } = await load(archive, request, context);
  const { builder } = machine;
  const method = request.method ?? entryOf(machine, root);
  const examples = await exampleInputs(archive, method);
  try {
    const args = bindInputs(machine, root, method, request, examples);
    requireInputs(machine, root, method, args);
    const result = machine.callMethod(root, method, args);
    const outputs = collectOutputs(machine, result);
    if (report.unsupported.length > 0) throw await refusal(archive, report);
    const graph = builder.finish(rootName(root), outputs);
    return { graph, warnings: report.warnings, guards: builder.guards.texts };
  } catch (error) {
    // What fails after an operator without a rule fails because of it.
    if (report.unsupported.length > 0 && isConvertError(error, "unsupported", "malformed", "limit"))
      throw await refusal(archive, report);
    throw await withLine(archive, error);
  }
}

/** Scripted layers such as nn.LSTM have a form for tensors and one for packed sequences, and no plain `forward`. */
function entryOf(machine: Machine, root: ObjectValue): string {
  const { methods } = requireClass(machine.program, root.className).definition;
  return !methods.has("forward") && methods.has("forward__0") ? "forward__0" : "forward";
}

async function load(
  archive: ScriptArchive<PickleValue>,
  request: ScriptRequest,
  context: RunContext,
): Promise<{ readonly machine: Machine; readonly root: ObjectValue; readonly report: Report }> {
  if (archive.version > latestVersion)
    throw new ConvertError(
      "unsupported",
      `the archive has operators of version ${archive.version}, and those up to ${latestVersion} are known`,
      { file: archive.file, hint: "the release of torch that wrote it may have given them another meaning" },
    );
  const sources = await archive.sources();
  const program = createProgram(sources);
  const tree = createObjectTree(archive, program);
  const root = tree.build(archive.object, "");
  if (!isA(root, "object"))
    throw new ConvertError("unsupported", `the archive holds no module, but ${describe(root)}`, {
      file: archive.file,
    });
  const constants = tree.build(archive.constants, "constants");
  await readKnown(tree.tensors, context);
  // Most programs have no use for them.
  if ([...sources.values()].some((text) => /fused_moving_avg_obs_fake_quant|quantize_per_channel/.test(text)))
    await readRows(tree.tensors, context);
  if (isA(constants, "tuple")) markNumbers(constants.items);
  const report = createReport();
  const machine = createMachine({
    program,
    builder: createGraphBuilder(checkedOpset(request.opset ?? opsets.usual)),
    report,
    constants: isA(constants, "tuple") ? constants.items : [],
    version: archive.version,
    rules: rulesByName,
  });
  for (const { object, state } of tree.pending)
    machine.callMethod(object, "__setstate__", { positional: [state], named: new Map() });
  return { machine, root, report };
}

/** Traces have Python's numbers as 0-d constants. */
function markNumbers(constants: readonly Value[]): void {
  for (const value of constants) {
    if (isA(value, "tensor") && value.held.shape.length === 0) value.held = { ...value.held, isNumber: true };
  }
}

function checkedOpset(opset: number): number {
  if (Number.isInteger(opset) && opset >= opsets.lowest && opset <= opsets.highest) return opset;
  throw new ConvertError(
    "usage",
    `graphs are made for opsets ${opsets.lowest} to ${opsets.highest}, not ${opset}`,
  );
}

async function refusal(archive: ScriptArchive<PickleValue>, { unsupported }: Report): Promise<ConvertError> {
  const lines = originalLines(archive);
  const written = await Promise.all(unsupported.map(({ code }) => lines(code)));
  const count = unsupported.length === 1 ? "an operator" : `${unsupported.length} operators`;
  return new ConvertError(
    "unsupported",
    `the program uses ${count} that cannot become part of a graph: ${unsupportedText(unsupported, written)}`,
    {
      file: archive.file,
      hint: "save the model without them; docs/operators.md says how operators are added",
    },
  );
}

/** An error of the evaluation with the file, and the line of the model's author where the archive knows it. */
async function withLine(archive: ScriptArchive<PickleValue>, error: unknown): Promise<unknown> {
  if (!isConvertError(error) || error.site.file !== undefined) return error;
  const place = codePlaceOf(error);
  const line = place && (await originalLines(archive)(place));
  const message = error.message.replace(/\)$/, `${writtenAt(line)})`);
  return new ConvertError(error.kind, line === undefined ? error.message : message, {
    ...error.site,
    file: archive.file,
  });
}

/** The class of the model without its package and torch's mark for repeated classes. */
function rootName(root: Value): string {
  const name = isA(root, "object") ? root.className : "graph";
  return name.slice(name.lastIndexOf(".") + 1);
}
