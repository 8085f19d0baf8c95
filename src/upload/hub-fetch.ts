import { ConvertError, isConvertError } from "../core/errors.ts";
import { Passing, withAttempts } from "../web/attempts.ts";
import type { Network } from "../web/network.ts";
import { streamedPut } from "./streamed-put.ts";

/** What the Hub's client adds to a request that carries a large body. */
interface ProgressHint {
  readonly path: string;
}

/** A store does not take a body at the address that the Hub gave for it, mostly because that has expired. */
export class RefusedLink extends Error {}

/**
 * The `fetch` that the Hub's client is given: bodies are streamed in bounded memory, and what fails in a way that may
 * pass is tried again, but for a commit that may have been made. `onSent` is told the bytes of each file that are on
 * their way; a body that starts anew takes back what it had counted. Throws kind `output` where the server cannot be
 * reached, `RefusedLink` where other addresses have to be asked for.
 */
export function hubFetch(network: Network, onSent: (path: string, bytes: number) => void): typeof fetch {
  return async (target, init = {}) => {
    const url = new URL(target instanceof Request ? target.url : target);
    const { body, method = "GET", signal, headers } = init;
    const path = (init as { progressHint?: ProgressHint }).progressHint?.path;
    const sending = withAttempts(url, network, signal ?? undefined, async (attempt) => {
      network.traffic.requests++;
      if (method === "PUT" && body instanceof Blob) {
        const answer = busyRefused(await putCounted(url, body, headers, path, attempt, onSent));
        if (!expired.has(answer.status)) return answer;
        throw new RefusedLink(`the store answers ${answer.status} to an address that the Hub gave`);
      }
      const asked = network.fetch(url, { ...init, signal: attempt.signal });
      if (isCommit(url, method)) return tooOftenRefused(await asked.catch(lostCommit));
      const answer = await asked;
      attempt.alive();
      return busyRefused(answer);
    });
    return sending.catch((error: unknown) => {
      const failure = asOutputError(error);
      // The client would wait for ever where this request rejects.
      if (isCommit(url, method)) return failedCommit(429, (failure as Error).message);
      throw failure;
    });
  };
}

/** What stores answer when the signature in an address holds no longer. */
const expired = new Set([401, 403, 410]);

/** A server that stays out of reach is the output's failure here; the file that is sent has failures of its own. */
function asOutputError(error: unknown): unknown {
  if (!isConvertError(error) || !(error.cause instanceof Passing)) return error;
  return new ConvertError("output", error.message, {
    ...error.site,
    hint: "run it again later; what has arrived is not sent again",
    cause: error.cause,
  });
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

/** A commit whose answer was lost may have been made, and making it twice is worse than asking a person. */
function lostCommit(): Response {
  return failedCommit(502, "the connection broke while the commit was made, so it may or may not be there");
}

function failedCommit(status: number, error: string): Response {
  return new Response(JSON.stringify({ error }), {
    status,
    headers: { "content-type": "application/json" },
  });
}

/** Whoever commits too often is told so before anything is done. */
function tooOftenRefused(answer: Response): Response {
  if (answer.status !== 429) return answer;
  throw new Passing("the server answers 429", answer.headers.get("retry-after"));
}

function busyRefused(answer: Response): Response {
  if (![408, 425, 429, 500, 502, 503, 504].includes(answer.status)) return answer;
  throw new Passing(`the server answers ${answer.status}`, answer.headers.get("retry-after"));
}
