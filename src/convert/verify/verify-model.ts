import { walkBytes } from "../../core/checksum.ts";
import {
  type ContextOptions,
  createContext,
  createSha256,
  type Notice,
  type RunContext,
} from "../../core/context.ts";
import { type TensorDict, tensorDict } from "../../core/dict.ts";
import { isConvertError } from "../../core/errors.ts";
import type { Format } from "../../core/format.ts";
import { noteGlobals } from "../open/unsafe.ts";
import { createMeter } from "../run/meter.ts";
import { sumsName } from "../run/sha256-sums.ts";
import { createProblemList, type Problem } from "./problems.ts";
import { type FileVerification, verifyFile } from "./verify-file.ts";
import { verifyIndex } from "./verify-index.ts";
import { type Scope, scopeOf, sizesOf, type VerifyTarget } from "./verify-scope.ts";

/** What verification may be told: how to work, not what to look for. */
export type VerifyOptions = ContextOptions;

/** What verification found. */
export interface VerifyReport {
  readonly path: string;
  readonly sound: boolean;
  readonly problems: readonly Problem[];
  /** Files that were read to their last byte, with their sizes. */
  readonly files: readonly { readonly file: string; readonly bytes: number; readonly sha256?: string }[];
  readonly notices: readonly Notice[];
}

/**
 * Reads files to their last byte and compares what they say of themselves: headers, checksums of their containers, an index
 * with its shards, and `SHA256SUMS`. Collects what is wrong instead of failing.
 */
export async function verifyModel(
  target: VerifyTarget,
  formats: readonly Format[],
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const notices: Notice[] = [];
  const plain = createContext({
    ...options,
    onNotice(notice) {
      notices.push(notice);
      options.onNotice?.(notice);
    },
  });
  const context: RunContext = { ...plain, review: noteGlobals(plain.warn) };
  const problems = createProblemList();
  const scope = await scopeOf(target, formats, problems, context);
  const sizes = await sizesOf(scope, target, problems);
  const work = { folder: target.folder, formats, problems, context };
  const hashes = await readAll(target, scope, sizes, work);
  return {
    path: target.path,
    sound: problems.all.length === 0,
    problems: problems.all,
    files: [...sizes].map(([file, bytes]) => {
      const sha256 = hashes.get(file);
      return { file, bytes, ...(sha256 === undefined ? {} : { sha256 }) };
    }),
    notices,
  };
}

/** Hashes first: what was read for its hash need not be read again, unless it has checksums of its own. */
async function readAll(
  target: VerifyTarget,
  scope: Scope,
  sizes: ReadonlyMap<string, number>,
  work: Omit<FileVerification, "count">,
): Promise<ReadonlyMap<string, string>> {
  const hashed = [...scope.sums.keys()].filter((name) => sizes.has(name));
  const files = scope.files.filter((name) => sizes.has(name));
  const count = createCounter([...files, ...hashed], sizes, work.context);
  const hashes = new Map<string, string>();
  for (const name of hashed) {
    const hash = await compareHash(name, scope.sums.get(name) as string, { ...work, count: count(name) });
    if (hash !== undefined) hashes.set(name, hash);
  }
  const found = new Map<string, TensorDict>();
  for (const name of files) {
    const before = work.problems.all.length;
    const dicts = await verifyAmong(target, name, hashes.has(name), { ...work, count: count(name) });
    // Of a file that is broken already, nothing more is to be said.
    if (work.problems.all.length === before) found.set(name, largest(dicts));
  }
  for (const [name, index] of scope.indexes) {
    const names = new Set(index.weightMap.values());
    const shards = new Map([...found].filter(([shard]) => names.has(shard)));
    verifyIndex({ name, index, shards, present: target.present }, work.problems);
  }
  return hashes;
}

/** In a folder, a file that is not read (arguments of a training, say) is no fault of the folder; asked for by name, it is refused. */
async function verifyAmong(
  target: VerifyTarget,
  name: string,
  isRead: boolean,
  work: FileVerification,
): Promise<readonly TensorDict[]> {
  try {
    return await verifyFile(name, isRead, work);
  } catch (error) {
    if (target.name === name || !isConvertError(error, "unsupported")) throw error;
    work.context.warn({ code: "unread", message: `${name} was not verified: ${error.message}` });
    return [];
  }
}

/** Progress that never passes its total, which is the size of the files: unpacked entries may have more bytes. */
function createCounter(names: readonly string[], sizes: ReadonlyMap<string, number>, context: RunContext) {
  let left = names.reduce((sum, name) => sum + (sizes.get(name) ?? 0), 0);
  const meter = createMeter("verify", left, context);
  return (label: string) => (bytes: number) => {
    const counted = Math.min(left, bytes);
    left -= counted;
    meter.add(counted, label);
  };
}

/** Of several state dicts in a shard, the one with the most tensors; of none, one without any. */
function largest(dicts: readonly TensorDict[]): TensorDict {
  return dicts.reduce(
    (most, dict) => (dict.tensors.size > most.tensors.size ? dict : most),
    tensorDict(new Map()),
  );
}

/** Reads a whole file; gives its hash where that could be done. */
async function compareHash(
  name: string,
  expected: string,
  { folder, problems, context, count }: FileVerification,
): Promise<string | undefined> {
  return problems.guard(name, async () => {
    const source = await folder.open(name);
    if (source === undefined) return undefined;
    const hash = createSha256(context);
    await walkBytes(source, context, (part) => {
      hash.update(part);
      count(part.length);
    });
    const found = hash.digest();
    if (found !== expected) {
      const message = `its SHA-256 is ${found}, but ${sumsName} has ${expected}`;
      problems.add({ code: "sha256", message, file: name });
    }
    return found;
  });
}
