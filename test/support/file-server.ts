import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A request as a server saw it. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

/**
 * What happens to one answer instead of the usual: it breaks off or ends in good order after so many bytes of its body,
 * it is the whole file, a status, or silence.
 */
export type Mishap =
  | { readonly kind: "cut" | "short"; readonly afterBytes: number }
  | { readonly kind: "whole" }
  | { readonly kind: "status"; readonly status: number; readonly retryAfter?: string }
  | { readonly kind: "silence" }
  | { readonly kind: "redirect"; readonly to: string };

/** A server of bytes on this machine, for as long as a test takes. */
export interface FileServer {
  /** `http://127.0.0.1:port` */
  readonly origin: string;
  readonly seen: readonly SeenRequest[];
  /** Path to bytes; may be changed between requests. */
  readonly files: Map<string, Uint8Array>;
  /** Asked for every request with its number from 0. */
  mishap: (request: SeenRequest, index: number) => Mishap | undefined;
  /** Whether parts are served. */
  ranges: boolean;
  close(): Promise<void>;
}

/** Starts a server of files that answers ranges with entity tags made from the content. */
export async function startFileServer(files: Readonly<Record<string, Uint8Array>> = {}): Promise<FileServer> {
  const seen: SeenRequest[] = [];
  const state: FileServer = {
    origin: "",
    seen,
    files: new Map(Object.entries(files)),
    mishap: () => undefined,
    ranges: true,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  const server = createServer((request, response) => {
    const note = noteOf(request);
    seen.push(note);
    answer(note, state.mishap(note, seen.length - 1), response, state);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return Object.assign(state, { origin: `http://127.0.0.1:${port}` });
}

function noteOf({ method = "", url = "", headers }: IncomingMessage): SeenRequest {
  return { method, path: url, range: headers.range, authorization: headers.authorization };
}

function answer(
  { path, range }: SeenRequest,
  mishap: Mishap | undefined,
  response: ServerResponse,
  { files, ranges }: FileServer,
): void {
  if (mishap?.kind === "silence") return;
  if (mishap?.kind === "redirect") {
    response.writeHead(302, { location: mishap.to }).end();
    return;
  }
  if (mishap?.kind === "status") {
    const headers = mishap.retryAfter === undefined ? {} : { "retry-after": mishap.retryAfter };
    response.writeHead(mishap.status, headers).end("no");
    return;
  }
  const bytes = files.get(decodeURIComponent(path.replace(/\?.*$/, "")));
  if (bytes === undefined) {
    response.writeHead(404).end();
    return;
  }
  const etag = `"${bytes.length}-${bytes.reduce((sum, byte) => (sum * 31 + byte) % 1_000_003, 7)}"`;
  const match = ranges && mishap?.kind !== "whole" ? /^bytes=(\d+)-(\d+)$/.exec(range ?? "") : null;
  const start = match ? Number(match[1]) : 0;
  const end = match ? Math.min(Number(match[2]) + 1, bytes.length) : bytes.length;
  if (match && start >= bytes.length) {
    response.writeHead(416, { "content-range": `bytes */${bytes.length}`, etag }).end();
    return;
  }
  const part = bytes.subarray(start, mishap?.kind === "short" ? start + mishap.afterBytes : end);
  const contentRange = match ? { "content-range": `bytes ${start}-${end - 1}/${bytes.length}` } : {};
  response.writeHead(match ? 206 : 200, { etag, "content-length": part.length, ...contentRange });
  if (mishap?.kind === "cut") {
    response.write(part.subarray(0, mishap.afterBytes), () => response.destroy());
    return;
  }
  response.end(part);
}
