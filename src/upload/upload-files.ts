import {
  type CommitOperation,
  type CommitOutput,
  commitIter,
  createBranch,
  createRepo,
} from "@huggingface/hub";
import type { Progress } from "../core/context.ts";
import { ConvertError, isConvertError, throwIfCancelled } from "../core/errors.ts";
import type { ByteSource } from "../core/source.ts";
import { createNetwork, type NetworkOptions } from "../web/network.ts";
import { hubFetch, RefusedLink } from "./hub-fetch.ts";
import { sourceBlob } from "./source-blob.ts";

/** A file to be sent, and its path in the repository. */
export interface UploadFile {
  readonly path: string;
  readonly source: ByteSource;
}

/** Where files go, and how. */
export interface UploadOptions extends NetworkOptions {
  /** Address of the Hub, without a slash at its end. */
  readonly endpoint: string;
  /** Starts with `hf_`; it may write to the repository. */
  readonly token: string;
  /** Branch to commit to; made where it is missing. With `pullRequest`, the one to start from. */
  readonly branch?: string | undefined;
  /** Open a pull request instead of committing: anybody may do that in a public repository. */
  readonly pullRequest?: boolean | undefined;
  /** Make the repository private, where it has to be made. */
  readonly isPrivate?: boolean | undefined;
  /** First line of the commit, which is the title of a pull request; the rest is its description. */
  readonly message?: string | undefined;
  /** Paths in the repository to remove in the same commit. */
  readonly remove?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((step: Progress) => void) | undefined;
}

/** What was sent. */
export interface UploadReport {
  readonly repository: string;
  /** Address of the commit, of the last one where many files took several. */
  readonly commit: string;
  readonly pullRequest?: string;
  readonly files: readonly UploadedFile[];
  readonly bytes: number;
}

/** One file of a report. */
export interface UploadedFile {
  readonly path: string;
  readonly bytes: number;
  /** Whether the Hub had its content already, so that nothing was sent. */
  readonly present: boolean;
}

/** How often the Hub is asked for addresses before a store that refuses them is believed. */
const linkRounds = 3;

/** The Hub asks for no more in one commit. */
const filesOfACommit = 100;

/**
 * Sends files to a model repository, in one commit unless they are more than a hundred. Content that the Hub has, by
 * its hash, is not sent again; so an upload that was interrupted goes on when it is repeated. Throws kind `output`
 * where the Hub refuses, `cancelled` when the signal fires.
 */
export async function uploadFiles(
  files: readonly UploadFile[],
  repository: string,
  options: UploadOptions,
): Promise<UploadReport> {
  try {
    return await send(files, repository, options);
  } catch (error) {
    throwIfCancelled(options.signal);
    throw asUploadError(error, repository);
  }
}

async function send(
  files: readonly UploadFile[],
  repository: string,
  options: UploadOptions,
): Promise<UploadReport> {
  const meter = createMeter(files, options);
  const client = {
    repo: { type: "model", name: repository } as const,
    accessToken: options.token,
    hubUrl: options.endpoint,
    fetch: hubFetch(createNetwork(options), meter.sent),
  };
  if (!options.pullRequest) await makeRoom(client, options);
  let target = { branch: options.branch ?? "main", isPullRequest: options.pullRequest ?? false };
  let pullRequest: string | undefined;
  let commit = "";
  for (const operations of inCommits(files, options.remove ?? [])) {
    const output = await withFreshLinks(() =>
      makeCommit({ ...client, ...target, operations }, options, meter),
    );
    commit = output.commit.url;
    pullRequest ??= output.pullRequestUrl;
    const number = /\/discussions\/(\d+)/.exec(pullRequest ?? "")?.[1];
    if (number !== undefined) target = { branch: `refs/pr/${number}`, isPullRequest: false };
  }
  const report = { repository, commit, files: meter.report(), bytes: meter.bytes };
  return pullRequest === undefined ? report : { ...report, pullRequest };
}

type Client = Pick<Parameters<typeof createRepo>[0], "repo" | "hubUrl" | "fetch"> & { accessToken: string };

/** A repository or branch that is there already is what was wanted. */
async function makeRoom(client: Client, { isPrivate, branch }: UploadOptions): Promise<void> {
  const visibility =
    isPrivate === undefined ? {} : ({ visibility: isPrivate ? "private" : "public" } as const);
  await createRepo({ ...client, ...visibility }).catch(unlessThere);
  if (branch !== undefined && branch !== "main") await createBranch({ ...client, branch }).catch(unlessThere);
}

function unlessThere(error: unknown): void {
  if ((error as { statusCode?: number }).statusCode !== 409) throw error;
}

function inCommits(files: readonly UploadFile[], removed: readonly string[]): CommitOperation[][] {
  const all: CommitOperation[] = [
    ...removed.map((path) => ({ operation: "delete", path }) as const),
    ...files.map(
      ({ path, source }) => ({ operation: "addOrUpdate", path, content: sourceBlob(source) }) as const,
    ),
  ];
  const commits: CommitOperation[][] = [];
  for (let at = 0; at < all.length; at += filesOfACommit) commits.push(all.slice(at, at + filesOfACommit));
  return commits;
}

/**
 * Addresses to send to hold for a while only. Where a store refuses one, the Hub is asked anew; files that have arrived
 * are passed over, so each round comes further than the one before. Nothing was committed by then.
 */
async function withFreshLinks(make: () => Promise<CommitOutput>): Promise<CommitOutput> {
  for (let round = 1; ; round++) {
    try {
      return await make();
    } catch (error) {
      if (!(error instanceof RefusedLink)) throw error;
      if (round < linkRounds) continue;
      throw new ConvertError("output", `${error.message}, and so it did ${linkRounds} times`, {
        hint: "run it again, what has arrived is not sent again; smaller shards arrive before addresses expire",
        cause: error,
      });
    }
  }
}

async function makeCommit(
  params: Client & { branch: string; isPullRequest: boolean; operations: CommitOperation[] },
  { message, signal }: UploadOptions,
  meter: Meter,
): Promise<CommitOutput> {
  const [title = "", ...rest] = (message ?? "Upload weights with tensorferry").split("\n");
  const events = commitIter({
    ...params,
    title,
    // By whole files and parts of them. The Hub cuts them up for its own store; see docs/upload.md.
    useXet: false,
    ...(rest.length === 0 ? {} : { description: rest.join("\n").trim() }),
    ...(signal === undefined ? {} : { abortSignal: signal }),
  });
  for (;;) {
    const { done, value } = await events.next();
    if (done) return value as CommitOutput;
    if (value.event === "fileProgress") meter.note(value.path, value.state, value.progress);
  }
}

/** Adds up what is hashed and sent. */
interface Meter {
  readonly bytes: number;
  sent(path: string, bytes: number): void;
  note(path: string, state: "hashing" | "uploading" | "error", progress: number): void;
  report(): readonly UploadedFile[];
}

function createMeter(files: readonly UploadFile[], { onProgress }: UploadOptions): Meter {
  const sizes = new Map(files.map(({ path, source }) => [path, source.size]));
  const total = files.reduce((sum, { source }) => sum + source.size, 0);
  const hashed = new Map<string, number>();
  const sent = new Map<string, number>();
  const whole = new Set<string>();
  const sum = (counts: ReadonlyMap<string, number>) => [...counts.values()].reduce((a, b) => a + b, 0);
  return {
    bytes: total,
    sent(path, bytes) {
      sent.set(path, (sent.get(path) ?? 0) + bytes);
      onProgress?.({ phase: "upload", done: sum(sent), total, label: path });
    },
    note(path, state, progress) {
      const size = sizes.get(path) ?? 0;
      if (state === "hashing") {
        hashed.set(path, size * progress);
        onProgress?.({ phase: "hash", done: sum(hashed), total, label: path });
      } else if (state === "uploading" && progress === 1) {
        whole.add(path);
        if (!sent.has(path)) sent.set(path, 0);
        onProgress?.({ phase: "upload", done: sum(sent), total, label: path });
      }
    },
    report: () =>
      files.map(({ path, source }) => ({
        path,
        bytes: source.size,
        present: whole.has(path) && (sent.get(path) ?? 0) === 0,
      })),
  };
}

/** A failure of the client in our terms. */
function asUploadError(error: unknown, repository: string): unknown {
  if (isConvertError(error) || !(error instanceof Error)) return error;
  const { statusCode } = error as { statusCode?: number };
  const hints: Readonly<Record<number, string>> = {
    400: "the file may have changed while it was sent; run it again",
    401: "set HF_TOKEN to a token that may write, or give one with --token-stdin",
    403: "the token may not write there; --pr opens a pull request instead",
    404: "there is no such repository, or the token may not see it",
    409: "somebody else has committed meanwhile; run it again",
    412: "somebody else has committed meanwhile; run it again",
  };
  return new ConvertError("output", `the Hub refuses: ${error.message}`, {
    file: repository,
    hint: statusCode === undefined ? undefined : hints[statusCode],
    cause: error,
  });
}
