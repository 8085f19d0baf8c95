import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** A commit as the server took it. */
export interface TakenCommit {
  readonly branch: string;
  readonly pullRequest: boolean;
  readonly summary: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly deleted: readonly string[];
}

/** What goes wrong with a request: an answer with a status, or a connection that is cut after so many bytes of its body. */
export type UploadMishap =
  | { readonly kind: "status"; readonly status: number; readonly retryAfter?: string }
  | { readonly kind: "cut"; readonly afterBytes: number };

/** The writing half of a Hub on this machine: repositories, preupload, LFS batch, a store, commits. */
export interface UploadServer {
  readonly origin: string;
  readonly commits: readonly TakenCommit[];
  /** Method and path of each request in order. */
  readonly requests: readonly string[];
  /** Ways of sending that the client has offered, with each question for addresses. */
  readonly transfers: readonly (readonly string[])[];
  /** What the store has, by SHA-256. */
  readonly stored: Map<string, Uint8Array>;
  readonly repositories: Map<string, { isPrivate: boolean; branches: string[] }>;
  /** Tokens that came with requests, by path. */
  readonly tokens: ReadonlyMap<string, string | undefined>;
  /** Files above this many bytes go to the store, in parts of `partBytes` where that is set. */
  largeBytes: number;
  partBytes: number | undefined;
  /** Whether bodies of the store are kept; else they are hashed and forgotten, however large. */
  keeps: boolean;
  /** What the store calls an object when it is asked for it. */
  oidOf: (oid: string) => string;
  mishap: (request: string, index: number) => UploadMishap | undefined;
  close(): Promise<void>;
}

/** Starts such a server; everything is in memory. */
export async function startUploadServer(): Promise<UploadServer> {
  const requests: string[] = [];
  const commits: TakenCommit[] = [];
  const tokens = new Map<string, string | undefined>();
  const transfers: string[][] = [];
  const parts = new Map<string, Uint8Array[]>();
  const state: UploadServer = {
    origin: "",
    commits,
    requests,
    transfers,
    stored: new Map(),
    repositories: new Map(),
    tokens,
    largeBytes: 1000,
    partBytes: undefined,
    keeps: true,
    oidOf: (oid) => oid,
    mishap: () => undefined,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };

  const json = (response: ServerResponse, value: unknown, status = 200): void => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
  };

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "", state.origin);
    const label = `${request.method} ${url.pathname}`;
    requests.push(label);
    tokens.set(url.pathname, request.headers.authorization);
    const mishap = state.mishap(label, requests.length - 1);
    if (mishap?.kind === "status") {
      const headers = mishap.retryAfter === undefined ? {} : { "retry-after": mishap.retryAfter };
      request.resume();
      response.writeHead(mishap.status, headers).end(JSON.stringify({ error: "no" }));
      return;
    }
    if (mishap?.kind === "cut") {
      const { socket } = request;
      let received = 0;
      for await (const part of request) {
        received += part.length;
        if (received >= mishap.afterBytes) break;
      }
      socket.destroy();
      return;
    }
    if (request.method === "PUT" && !state.keeps) return forget(url, request, response);
    await route(request.method ?? "", url, await buffer(request), response);
  }

  async function forget(url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const hash = createHash("sha256");
    for await (const part of request) hash.update(part);
    const oid = url.pathname.split("/")[2] ?? "";
    const isRight = hash.digest("hex") === oid;
    if (isRight) state.stored.set(oid, new Uint8Array(0));
    response.writeHead(isRight ? 200 : 400, { etag: `"${oid}"` }).end();
  }

  async function route(method: string, url: URL, body: Buffer, response: ServerResponse): Promise<void> {
    const path = url.pathname;
    if (path === "/api/repos/create") {
      const { name, organization, visibility } = JSON.parse(body.toString());
      const id = `${organization}/${name}`;
      if (state.repositories.has(id)) return json(response, { error: "exists" }, 409);
      state.repositories.set(id, { isPrivate: visibility === "private", branches: ["main"] });
      return json(response, { url: `${state.origin}/${id}`, id });
    }
    const branch = /^\/api\/models\/([^/]+\/[^/]+)\/branch\/(.+)$/.exec(path);
    if (branch) {
      const branches = state.repositories.get(branch[1] as string)?.branches ?? [];
      if (branches.includes(decodeURIComponent(branch[2] as string))) return json(response, {}, 409);
      branches.push(decodeURIComponent(branch[2] as string));
      return json(response, {});
    }
    if (path.includes("/preupload/")) {
      const { files } = JSON.parse(body.toString()) as { files: { path: string; size: number }[] };
      const modes = files.map((file) => ({
        path: file.path,
        uploadMode: file.size > state.largeBytes ? "lfs" : "regular",
      }));
      return json(response, { files: modes });
    }
    if (path.endsWith("/info/lfs/objects/batch")) return json(response, batch(JSON.parse(body.toString())));
    if (method === "PUT") return put(url, body, response);
    if (path.startsWith("/complete/")) {
      const oid = path.slice("/complete/".length);
      state.stored.set(oid, Buffer.concat(parts.get(oid) ?? []));
      return json(response, {});
    }
    const commit = /^\/api\/models\/(.+)\/commit\/(.+)$/.exec(path);
    if (commit)
      return json(response, takeCommit(decodeURIComponent(commit[2] as string), url, body.toString()));
    json(response, { error: "unknown" }, 404);
  }

  function batch(question: { objects: { oid: string; size: number }[]; transfers: string[] }): object {
    const { objects } = question;
    transfers.push(question.transfers);
    return {
      transfer: "basic",
      objects: objects.map(({ oid: asked, size }) => {
        const oid = state.oidOf(asked);
        if (state.stored.has(oid)) return { oid, size };
        const { partBytes } = state;
        if (partBytes === undefined) {
          return { oid, size, actions: { upload: { href: `${state.origin}/store/${oid}?signature=1` } } };
        }
        const header: Record<string, string> = { chunk_size: String(partBytes) };
        for (let part = 1; (part - 1) * partBytes < size; part++)
          header[String(part).padStart(5, "0")] = `${state.origin}/part/${oid}/${part}`;
        return { oid, size, actions: { upload: { href: `${state.origin}/complete/${oid}`, header } } };
      }),
    };
  }

  function put(url: URL, body: Buffer, response: ServerResponse): void {
    const [, kind, oid = "", part] = url.pathname.split("/");
    if (kind === "part") {
      const list = parts.get(oid) ?? [];
      list[Number(part) - 1] = body;
      parts.set(oid, list);
    } else if (createHash("sha256").update(body).digest("hex") === oid) state.stored.set(oid, body);
    else {
      json(response, { error: "hash" }, 400);
      return;
    }
    response.writeHead(200, { etag: `"${part ?? oid}"` }).end();
  }

  function takeCommit(branch: string, url: URL, text: string): object {
    const files = new Map<string, Uint8Array>();
    const deleted: string[] = [];
    let summary = "";
    for (const line of text.split("\n").filter((part) => part !== "")) {
      const { key, value } = JSON.parse(line);
      if (key === "header") summary = value.summary;
      if (key === "file") files.set(value.path, Buffer.from(value.content, "base64"));
      if (key === "lfsFile") files.set(value.path, state.stored.get(value.oid) as Uint8Array);
      if (key === "deletedFile") deleted.push(value.path);
    }
    const pullRequest = url.searchParams.has("create_pr");
    commits.push({ branch, pullRequest, summary, files, deleted });
    const pull = pullRequest ? { pullRequestUrl: `${state.origin}/owner/name/discussions/7` } : {};
    return { commitOid: "c0ffee", commitUrl: `${state.origin}/owner/name/commit/c0ffee`, ...pull };
  }

  const server = createServer((request, response) => {
    take(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(state, { origin: `http://127.0.0.1:${port}` });
}
