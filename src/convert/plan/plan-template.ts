import type { RunContext } from "../../core/context.ts";
import type { TensorDict } from "../../core/dict.ts";
import { ConvertError } from "../../core/errors.ts";
import type { Format } from "../../core/format.ts";
import { outputPlan } from "../../core/plan.ts";
import { detectFormat, type ModelInput, openSource, probeSource } from "../open/open.ts";
import type { ModelOutput, NamedPlan } from "./plan-output.ts";

/** A file whose weights are replaced, and whether weights may be left over. */
export interface TemplateRequest {
  readonly template: ModelInput;
  readonly partial: boolean;
}

/** Plans a copy of a file with other weights. Throws kind `usage` where its format takes none, or the output is a folder. */
export async function planTemplate(
  dict: TensorDict,
  { template, partial }: TemplateRequest,
  output: ModelOutput,
  formats: readonly Format[],
  context: RunContext,
): Promise<NamedPlan> {
  const source = await openSource(template);
  const format = detectFormat(await probeSource(source, context), source, formats);
  if (format.loadTemplater === undefined) {
    throw new ConvertError("usage", `${format.title} cannot be a template`, {
      file: source.name,
      hint: "a template is a graph whose weights are replaced, such as an ONNX file",
    });
  }
  if (output.name === undefined) {
    throw new ConvertError("usage", "a template gives one file, but the output is a folder", {
      hint: `name a file: model${format.extensions[0]}`,
    });
  }
  const templater = await format.loadTemplater();
  const { files } = await templater.plan(
    { source, folder: template.folder, partial },
    dict,
    output.name,
    context,
  );
  const names = new Set(files.map(({ name }) => name));
  return { plan: outputPlan(format.id, files), isOfModel: (name) => names.has(name) };
}
