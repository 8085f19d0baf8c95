import type { PickleValue } from "../../containers/pickle/values.ts";
import type { RunContext } from "../../core/context.ts";
import type { TensorDict } from "../../core/dict.ts";
import { ConvertError } from "../../core/errors.ts";
import type { Format } from "../../core/format.ts";
import { graphDict } from "../../core/graph.ts";
import { type ScriptArchive, scriptOf } from "../../core/script-archive.ts";
import { parseScriptOptions, type ScriptOptions } from "../../torchscript/compile/parse-request.ts";
import type { Dropped } from "./decide-tensors.ts";

/** A dict with its graph, and the tensors that the graph does without. */
export interface CompiledProgram {
  readonly dict: TensorDict;
  readonly unused: readonly Dropped[];
}

/**
 * A dict with the graph of the program that came with it, where one did and the format holds graphs; its tensors are
 * those that the graph uses. Any other dict stays as it is. Throws kind `usage` for options that then mean nothing.
 */
export async function compileProgram(
  dict: TensorDict,
  format: Format,
  options: ScriptOptions | undefined,
  context: RunContext,
): Promise<CompiledProgram> {
  const archive = scriptOf(dict);
  if (archive === undefined || format.holdsGraphs !== true) {
    if (archive?.absence !== undefined) throw archive.absence;
    if (options === undefined) return { dict, unused: [] };
    const what =
      archive === undefined ? "the input has no TorchScript program" : `${format.title} holds no program`;
    throw new ConvertError("usage", `${what}, so there is nothing to compile`, {
      hint: "leave out --input, --inputs, --arg, --method and --opset",
    });
  }
  const { compileScript } = await import("../../torchscript/compile/compile-script.ts");
  const request = parseScriptOptions(options ?? {});
  const { graph, warnings, guards } = await compileScript(
    archive as ScriptArchive<PickleValue>,
    request,
    context,
  );
  for (const message of warnings) context.warn({ code: "program-says", message });
  const assumed = guards.join(" and ");
  if (guards.length > 0) context.warn({ code: "assumes", message: `the graph is right where ${assumed}` });
  const compiled = graphDict(graph);
  const noted = guards.length > 0 ? [["tensorferry.assumes", assumed] as const] : [];
  const left = [...dict.tensors.keys()].filter((name) => !graph.initializers.has(name));
  return {
    dict: { ...compiled, metadata: new Map([...dict.metadata, ...compiled.metadata, ...noted]) },
    unused: left.map((name) => ({ name, reason: "not used by the program" })),
  };
}
