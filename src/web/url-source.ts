import { ConvertError } from "../core/errors.ts";
import { type ByteSource, checkRange, type ReadRequest } from "../core/source.ts";
import { type Attempt, Passing, refuseStatus, withAttempts } from "./attempts.ts";
import { type Answer, ask, type Network, publicName } from "./network.ts";

/** The first bytes of a file that come with the question whether it is there: most headers fit. */
const headBytes = 64 * 1024;

/** A larger file is not taken whole from a server that does not serve parts. */
const wholeBytes = 16 * 1024 * 1024;

/** What has to stay the same from one answer to the next. */
interface Identity {
  readonly size: number;
  readonly etag: string | null;
}

/**
 * A file on a server, read by ranges. `undefined` where there is none. Throws kind `io` where it cannot be had, or
 * changes while it is read; `unsupported` where the server serves no parts of it.
 */
export async function openUrl(
  url: URL,
  network: Network,
  request: ReadRequest = {},
): Promise<ByteSource | undefined> {
  const first = await withAttempts(url, network, request.signal, (attempt) =>
    readHead(url, network, attempt),
  );
  if (first === undefined) return undefined;
  const { head, identity } = first;
  const name = publicName(url);
  let address = first.address;

  async function readRange(target: Uint8Array, offset: number, signal: AbortSignal | undefined) {
    let done = 0;
    await withAttempts(url, network, signal, async (attempt) => {
      const from = offset + done;
      const range = `bytes=${from}-${offset + target.length - 1}`;
      const answer = await askAgain(address, url, range, attempt, network);
      address = answer.url;
      try {
        checkPart(answer.response, from, identity, name);
      } catch (error) {
        await answer.response.body?.cancel();
        throw error;
      }
      await drain(answer.response, target.subarray(done), attempt, network, (count) => {
        done += count;
      });
      if (done < target.length) throw new Passing(`the connection ended ${target.length - done} bytes early`);
    });
  }

  return {
    name,
    size: identity.size,
    revision: identity.etag ?? undefined,
    async readInto(target, offset, { signal } = {}) {
      checkRange(name, identity.size, offset, target.length);
      const known = Math.min(Math.max(head.length - offset, 0), target.length);
      target.set(head.subarray(offset, offset + known));
      if (known < target.length) await readRange(target.subarray(known), offset + known, signal);
    },
  };
}

/** Asks where the last answer came from; a link that has expired in the meantime is asked for anew. */
async function askAgain(
  address: URL,
  original: URL,
  range: string,
  attempt: Attempt,
  network: Network,
): Promise<Answer> {
  const question = { headers: { range }, signal: attempt.signal };
  let answer = await ask(address, question, network);
  if (address.href !== original.href && [400, 401, 403, 404, 410].includes(answer.response.status)) {
    await answer.response.body?.cancel();
    answer = await ask(original, question, network);
  }
  attempt.alive();
  if (!answer.response.ok) await answer.response.body?.cancel();
  // The file has become shorter, which the caller has words for.
  if (answer.response.status !== 416) refuseStatus(answer.response, original);
  return answer;
}

interface Head {
  readonly head: Uint8Array;
  readonly identity: Identity;
  readonly address: URL;
}

async function readHead(url: URL, network: Network, attempt: Attempt): Promise<Head | undefined> {
  const headers = { range: `bytes=0-${headBytes - 1}` };
  const { response, url: address } = await ask(url, { headers, signal: attempt.signal }, network);
  attempt.alive();
  const etag = response.headers.get("etag");
  if (response.status === 404) {
    await response.body?.cancel();
    return undefined;
  }
  // There is no first byte in an empty file.
  if (response.status === 416 && sizeIn(response) === 0) {
    await response.body?.cancel();
    return { head: new Uint8Array(0), identity: { size: 0, etag }, address };
  }
  if (!response.ok) await response.body?.cancel();
  refuseStatus(response, url);
  const size = response.status === 206 ? sizeIn(response) : wholeSize(response);
  if (size === undefined || (response.status !== 206 && size > wholeBytes)) {
    await response.body?.cancel();
    throw new ConvertError("unsupported", "the server does not serve parts of the file", {
      file: publicName(url),
      hint: "download it first",
    });
  }
  const head = new Uint8Array(response.status === 206 ? Math.min(size, headBytes) : size);
  let done = 0;
  await drain(response, head, attempt, network, (count) => {
    done += count;
  });
  if (done < head.length) throw new Passing(`the connection ended ${head.length - done} bytes early`);
  return { head, identity: { size, etag }, address };
}

/** The size of the whole file, from `Content-Range: bytes 0-99/1234`. */
function sizeIn(response: Response): number | undefined {
  const match = /^bytes (?:\d+-\d+|\*)\/(\d+)$/.exec(response.headers.get("content-range") ?? "");
  const size = Number(match?.[1]);
  return match !== null && Number.isSafeInteger(size) ? size : undefined;
}

function wholeSize(response: Response): number | undefined {
  const length = response.headers.get("content-length");
  const size = Number(length);
  return length !== null && Number.isSafeInteger(size) && size >= 0 ? size : undefined;
}

function checkPart(response: Response, from: number, identity: Identity, name: string): void {
  const start = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1];
  const etag = response.headers.get("etag");
  if (response.status === 206 && sizeIn(response) === identity.size && etag === identity.etag) {
    if (Number(start) === from) return;
    throw new ConvertError("io", "the server sends another part of the file than it was asked for", {
      file: name,
      offset: from,
    });
  }
  if (response.status === 200 && wholeSize(response) === identity.size && etag === identity.etag) {
    throw new ConvertError("io", "the server sends the whole file where a part was asked for", {
      file: name,
      offset: from,
      hint: "download it first",
    });
  }
  throw new ConvertError("io", "the file changed on the server while it was read", {
    file: name,
    offset: from,
    hint: "start again; name a commit instead of a branch if it goes on changing",
  });
}

/** Copies a body into `target` and tells of each part; what a server sends beyond it is not read. */
async function drain(
  response: Response,
  target: Uint8Array,
  attempt: Attempt,
  network: Network,
  received: (count: number) => void,
): Promise<void> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  let at = 0;
  try {
    // Read to its end, so that the connection can be used again.
    for (;;) {
      const { done, value } = await reader.read();
      if (done || at === target.length) return;
      attempt.alive();
      const part = value.subarray(0, target.length - at);
      target.set(part, at);
      at += part.length;
      network.traffic.bytes += part.length;
      received(part.length);
      if (at >= headBytes) attempt.progress();
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
