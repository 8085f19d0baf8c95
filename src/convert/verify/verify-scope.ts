import type { RunContext } from "../../core/context.ts";
import { ConvertError } from "../../core/errors.ts";
import type { Format } from "../../core/format.ts";
import { checkLimit } from "../../core/limits.ts";
import type { InputFolder } from "../../core/sink.ts";
import { readBytes } from "../../core/source.ts";
import { parseShardIndex, type ShardIndex } from "../../shards/index-file.ts";
import { formatByExtension } from "../open/open.ts";
import { parseSums, sumsName } from "../run/sha256-sums.ts";
import type { ProblemList } from "./problems.ts";

/** What is to be verified: a folder, or one file in it. */
export interface VerifyTarget {
  /** What a person calls it. */
  readonly path: string;
  readonly folder: InputFolder;
  /** Bare names of all files in the folder. */
  readonly present: readonly string[];
  /** The one file; without it, all that are models. */
  readonly name?: string | undefined;
}

/** The files that are concerned, all by bare name. */
export interface Scope {
  /** Files with tensors. */
  readonly files: readonly string[];
  readonly indexes: ReadonlyMap<string, ShardIndex>;
  /** Hashes that files should have. */
  readonly sums: ReadonlyMap<string, string>;
}

/** Finds the files that are concerned, from names and indexes alone. Throws kind `io` where a folder has none. */
export async function scopeOf(
  { path, folder, present, name }: VerifyTarget,
  formats: readonly Format[],
  problems: ProblemList,
  context: RunContext,
): Promise<Scope> {
  const text = async (file: string) => {
    const source = await folder.open(file);
    if (source === undefined) throw new ConvertError("io", "it is not there any more", { file });
    checkLimit(context.limits, "headerBytes", source.size, "the size of a text", { file });
    return readBytes(source, 0, source.size, context);
  };
  const listed = present.includes(sumsName)
    ? ((await problems.guard(sumsName, async () => parseSums(await text(sumsName), sumsName))) ?? new Map())
    : new Map<string, string>();
  const roots = name === undefined ? present.filter((file) => isModelFile(file, formats)) : [name];
  const indexes = new Map<string, ShardIndex>();
  const files = new Set<string>();
  for (const root of roots) {
    if (root === sumsName) continue;
    if (!root.endsWith(".index.json")) {
      files.add(root);
      continue;
    }
    const index = await problems.guard(root, async () => parseShardIndex(await text(root), root));
    if (index === undefined) continue;
    indexes.set(root, index);
    for (const shard of index.weightMap.values()) files.add(shard);
  }
  if (roots.length === 0 && listed.size === 0) {
    throw new ConvertError("io", "the folder holds no model", {
      file: path,
      hint: "expected weights, an index of them, or SHA256SUMS",
    });
  }
  const isConcerned = (file: string) =>
    name === undefined || name === sumsName || files.has(file) || indexes.has(file);
  return {
    files: [...files].sort(),
    indexes,
    sums: new Map([...listed].filter(([file]) => isConcerned(file))),
  };
}

/** Indexes, weights by their extension, and the head of a distributed checkpoint; hidden files are somebody else's. */
function isModelFile(name: string, formats: readonly Format[]): boolean {
  if (name === ".metadata") return true;
  if (name.startsWith(".")) return false;
  return name.endsWith(".index.json") || formatByExtension(name, formats) !== undefined;
}

/** Sizes of all concerned files that are there; the others are problems. */
export async function sizesOf(
  { files, indexes, sums }: Scope,
  { folder }: VerifyTarget,
  problems: ProblemList,
): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>();
  for (const name of [...new Set([...files, ...indexes.keys(), ...sums.keys()])].sort()) {
    const before = problems.all.length;
    const source = await problems.guard(name, () => folder.open(name));
    if (source !== undefined) sizes.set(name, source.size);
    else if (problems.all.length === before) {
      const index = [...indexes].find(([, { weightMap }]) => [...weightMap.values()].includes(name))?.[0];
      const message =
        index === undefined
          ? `${sumsName} lists it, but it is not there`
          : `${index} names it, but it is not there`;
      problems.add({ code: index === undefined ? "missing-file" : "missing-shard", message, file: name });
    }
  }
  return sizes;
}
