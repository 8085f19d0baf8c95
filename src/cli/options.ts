import type { ContextOptions } from "../core/context.ts";
import { ConvertError } from "../core/errors.ts";
import { defaultLimits, type Limits } from "../core/limits.ts";
import type { NamingPathOptions } from "../node.ts";
import { parseSize } from "../shards/size.ts";

/** Adds another value of a repeatable option. */
export function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

/** `K=V` pairs as a map; the value may hold further equal signs. Throws kind `usage`. */
export function parsePairs(pairs: readonly string[] = [], option: string): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  for (const pair of pairs) {
    const at = pair.indexOf("=");
    if (at <= 0) throw new ConvertError("usage", `${option} takes NAME=VALUE, not "${pair}"`);
    map.set(pair.slice(0, at), pair.slice(at + 1));
  }
  return map;
}

/** `--rename FROM=>TO`: at the first arrow, or behind the expression of a `/regex/`. Throws kind `usage`. */
export function parseRules(rules: readonly string[] = []): readonly (readonly [from: string, to: string])[] {
  return rules.map((rule) => {
    const parts = /^(\/.+?\/[a-z]*)=>(.*)$/s.exec(rule) ?? /^(.+?)=>(.*)$/s.exec(rule);
    if (parts === null) {
      throw new ConvertError("usage", `--rename takes FROM=>TO, not "${rule}"`, {
        hint: "put it in quotes: the shell takes > for itself",
      });
    }
    return [parts[1] as string, parts[2] as string];
  });
}

/** `--limit NAME=VALUE`, repeatable. Throws kind `usage` for a name that is no limit. */
export function parseLimits(pairs: readonly string[] | undefined): Partial<Limits> {
  const limits: Partial<Record<keyof Limits, number>> = {};
  for (const [name, value] of parsePairs(pairs, "--limit")) {
    if (!Object.hasOwn(defaultLimits, name)) {
      throw new ConvertError("usage", `there is no limit "${name}"`, {
        hint: `known are ${Object.keys(defaultLimits).join(", ")}`,
      });
    }
    limits[name as keyof Limits] = parseSize(value);
  }
  return limits;
}

/** `--max-shard-size`: a size, or `none` for one file. */
export function parseShardSize(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  return text === "none" ? Number.POSITIVE_INFINITY : parseSize(text);
}

/** The flags that say what a run may cost. */
export interface CostFlags {
  readonly jobs?: string;
  readonly buffer?: string;
  readonly limit?: readonly string[];
}

/** `--jobs`, `--buffer` and `--limit`. */
export function costsOf({
  jobs,
  buffer,
  limit,
}: CostFlags): Pick<ContextOptions, "jobs" | "bufferBytes" | "limits"> {
  return { jobs: parseJobs(jobs), bufferBytes: parseBuffer(buffer), limits: parseLimits(limit) };
}

/** `--jobs`: a small whole number. */
function parseJobs(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const jobs = Number(text);
  if (Number.isInteger(jobs) && jobs >= 1 && jobs <= 64) return jobs;
  throw new ConvertError("usage", `--jobs takes a number from 1 to 64, not "${text}"`);
}

/** A tolerance: a number, not negative, perhaps with an exponent. Throws kind `usage`. */
export function parseTolerance(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^[\d.]/.test(text) && value >= 0 && Number.isFinite(value)) return value;
  throw new ConvertError("usage", `${option} takes a number such as 1e-6, not "${text}"`);
}

/** `--buffer`: a size that keeps memory bounded. */
function parseBuffer(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const bytes = parseSize(text);
  if (bytes >= 4096 && bytes <= 2 ** 30) return bytes;
  throw new ConvertError("usage", `--buffer takes a size from 4KiB to 1GiB, not "${text}"`);
}

/** `--variant`: a word that can stand in a file name between dots. */
export function parseVariant(text: string | undefined): string | undefined {
  if (text === undefined || /^[\w-]+$/.test(text)) return text;
  throw new ConvertError("usage", `--variant takes a word such as fp16, not "${text}"`);
}

/** One of the words that an option takes. Throws kind `usage` for another. */
export function parseChoice<const T extends string>(
  text: string | undefined,
  choices: readonly T[],
  option: string,
): T | undefined {
  if (text === undefined) return undefined;
  const choice = choices.find((word) => word === text);
  if (choice !== undefined) return choice;
  throw new ConvertError("usage", `${option} takes ${choices.join(" or ")}, not "${text}"`);
}

/** The flags that say how a graph's weights are to be called. */
export interface NamingFlags {
  readonly names?: string;
  readonly reference?: string;
  readonly fused?: string;
  readonly bnEps?: string;
}

/** `--names`, `--reference`, `--fused` and `--bn-eps`. */
export function namingOf({ names, reference, fused, bnEps }: NamingFlags): NamingPathOptions {
  const normEpsilon = bnEps === undefined ? undefined : Number(bnEps);
  if (normEpsilon !== undefined && !(normEpsilon >= 0 && normEpsilon < 1))
    throw new ConvertError("usage", `--bn-eps takes a small number such as 1e-5, not "${bnEps}"`);
  return {
    names: parseChoice(names, ["pytorch", "onnx"], "--names"),
    reference,
    fused: parseChoice(fused, ["product", "equivalent"], "--fused"),
    normEpsilon,
  };
}
