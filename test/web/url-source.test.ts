import { afterEach, describe, expect, test } from "vitest";
import { readBytes } from "../../src/core/source.ts";
import { withBlockCache } from "../../src/web/block-cache.ts";
import { createNetwork, type NetworkOptions } from "../../src/web/network.ts";
import { openUrl } from "../../src/web/url-source.ts";
import { type FileServer, startFileServer } from "../support/file-server.ts";

const servers: FileServer[] = [];

async function serve(files: Record<string, Uint8Array>): Promise<FileServer> {
  const server = await startFileServer(files);
  servers.push(server);
  return server;
}

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

function network(options: NetworkOptions = {}) {
  return createNetwork({ pause: async () => undefined, ...options });
}

/** Bytes that differ everywhere, longer than what comes with the first request. */
const bytes = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 7 + (index >> 8)) % 251);

async function openBytes(server: FileServer, options?: NetworkOptions) {
  const source = await openUrl(new URL(`${server.origin}/model.bin`), network(options));
  if (source === undefined) throw new Error("there is no such file");
  return source;
}

describe("a file on a server", () => {
  test("is read by ranges, and its start comes with the first request", async () => {
    const server = await serve({ "/model.bin": bytes });
    const source = await openBytes(server);
    expect(source.size).toBe(bytes.length);
    expect(await readBytes(source, 10, 5000)).toEqual(bytes.slice(10, 5000));
    expect(server.seen).toHaveLength(1);
    expect(await readBytes(source, 60_000, 200_000)).toEqual(bytes.slice(60_000, 200_000));
    expect(server.seen.map(({ range }) => range)).toEqual(["bytes=0-65535", "bytes=65536-199999"]);
  });

  test("may be empty, and may be missing", async () => {
    const server = await serve({ "/empty": new Uint8Array(0) });
    expect((await openUrl(new URL(`${server.origin}/empty`), network()))?.size).toBe(0);
    expect(await openUrl(new URL(`${server.origin}/nothing`), network())).toBeUndefined();
  });

  test("is named without what may be secret in its address", async () => {
    const server = await serve({ "/model.bin": bytes });
    const source = await openUrl(new URL(`${server.origin}/model.bin?signature=secret`), network());
    expect(source?.name).toBe(`${server.origin}/model.bin`);
  });

  test("that changes while it is read is an error", async () => {
    const server = await serve({ "/model.bin": bytes });
    const source = await openBytes(server);
    server.files.set("/model.bin", bytes.slice().reverse());
    await expect(readBytes(source, 100_000, 100_100)).rejects.toMatchObject({
      kind: "io",
      message: "the file changed on the server while it was read",
    });
    server.files.set("/model.bin", bytes.slice(0, 1000));
    await expect(readBytes(source, 100_000, 100_100)).rejects.toMatchObject({
      message: "the file changed on the server while it was read",
    });
  });

  test("of a server without ranges is taken whole while it is small", async () => {
    const server = await serve({ "/model.bin": bytes, "/huge": new Uint8Array(17 * 2 ** 20) });
    server.ranges = false;
    const source = await openBytes(server);
    expect(await readBytes(source, 100_000, 300_000)).toEqual(bytes.slice(100_000));
    await expect(openUrl(new URL(`${server.origin}/huge`), network())).rejects.toMatchObject({
      kind: "unsupported",
    });
  });
});

test("a server that sends everything where a part was asked for is not listened to", async () => {
  const server = await serve({ "/model.bin": bytes });
  const source = await openBytes(server);
  server.mishap = () => ({ kind: "whole" });
  await expect(readBytes(source, 100_000, 100_100)).rejects.toMatchObject({
    kind: "io",
    message: "the server sends the whole file where a part was asked for",
  });
});

describe("what may pass is tried again", () => {
  test("a connection that is cut goes on where it ended", async () => {
    const server = await serve({ "/model.bin": bytes });
    const source = await openBytes(server);
    server.mishap = (_, index) => (index === 1 ? { kind: "cut", afterBytes: 40_000 } : undefined);
    expect(await readBytes(source, 100_000, 300_000)).toEqual(bytes.slice(100_000));
    expect(server.seen.at(-1)?.range).toMatch(/^bytes=1[0-4]\d{4}-299999$/);
  });

  test("so does an answer that ends before the part does", async () => {
    const server = await serve({ "/model.bin": bytes });
    const source = await openBytes(server);
    server.mishap = (_, index) => (index < 3 ? { kind: "short", afterBytes: 50_000 } : undefined);
    expect(await readBytes(source, 100_000, 300_000)).toEqual(bytes.slice(100_000));
    expect(server.seen.map(({ range }) => range).slice(1)).toEqual([
      "bytes=100000-299999",
      "bytes=150000-299999",
      "bytes=200000-299999",
    ]);
    server.mishap = () => ({ kind: "short", afterBytes: 0 });
    await expect(readBytes(source, 100_000, 300_000)).rejects.toMatchObject({
      kind: "io",
      message: "the connection ended 200000 bytes early, 5 times in a row",
    });
  });

  test("a busy server is asked after as long as it says", async () => {
    const server = await serve({ "/model.bin": bytes });
    server.mishap = (_, index) =>
      index < 2 ? { kind: "status", status: index === 0 ? 429 : 503, retryAfter: "7" } : undefined;
    const pauses: number[] = [];
    await openBytes(server, {
      async pause(milliseconds) {
        pauses.push(milliseconds);
      },
    });
    expect(pauses).toEqual([7000, 7000]);
  });

  test("but not for ever", async () => {
    const server = await serve({ "/model.bin": bytes });
    server.mishap = () => ({ kind: "status", status: 500 });
    await expect(openBytes(server, { attempts: 3 })).rejects.toMatchObject({
      kind: "io",
      message: "the server answers 500, 3 times in a row",
    });
    expect(server.seen).toHaveLength(3);
  });

  test("a silent server is given up", async () => {
    const server = await serve({ "/model.bin": bytes });
    server.mishap = () => ({ kind: "silence" });
    await expect(openBytes(server, { attempts: 2, idleMs: 50 })).rejects.toMatchObject({
      kind: "io",
      message: "the server was silent for 0.05 s, 2 times in a row",
    });
  });

  test("and a cancelled read ends at once", async () => {
    const server = await serve({ "/model.bin": bytes });
    const source = await openBytes(server);
    server.mishap = () => ({ kind: "silence" });
    const controller = new AbortController();
    const reading = readBytes(source, 100_000, 200_000, { signal: controller.signal });
    setTimeout(() => controller.abort(), 20);
    await expect(reading).rejects.toMatchObject({ kind: "cancelled" });
  });

  test("what will not pass is not: a closed door names the token", async () => {
    const server = await serve({ "/model.bin": bytes });
    server.mishap = () => ({ kind: "status", status: 403 });
    await expect(openBytes(server)).rejects.toMatchObject({
      kind: "io",
      site: { hint: expect.stringContaining("HF_TOKEN") },
    });
    expect(server.seen).toHaveLength(1);
  });
});

describe("redirects", () => {
  test("never carry the token to another host", async () => {
    const store = await serve({ "/stored": bytes });
    const hub = await serve({});
    hub.mishap = () => ({ kind: "redirect", to: `${store.origin}/stored?key=1` });
    const source = await openBytes(hub, { tokens: new Map([[hub.origin, "hf_secret"]]) });
    expect(await readBytes(source, 100_000, 100_100)).toEqual(bytes.slice(100_000, 100_100));
    expect(hub.seen.map(({ authorization }) => authorization)).toEqual(["Bearer hf_secret"]);
    expect(store.seen.map(({ authorization }) => authorization)).toEqual([undefined, undefined]);
  });

  test("are followed anew when a link has expired", async () => {
    const store = await serve({ "/stored": bytes });
    const hub = await serve({});
    let key = 0;
    hub.mishap = () => ({ kind: "redirect", to: `${store.origin}/stored?key=${++key}` });
    store.mishap = ({ path }) => (path.endsWith(`=${key}`) ? undefined : { kind: "status", status: 403 });
    const source = await openBytes(hub);
    await readBytes(source, 100_000, 100_100);
    expect(hub.seen).toHaveLength(1);
    key++;
    expect(await readBytes(source, 200_000, 200_100)).toEqual(bytes.slice(200_000, 200_100));
    expect(hub.seen).toHaveLength(2);
  });

  test("that never end are an error", async () => {
    const server = await serve({});
    server.mishap = () => ({ kind: "redirect", to: "/again" });
    await expect(openBytes(server)).rejects.toMatchObject({
      kind: "io",
      message: expect.stringMatching(/redirects more than 10/),
    });
  });
});

test("short reads come from blocks that are held", async () => {
  const server = await serve({ "/model.bin": bytes });
  const source = withBlockCache(await openBytes(server));
  for (let at = 70_000; at < 130_000; at += 1000)
    expect(await readBytes(source, at, at + 50)).toEqual(bytes.slice(at, at + 50));
  expect(server.seen).toHaveLength(2);
});
