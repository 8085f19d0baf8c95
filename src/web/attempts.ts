import { ConvertError, isConvertError, throwIfCancelled } from "../core/errors.ts";
import { backoff, type Network, publicName } from "./network.ts";

/** A failure that may pass: the server is busy, or the connection broke. */
export class Passing extends Error {
  readonly retryAfter: string | null;

  constructor(message: string, retryAfter: string | null = null, cause?: unknown) {
    super(message, { cause });
    this.retryAfter = retryAfter;
  }
}

const busy = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Throws for an answer that is none: `Passing` where asking again may help, else kind `io` with what to do. */
export function refuseStatus(response: Response, url: URL): void {
  const { status } = response;
  if (status >= 200 && status < 300) return;
  if (busy.has(status)) {
    throw new Passing(`the server answers ${status}`, response.headers.get("retry-after"));
  }
  const site = { file: publicName(url) };
  if (status === 401 || status === 403) {
    throw new ConvertError("io", `the server answers ${status}: it does not let us in`, {
      ...site,
      hint: "set HF_TOKEN to a token that may read it, or accept the model's terms on its page",
    });
  }
  if (status === 404) throw new ConvertError("io", "the server has no such file", site);
  throw new ConvertError("io", `the server answers ${status}`, site);
}

/** What an attempt has to go by. */
export interface Attempt {
  /** Fires when the caller gives up, and when the server has been silent for too long. */
  readonly signal: AbortSignal;
  /** The server said something, so its time starts anew. */
  alive(): void;
  /** Enough was achieved for the next attempt to count as the first. */
  progress(): void;
}

/**
 * Makes an attempt again where it fails in a way that may pass, after pauses that grow. Throws kind `io` when it has
 * failed too often, `cancelled` when the signal fires; what is a ConvertError already passes at once.
 */
export async function withAttempts<T>(
  url: URL,
  network: Network,
  signal: AbortSignal | undefined,
  attempt: (attempt: Attempt) => Promise<T>,
): Promise<T> {
  for (let count = 1; ; count++) {
    throwIfCancelled(signal);
    const watch = watchSilence(network.idleMs, signal);
    try {
      return await attempt({ signal: watch.signal, alive: watch.alive, progress: () => (count = 0) });
    } catch (error) {
      throwIfCancelled(signal);
      if (isConvertError(error)) throw error;
      const failure = watch.isSilent()
        ? new Passing(`the server was silent for ${network.idleMs / 1000} s`, null, error)
        : asPassing(error);
      if (count >= network.attempts) throw exhausted(failure, count, url);
      await network.pause(backoff(Math.max(count, 1), failure.retryAfter), signal);
    } finally {
      watch.end();
    }
  }
}

/** `fetch` tells of everything that breaks by a TypeError whose cause has the system's code. */
function asPassing(error: unknown): Passing {
  if (error instanceof Passing) return error;
  const cause = error instanceof Error ? (error.cause as { code?: string; message?: string }) : undefined;
  const detail = cause?.code ?? cause?.message;
  if (error instanceof TypeError || detail !== undefined)
    return new Passing(`the connection failed${detail === undefined ? "" : ` (${detail})`}`, null, error);
  throw error;
}

function exhausted(failure: Passing, count: number, url: URL): ConvertError {
  const times = count === 1 ? "once" : `${count} times`;
  return new ConvertError("io", `${failure.message}, ${times} in a row`, {
    file: publicName(url),
    hint: "try again later, or download the file first",
    cause: failure,
  });
}

/** A signal that fires with the caller's, or when nobody has called `alive` for `idleMs`. */
function watchSilence(idleMs: number, outer: AbortSignal | undefined) {
  const controller = new AbortController();
  let silent = false;
  const expire = (): void => {
    silent = true;
    controller.abort();
  };
  const stop = (): void => controller.abort(outer?.reason);
  outer?.addEventListener("abort", stop);
  let timer = setTimeout(expire, idleMs);
  return {
    signal: controller.signal,
    isSilent: () => silent,
    alive(): void {
      clearTimeout(timer);
      timer = setTimeout(expire, idleMs);
    },
    end(): void {
      clearTimeout(timer);
      outer?.removeEventListener("abort", stop);
    },
  };
}
