import { isAbsolute, join } from "node:path";
import type { ConvertResult } from "../convert/conversion.ts";
import type { ContextOptions } from "../core/context.ts";
import { ConvertError } from "../core/errors.ts";
import type { Format } from "../core/format.ts";
import { parseSize } from "../shards/size.ts";
import type { Config, Job } from "./config.ts";
import { type ConvertPathOptions, planPaths } from "./convert-paths.ts";
import { isRemote } from "./resolve-remote.ts";

/** How to run jobs. */
export interface RunJobsOptions extends Pick<ContextOptions, "signal" | "onProgress" | "onNotice"> {
  /** Which, in the order of the configuration; all by default. */
  readonly names?: readonly string[] | undefined;
  /** Folder that paths count from; by default where the process runs. */
  readonly folder?: string | undefined;
  /** Replace what is there, whatever the job says. */
  readonly force?: boolean | undefined;
  /** Decide everything, and write nothing. */
  readonly dryRun?: boolean | undefined;
  /** Called before each job. */
  readonly onJob?: ((name: string, job: Job) => void) | undefined;
}

/** What one job did. */
export interface JobResult {
  readonly name: string;
  readonly result: ConvertResult;
  readonly seconds: number;
}

/** Runs the jobs of a configuration one after the other, up to the first that fails. Throws kind `usage` for a name that is none. */
export async function runJobs(
  config: Config,
  formats: readonly Format[],
  options: RunJobsOptions = {},
): Promise<readonly JobResult[]> {
  const all = Object.entries(config.jobs);
  for (const name of options.names ?? []) {
    if (all.some(([known]) => known === name)) continue;
    throw new ConvertError("usage", `there is no job "${name}"`, {
      hint: `there are ${all.map(([known]) => known).join(", ")}`,
    });
  }
  const { names = [] } = options;
  const results: JobResult[] = [];
  for (const [name, job] of all) {
    if (names.length > 0 && !names.includes(name)) continue;
    options.onJob?.(name, job);
    const begun = performance.now();
    const result = await runJob(job, formats, options);
    results.push({ name, result, seconds: (performance.now() - begun) / 1000 });
  }
  return results;
}

async function runJob(job: Job, formats: readonly Format[], options: RunJobsOptions): Promise<ConvertResult> {
  const { folder = ".", signal, onProgress, onNotice, force } = options;
  const place = (path: string) => (isAbsolute(path) || isRemote(path) ? path : join(folder, path));
  const { input, output, metadata, map, maxShardSize, template, naming, ...rest } = job;
  const reference = naming?.reference;
  const converted: ConvertPathOptions = {
    ...rest,
    template: template && place(template),
    naming: naming && { ...naming, reference: reference && place(reference) },
    metadata: metadata && new Map(Object.entries(metadata)),
    map: map && new Map(Object.entries(map)),
    maxShardBytes: shardBytes(maxShardSize),
    force: force || rest.force,
    ...{ signal, onProgress, onNotice },
  };
  const planned = await planPaths([input].flat().map(place), place(output), formats, converted);
  if (!options.dryRun) return planned.run();
  await planned.close();
  return planned.result;
}

function shardBytes(size: string | number | undefined): number | undefined {
  if (size === undefined || typeof size === "number") return size;
  return size === "none" ? Number.POSITIVE_INFINITY : parseSize(size);
}
