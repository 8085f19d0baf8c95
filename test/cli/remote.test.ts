import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { command, commandJson, samples } from "../support/command.ts";
import { temporaryFolder } from "../support/files.ts";
import { type HubServer, startHubServer } from "../support/hub-server.ts";

const network = readFileSync(samples.network);
let server: HubServer | undefined;

async function serve(files: Record<string, Uint8Array>): Promise<HubServer> {
  server = await startHubServer(files);
  vi.stubEnv("HF_ENDPOINT", server.hub.origin);
  vi.stubEnv("HF_TOKEN", "hf_secret");
  return server;
}

afterEach(async () => {
  vi.unstubAllEnvs();
  await server?.close();
});

describe("a model that lies on the Hub", () => {
  test("is inspected as if it were here", async () => {
    const { hub, store } = await serve({ "weights/model.pth": network, "README.md": new Uint8Array(9) });
    const here = await commandJson(["inspect", samples.network]);
    const there = await commandJson(["inspect", "hf://owner/name/weights/model.pth"]);
    const { tensors, traffic } = there.json as { tensors: unknown; traffic: { bytes: number } };
    expect(tensors).toEqual((here.json as { tensors: unknown }).tensors);
    expect(traffic.bytes).toBeLessThan(200_000);
    expect(hub.seen.every(({ authorization }) => authorization === "Bearer hf_secret")).toBe(true);
    expect(store.seen.every(({ authorization }) => authorization === undefined)).toBe(true);
  });

  test("is found in its repository, and converted from its shards", async () => {
    const names = readdirSync(samples.shards);
    await serve(Object.fromEntries(names.map((name) => [name, readFileSync(join(samples.shards, name))])));
    const folder = temporaryFolder();
    const fromHub = join(folder, "hub.safetensors");
    const fromDisk = join(folder, "disk.safetensors");
    expect(await command(["convert", "hf://owner/name", fromHub, "--verify"])).toMatchObject({ exit: 0 });
    await command(["convert", samples.shards, fromDisk]);
    expect(readFileSync(fromHub)).toEqual(readFileSync(fromDisk));
  });

  test("costs its directory and its pickle, however large it is", async () => {
    const folder = temporaryFolder();
    const header = JSON.stringify({
      weight: { dtype: "U8", shape: [8_000_000], data_offsets: [0, 8_000_000] },
    });
    const length = Buffer.alloc(8);
    length.writeUInt32LE(header.length);
    const large = join(folder, "large.safetensors");
    writeFileSync(large, Buffer.concat([length, Buffer.from(header), Buffer.alloc(8_000_000, 1)]));
    await command(["convert", large, join(folder, "large.pth")]);
    await serve({ "large.pth": readFileSync(join(folder, "large.pth")) });
    for (const name of ["inspect", "scan"]) {
      const { json } = await commandJson([name, "hf://owner/name/large.pth"]);
      expect((json as { traffic: { bytes: number } }).traffic.bytes).toBeLessThan(200_000);
    }
  });

  test("is verified to its last byte, with its index and its hashes", async () => {
    const folder = temporaryFolder();
    await command(["convert", samples.network, `${folder}/`, "--max-shard-size", "20kB", "--checksums"]);
    const names = readdirSync(folder);
    const files = Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name))]));
    const { store } = await serve({ ...files, "README.md": new Uint8Array(9) });
    const here = await commandJson(["verify", folder]);
    const there = await commandJson(["verify", "hf://owner/name"]);
    expect({ ...(there.json as object), path: folder }).toEqual(here.json);

    const shard = names.find((name) => name.endsWith(".safetensors")) as string;
    const damaged = Buffer.from(files[shard] as Buffer);
    damaged[damaged.length - 1] = (damaged.at(-1) as number) ^ 1;
    store.files.set(`/store/${shard}`, damaged);
    for (const address of ["hf://owner/name", `hf://owner/name/${shard}`]) {
      const { exit, json } = await commandJson(["verify", address]);
      const { problems } = json as { problems: unknown };
      expect({ exit, problems }).toEqual({
        exit: 10,
        problems: [{ code: "sha256", file: shard, message: expect.any(String) }],
      });
    }
  });

  test("that changes while it is converted leaves nothing behind", async () => {
    const json = JSON.stringify({ w: { dtype: "U8", shape: [400_000], data_offsets: [0, 400_000] } });
    const length = Buffer.alloc(8);
    length.writeUInt32LE(json.length);
    const model = (fill: number) => Buffer.concat([length, Buffer.from(json), Buffer.alloc(400_000, fill)]);
    const { store } = await serve({ "model.safetensors": model(1) });
    store.mishap = (_, index) => {
      if (index === 1) store.files.set("/store/model.safetensors", model(2));
      return undefined;
    };
    const folder = temporaryFolder();
    const words = ["convert", "hf://owner/name/model.safetensors", join(folder, "out.pth")];
    const { exit, err } = await command(words);
    expect({ exit, err }).toEqual({ exit: 3, err: expect.stringContaining("changed on the server") });
    expect(readdirSync(folder)).toEqual([]);
  });

  test("is scanned whole, and what was fetched is told", async () => {
    await serve({ "a.pth": network, "b/c.pth": network, "README.md": new Uint8Array(9) });
    const { exit, out, err } = await command(["scan", "hf://owner/name"]);
    expect({ exit, out }).toEqual({ exit: 0, out: expect.stringContaining("clean") });
    expect(err).toMatch(/fetched [\d.]+ kB in \d+ requests/);
  });

  test("may be named by the address of its page", async () => {
    const { hub } = await serve({ "model.pth": network });
    const address = `${hub.origin}/owner/name/blob/main/model.pth`;
    expect(await command(["inspect", address, "--quiet"])).toMatchObject({ exit: 0, err: "" });
  });

  test.each([
    ["a repository that is not there", "hf://owner/other", /has no such file/],
    ["a file that is not there", "hf://owner/name/other.pth", /has no file or folder "other.pth"/],
  ])("%s ends with exit code 3", async (_, address, message) => {
    await serve({ "model.pth": network });
    const { exit, err } = await command(["inspect", address]);
    expect(exit).toBe(3);
    expect(err).toMatch(message);
  });
});

describe("a file on any server", () => {
  test("is read with its shards", async () => {
    const { store } = await serve({ "model.pth": network });
    const { exit, err } = await command(["inspect", `${store.origin}/store/model.pth?key=secret`]);
    expect(exit).toBe(0);
    expect(err).not.toContain("secret");
  });

  test("is not sent the Hub's token", async () => {
    const { store } = await serve({ "model.pth": network });
    await command(["inspect", `${store.origin}/store/model.pth`]);
    expect(store.seen.map(({ authorization }) => authorization)).toEqual([undefined]);
  });
});
