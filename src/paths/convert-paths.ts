import { dirname } from "node:path";
import {
  type ConvertOptions,
  type ConvertResult,
  type PlannedConversion,
  planConversion,
} from "../convert/convert.ts";
import { type InspectOptions, type InspectReport, inspectModel } from "../convert/inspect.ts";
import type { Format } from "../core/format.ts";
import { inputFolder } from "../node/input-folder.ts";
import { platform } from "../node/platform.ts";
import { resolveInput } from "./resolve-input.ts";
import { resolveOutput } from "./resolve-output.ts";

/** Options of a conversion between paths. */
export interface ConvertPathOptions extends ConvertOptions {
  /** Replace what is there already. */
  readonly force?: boolean | undefined;
}

/** A planned conversion that holds its input open until it is run or closed. */
export interface PlannedPathConversion {
  readonly result: ConvertResult;
  /** Writes the files and closes the input. */
  run(): Promise<ConvertResult>;
  close(): Promise<void>;
}

/** Decides a whole conversion between two paths without writing anything. */
export async function planPaths(
  from: string,
  to: string,
  formats: readonly Format[],
  options: ConvertPathOptions = {},
): Promise<PlannedPathConversion> {
  const input = await resolveInput(from, options.signal);
  const output = resolveOutput(to, options.force ?? false);
  const planned: PlannedConversion = await planConversion(input, output, formats, {
    ...platform,
    ...options,
  }).catch(async (error: unknown) => {
    await input.folder.close();
    throw error;
  });
  return {
    result: planned.result,
    close: () => input.folder.close(),
    async run() {
      const written = options.verify ? inputFolder(output.name === undefined ? to : dirname(to)) : undefined;
      try {
        return await planned.run(written);
      } finally {
        await written?.close();
        await input.folder.close();
      }
    },
  };
}

/** Converts one path to another: a file, or a folder. */
export async function convertPaths(
  from: string,
  to: string,
  formats: readonly Format[],
  options: ConvertPathOptions = {},
): Promise<ConvertResult> {
  const planned = await planPaths(from, to, formats, options);
  return planned.run();
}

/** Lists what a file or folder holds. */
export async function inspectPath(
  path: string,
  formats: readonly Format[],
  options: InspectOptions = {},
): Promise<InspectReport> {
  const input = await resolveInput(path, options.signal);
  try {
    return await inspectModel(input, formats, { ...platform, ...options });
  } finally {
    await input.folder.close();
  }
}
