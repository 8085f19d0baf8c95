import { ConvertError, throwIfCancelled } from "../core/errors.ts";

/** How requests are made; one for all the sources of a call. */
export interface Network {
  readonly fetch: typeof fetch;
  /** A token for each origin that may see it (`https://host:port`); no other origin is sent one, redirects included. */
  readonly tokens: ReadonlyMap<string, string>;
  /** How often a request is made that fails in a way that may pass, before giving up. */
  readonly attempts: number;
  /** How long a server may send nothing, in milliseconds. */
  readonly idleMs: number;
  /** Waits that many milliseconds, or until the signal fires. */
  pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void>;
  /** What was asked and received so far. */
  readonly traffic: Traffic;
}

/** Cost of the requests of a call, counted up. */
export interface Traffic {
  requests: number;
  /** Bytes of bodies. */
  bytes: number;
}

/** What may be set about requests. */
export interface NetworkOptions {
  readonly fetch?: typeof fetch | undefined;
  readonly tokens?: ReadonlyMap<string, string> | undefined;
  readonly attempts?: number | undefined;
  readonly idleMs?: number | undefined;
  readonly pause?: Network["pause"] | undefined;
}

/** A network with defaults for what is not set: five attempts, and thirty seconds of silence. */
export function createNetwork(options: NetworkOptions = {}): Network {
  return {
    fetch: options.fetch ?? fetch,
    tokens: options.tokens ?? new Map(),
    attempts: options.attempts ?? 5,
    idleMs: options.idleMs ?? 30_000,
    pause: options.pause ?? pause,
    traffic: { requests: 0, bytes: 0 },
  };
}

/** How long to wait before attempt number `attempt` (from 1), in milliseconds: doubling from half a second to a minute. */
export function backoff(attempt: number, retryAfter: string | null): number {
  // A date instead of seconds is not worth reading: the own pause will do.
  const asked = Number(retryAfter ?? Number.NaN) * 1000;
  const own = 500 * 2 ** (attempt - 1);
  return Math.min(Number.isFinite(asked) ? Math.max(asked, 0) : own, 60_000);
}

async function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  throwIfCancelled(signal);
  await new Promise<void>((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener("abort", end);
  });
  throwIfCancelled(signal);
}

/** An address without what may be secret in it: user, password, query. */
export function publicName(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

/** An answer that no redirect stands before. */
export interface Answer {
  readonly response: Response;
  /** Where it came from, after redirects. */
  readonly url: URL;
}

/** What to ask for. */
export interface Question {
  readonly method?: "GET" | "HEAD" | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly signal: AbortSignal;
}

const redirects = new Set([301, 302, 303, 307, 308]);
const maxRedirects = 10;

/**
 * Makes one request and follows its redirects, with each origin's own token and no other's. The body is the caller's
 * to read or cancel. Throws kind `unsafe` where a redirect leaves https, `io` where there are too many.
 */
export async function ask(start: URL, question: Question, network: Network): Promise<Answer> {
  let url = start;
  for (let step = 0; step <= maxRedirects; step++) {
    const token = network.tokens.get(url.origin);
    network.traffic.requests++;
    const response = await network.fetch(url, {
      method: question.method ?? "GET",
      redirect: "manual",
      headers: {
        // Parts of a compressed body are not parts of the file.
        "accept-encoding": "identity",
        ...question.headers,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      signal: question.signal,
    });
    if (!redirects.has(response.status)) return { response, url };
    await response.body?.cancel();
    url = redirectTarget(response, url);
  }
  throw new ConvertError("io", `the server redirects more than ${maxRedirects} times`, {
    file: publicName(start),
  });
}

function redirectTarget(response: Response, from: URL): URL {
  const location = response.headers.get("location");
  const target = location !== null && URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  if (target === undefined || !/^https?:$/.test(target.protocol)) {
    throw new ConvertError("io", "the server redirects to no address", { file: publicName(from) });
  }
  if (from.protocol === "https:" && target.protocol === "http:") {
    throw new ConvertError("unsafe", "the server redirects from https to http", {
      file: publicName(from),
      hint: "whoever sits between could change the file; use another address",
    });
  }
  return target;
}
