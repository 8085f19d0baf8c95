import type { ReadRequest } from "../../core/source.ts";

/** Lends `size` bytes from the request's pool, or makes them where there is none. */
export function borrow(
  request: ReadRequest | undefined,
  size: number,
  use: (buffer: Uint8Array) => Promise<void>,
): Promise<void> {
  return request?.scratch ? request.scratch.lend(size, use) : use(new Uint8Array(size));
}
