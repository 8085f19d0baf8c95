import { ConvertError } from "../core/errors.ts";
import { refuseStatus, withAttempts } from "../web/attempts.ts";
import { ask, type Network, publicName } from "../web/network.ts";
import type { HubAddress } from "./address.ts";

/** A repository at one commit, so that all files read belong together even while somebody pushes. */
export interface Repository {
  readonly address: HubAddress;
  /** The commit that the revision stood for when it was looked up. */
  readonly commit: string;
  /** Paths of all files, in the server's order. */
  readonly files: readonly string[];
  /** Where the bytes of a file are. */
  urlOf(path: string): URL;
}

/** Longest listing that is taken, in bytes: some 100,000 files. */
const listingBytes = 64 * 1024 * 1024;

/** Looks up the commit and the files of a repository. Throws kind `io` where it is missing, or closed to us. */
export async function openRepository(
  address: HubAddress,
  endpoint: string,
  network: Network,
  signal: AbortSignal | undefined,
): Promise<Repository> {
  const { repository, revision } = address;
  const url = new URL(`${endpoint}/api/models/${repository}/revision/${encodeURIComponent(revision)}`);
  const listing = await fetchJson(url, network, signal);
  const { sha, siblings } = listing as { sha?: unknown; siblings?: unknown };
  const files = Array.isArray(siblings) ? siblings.map((entry) => entry?.rfilename) : undefined;
  if (typeof sha !== "string" || !/^[0-9a-f]{40}$/.test(sha) || files?.every(isPath) !== true) {
    throw new ConvertError("io", "the server's answer is no list of a repository's files", {
      file: publicName(url),
    });
  }
  return {
    address,
    commit: sha,
    files: files as readonly string[],
    urlOf: (path) =>
      new URL(
        `${endpoint}/${repository}/resolve/${sha}/${path.split("/").map(encodeURIComponent).join("/")}`,
      ),
  };
}

function isPath(value: unknown): boolean {
  return typeof value === "string" && value !== "" && !value.split("/").includes("..");
}

async function fetchJson(url: URL, network: Network, signal: AbortSignal | undefined): Promise<unknown> {
  return withAttempts(url, network, signal, async (attempt) => {
    const { response } = await ask(url, { signal: attempt.signal }, network);
    attempt.alive();
    if (!response.ok) await response.body?.cancel();
    refuseStatus(response, url);
    const text = await readText(response, url, network, attempt.alive);
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new ConvertError("io", "the server's answer is no JSON", { file: publicName(url), cause });
    }
  });
}

async function readText(response: Response, url: URL, network: Network, alive: () => void): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const part of response.body ?? []) {
    alive();
    bytes += part.length;
    network.traffic.bytes += part.length;
    if (bytes > listingBytes) {
      throw new ConvertError("limit", "the list of files is too long", { file: publicName(url) });
    }
    text += decoder.decode(part, { stream: true });
  }
  return text;
}
