import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream";

/** A server of one file of this disk, by ranges, however large it is. */
export interface DiskServer {
  readonly address: string;
  /** Bytes of bodies that were asked for. */
  readonly served: number;
  close(): Promise<void>;
}

/** Serves `path` as `/model.pth` on this machine. */
export async function startDiskServer(path: string): Promise<DiskServer> {
  const { size } = statSync(path);
  let served = 0;
  const server = createServer(({ headers, url }, response) => {
    if (url !== "/model.pth") {
      response.writeHead(404).end();
      return;
    }
    const match = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "");
    const start = Number(match?.[1] ?? 0);
    const end = Math.min(Number(match?.[2] ?? size - 1), size - 1);
    served += end - start + 1;
    const range = match ? { "content-range": `bytes ${start}-${end}/${size}` } : {};
    response.writeHead(match ? 206 : 200, { etag: '"1"', "content-length": end - start + 1, ...range });
    pipeline(createReadStream(path, { start, end }), response, () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/model.pth`,
    get served() {
      return served;
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
