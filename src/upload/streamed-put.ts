import { request as plainRequest } from "node:http";
import { request as secureRequest } from "node:https";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";

/** What a PUT is told beside its address. */
export interface PutOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Called with the number of bytes each time some are handed to the connection. */
  onSent(bytes: number): void;
}

/**
 * Sends a blob as the body of a PUT, part by part and with its length ahead: stores want a length, and `fetch` would
 * hold the whole body in memory to know it. Rejects as the connection does.
 */
export async function streamedPut(url: URL, body: Blob, options: PutOptions): Promise<Response> {
  const request = (url.protocol === "https:" ? secureRequest : plainRequest)(url, {
    method: "PUT",
    headers: { ...options.headers, "content-length": String(body.size) },
    signal: options.signal,
  });
  const answered = new Promise<Response>((resolve, reject) => {
    request.once("error", reject);
    request.once("response", (answer) => {
      collect(answer).then(
        (text) => resolve(responseOf(answer.statusCode ?? 0, answer.headers, text)),
        reject,
      );
    });
  });
  // A store may refuse before it has read everything; then its answer counts and not the broken pipe.
  const sent = pipeline(Readable.fromWeb(body.stream() as never), counted(options.onSent), request);
  sent.catch(() => undefined);
  return answered;
}

function counted(onSent: (bytes: number) => void): Transform {
  return new Transform({
    transform(part: Uint8Array, _encoding, done) {
      onSent(part.length);
      done(null, part);
    },
  });
}

/** Answers of stores are short; what is longer is cut off. */
async function collect(answer: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const part of answer) if (text.length < 65_536) text += decoder.decode(part, { stream: true });
  return text;
}

function responseOf(status: number, headers: NodeJS.Dict<string | string[]>, text: string): Response {
  const pairs = Object.entries(headers).map(([name, value]) => [name, String(value)] as [string, string]);
  return new Response([204, 304].includes(status) ? null : text, { status, headers: pairs });
}
