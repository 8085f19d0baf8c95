import type { ContextOptions } from "../core/context.ts";
import { ConvertError } from "../core/errors.ts";
import type { ConvertPathOptions } from "./convert-paths.ts";

/** Options of a conversion that a file can hold; those of a call, such as `signal`, are left to the caller. */
type Storable = Omit<ConvertPathOptions, keyof ContextOptions | "metadata" | "map" | "maxShardBytes"> &
  Pick<ContextOptions, "limits" | "jobs" | "bufferBytes" | "all"> &
  Pick<ConvertPathOptions, "naming">;

/** One conversion of a configuration. Paths count from the folder of the configuration. */
export interface Job extends Storable {
  readonly input: string | readonly string[];
  /** A file, or a folder if it ends in a slash or exists. */
  readonly output: string;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** Old names to new ones. */
  readonly map?: Readonly<Record<string, string>> | undefined;
  /** `2GB`, `512MiB`, a number of bytes, or `none`. */
  readonly maxShardSize?: string | number | undefined;
}

/** What a `tensorferry.config` holds. */
export interface Config {
  /** By name; they run in this order. */
  readonly jobs: Readonly<Record<string, Job>>;
}

/** Gives back what it is given: an editor knows the types then. */
export function defineConfig(config: Config): Config {
  return config;
}

const keys: Readonly<Record<keyof Job, true>> = {
  ...{ input: true, output: true, from: true, to: true, select: true, all: true, tied: true, keep: true },
  ...{ include: true, exclude: true, rename: true, map: true, stripPrefix: true, addPrefix: true },
  ...{ inputPrefixes: true, duplicates: true, dtype: true, metadata: true, maxShardSize: true },
  ...{
    externalData: true,
    variant: true,
    carry: true,
    hub: true,
    template: true,
    naming: true,
    script: true,
    limits: true,
    jobs: true,
    bufferBytes: true,
  },
  ...{
    verify: true,
    checksums: true,
    resume: true,
    strict: true,
    allow: true,
    force: true,
    checkpointMs: true,
  },
};

/** Checks what a file gave: the names of jobs and of their options, so that a slip is not passed over. Throws kind `usage`. */
export function checkConfig(value: unknown, file: string): Config {
  const jobs = isObject(value) ? value["jobs"] : undefined;
  if (!isObject(jobs) || Object.keys(jobs).length === 0) {
    throw new ConvertError("usage", "the configuration has no jobs", {
      file,
      hint: 'it is an object such as { jobs: { model: { input: "model.pth", output: "out/" } } }',
    });
  }
  for (const [name, job] of Object.entries(jobs)) {
    if (!isObject(job) || typeof job["output"] !== "string" || !isPaths(job["input"])) {
      throw new ConvertError("usage", `the job "${name}" lacks an input or an output`, { file });
    }
    const unknown = Object.keys(job).find((key) => !Object.hasOwn(keys, key));
    if (unknown === undefined) continue;
    throw new ConvertError("usage", `the job "${name}" has an option "${unknown}", which is not known`, {
      file,
      hint: `known are ${Object.keys(keys).join(", ")}`,
    });
  }
  return value as unknown as Config;
}

function isPaths(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0 && value.every((item) => typeof item === "string");
  return typeof value === "string";
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
