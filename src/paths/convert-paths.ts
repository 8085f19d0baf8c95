import { dirname } from "node:path";
import type { ConvertOptions, ConvertResult, PlannedConversion } from "../convert/conversion.ts";
import { planConversion } from "../convert/convert.ts";
import { type InspectReport, inspectModel } from "../convert/look/inspect.ts";
import { inspectModelTensor, type TensorInspection } from "../convert/look/inspect-tensor.ts";
import type { InspectOptions } from "../convert/look/open-to-look.ts";
import type { ModelInput } from "../convert/open/open.ts";
import type { Format } from "../core/format.ts";
import { inputFolder } from "../node/input-folder.ts";
import { platform } from "../node/platform.ts";
import { type BesideOptions, withBeside } from "./beside.ts";
import { type GuidePaths, type NamingPathOptions, resolveGuides } from "./resolve-guides.ts";
import { resolveInput } from "./resolve-input.ts";
import { resolveOutput } from "./resolve-output.ts";

/** Options of a conversion between paths. */
export interface ConvertPathOptions
  extends Omit<ConvertOptions, "naming" | "template">,
    BesideOptions,
    GuidePaths {
  /** Replace what is there already. */
  readonly force?: boolean | undefined;
  /** How often a long conversion makes sure that `resume` can go on from where it is, in milliseconds; by default every three seconds. */
  readonly checkpointMs?: number | undefined;
}

/** A planned conversion that holds its input open until it is run or closed. */
export interface PlannedPathConversion {
  readonly result: ConvertResult;
  /** Writes the files and closes the input. */
  run(): Promise<ConvertResult>;
  close(): Promise<void>;
}

/** Decides a whole conversion between paths without writing anything; several inputs become one output. */
export async function planPaths(
  from: string | readonly string[],
  to: string,
  formats: readonly Format[],
  options: ConvertPathOptions = {},
): Promise<PlannedPathConversion> {
  const inputs = await resolveInputs([from].flat(), options.signal);
  const guides = await resolveGuides(options, options.signal);
  const close = async () => {
    for (const { folder } of inputs) await folder.close();
    await guides.close();
  };
  const made = resolveOutput(to, options.force ?? false, options.checkpointMs);
  const output = withBeside(made, inputs, [from].flat(), to, options);
  const planned: PlannedConversion = await planConversion(inputs, output, formats, {
    ...platform,
    ...options,
    naming: guides.naming,
    template: guides.template,
  }).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  return {
    result: planned.result,
    close,
    async run() {
      const written = options.verify ? inputFolder(output.name === undefined ? to : dirname(to)) : undefined;
      try {
        return await planned.run(written);
      } finally {
        await written?.close();
        await close();
      }
    },
  };
}

async function resolveInputs(
  paths: readonly string[],
  signal: AbortSignal | undefined,
): Promise<readonly ModelInput[]> {
  const inputs: ModelInput[] = [];
  try {
    for (const path of paths) inputs.push(await resolveInput(path, signal));
    return inputs;
  } catch (error) {
    for (const { folder } of inputs) await folder.close();
    throw error;
  }
}

/** Converts one path, or several, to another: a file, or a folder. */
export async function convertPaths(
  from: string | readonly string[],
  to: string,
  formats: readonly Format[],
  options: ConvertPathOptions = {},
): Promise<ConvertResult> {
  const planned = await planPaths(from, to, formats, options);
  return planned.run();
}

/** Options of a report on a path. */
export interface InspectPathOptions extends Omit<InspectOptions, "naming"> {
  readonly naming?: NamingPathOptions | undefined;
}

/** Sums up the values of one tensor of a file or folder. */
export async function inspectPathTensor(
  path: string,
  name: string,
  formats: readonly Format[],
  options: InspectPathOptions = {},
): Promise<TensorInspection> {
  const input = await resolveInput(path, options.signal);
  const guides = await resolveGuides({ naming: options.naming }, options.signal);
  try {
    return await inspectModelTensor(input, name, formats, { ...platform, ...options, naming: guides.naming });
  } finally {
    await input.folder.close();
    await guides.close();
  }
}

/** Lists what a file or folder holds. */
export async function inspectPath(
  path: string,
  formats: readonly Format[],
  options: InspectPathOptions = {},
): Promise<InspectReport> {
  const input = await resolveInput(path, options.signal);
  const guides = await resolveGuides({ naming: options.naming }, options.signal);
  try {
    return await inspectModel(input, formats, { ...platform, ...options, naming: guides.naming });
  } finally {
    await input.folder.close();
    await guides.close();
  }
}
