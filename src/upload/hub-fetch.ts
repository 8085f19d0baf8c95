import { Passing, withAttempts } from "../web/attempts.ts";
import type { Network } from "../web/network.ts";
import { streamedPut } from "./streamed-put.ts";

/** What the Hub's client adds to a request that carries a large body. */
interface ProgressHint {
  readonly path: string;
}

/**
 * The `fetch` that the Hub's client is given: bodies are streamed in bounded memory, and what fails in a way that may
 * pass is tried again, but for the commit itself. `onSent` is told the bytes of each file that are on their way; a body
 * that starts anew takes back what it had counted.
 */
export function hubFetch(network: Network, onSent: (path: string, bytes: number) => void): typeof fetch {
  return async (target, init = {}) => {
    const url = new URL(target instanceof Request ? target.url : target);
    const { body, method = "GET", signal, headers } = init;
    const path = (init as { progressHint?: ProgressHint }).progressHint?.path;
    return withAttempts(url, network, signal ?? undefined, async (attempt) => {
      network.traffic.requests++;
      if (method === "PUT" && body instanceof Blob) {
        return busyRefused(await putCounted(url, body, headers, path, attempt, onSent));
      }
      const asked = network.fetch(url, { ...init, signal: attempt.signal });
      if (isCommit(url, method)) return asked.catch(lostCommit);
      const answer = await asked;
      attempt.alive();
      return busyRefused(answer);
    });
  };
}

async function putCounted(
  url: URL,
  body: Blob,
  headers: RequestInit["headers"],
  path: string | undefined,
  attempt: { readonly signal: AbortSignal; alive(): void },
  onSent: (path: string, bytes: number) => void,
): Promise<Response> {
  let counted = 0;
  const count = (bytes: number): void => {
    counted += bytes;
    if (path !== undefined) onSent(path, bytes);
  };
  try {
    const answer = await streamedPut(url, body, {
      headers: Object.fromEntries(new Headers(headers)),
      signal: attempt.signal,
      onSent(bytes) {
        attempt.alive();
        count(bytes);
      },
    });
    if (!answer.ok) count(-counted);
    return answer;
  } catch (error) {
    count(-counted);
    // Node's own client tells by a code what fetch tells by a cause.
    const code = (error as NodeJS.ErrnoException).code;
    if (code === undefined || attempt.signal.aborted) throw error;
    throw new Passing(`the connection failed (${code})`, null, error);
  }
}

function isCommit(url: URL, method: string): boolean {
  return method === "POST" && /\/commit\//.test(url.pathname);
}

/**
 * A commit whose answer was lost may have been made, and making it twice is worse than asking a person. The failure is an
 * answer too, since the client waits for ever where this request rejects.
 */
function lostCommit(): Response {
  const error = "the connection broke while the commit was made, so it may or may not be there";
  return new Response(JSON.stringify({ error }), {
    status: 502,
    headers: { "content-type": "application/json" },
  });
}

function busyRefused(answer: Response): Response {
  if (![408, 425, 429, 500, 502, 503, 504].includes(answer.status)) return answer;
  throw new Passing(`the server answers ${answer.status}`, answer.headers.get("retry-after"));
}
