import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { command, commandJson, samples } from "../support/command.ts";
import { temporaryFolder } from "../support/files.ts";
import { startUploadServer, type UploadServer } from "../support/upload-server.ts";

let hub: UploadServer;

beforeEach(async () => {
  hub = await startUploadServer();
  vi.stubEnv("HF_ENDPOINT", hub.origin);
  vi.stubEnv("HF_TOKEN", "hf_secret");
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await hub.close();
});

/** A folder as it comes out of a conversion, with what people put beside it. */
async function prepared(): Promise<string> {
  const folder = temporaryFolder();
  await command(["convert", samples.network, `${folder}/`, "--max-shard-size", "4KB"]);
  mkdirSync(join(folder, "tokenizer"));
  writeFileSync(join(folder, "tokenizer/vocab.txt"), "a\nb\n");
  writeFileSync(join(folder, ".DS_Store"), "not for others");
  return folder;
}

describe("upload", () => {
  test("sends a folder in one commit, byte for byte", async () => {
    const folder = await prepared();
    const { exit, out, err } = await command(["upload", folder, "owner/name", "--message", "First weights"]);
    expect({ exit, err }).toEqual({ exit: 0, err: "" });
    expect(out).toContain(`${hub.origin}/owner/name/commit/c0ffee`);
    expect(hub.commits).toHaveLength(1);
    const [commit] = hub.commits;
    expect(commit).toMatchObject({ branch: "main", pullRequest: false, summary: "First weights" });
    const names = [...readdirSync(folder).filter((name) => /^model/.test(name)), "tokenizer/vocab.txt"];
    expect([...(commit?.files.keys() ?? [])].sort()).toEqual(names.sort());
    for (const [path, bytes] of commit?.files ?? []) expect(bytes).toEqual(readFileSync(join(folder, path)));
  });

  test("makes the repository and the branch, private where that is wanted", async () => {
    await command(["upload", samples.network, "owner/name", "--private", "--branch", "v2"]);
    expect(hub.repositories.get("owner/name")).toEqual({ isPrivate: true, branches: ["main", "v2"] });
    expect(hub.commits[0]?.branch).toBe("v2");
    expect(await command(["upload", samples.network, "owner/name"])).toMatchObject({ exit: 0 });
  });

  test("opens a pull request in a repository of others", async () => {
    const { json } = await commandJson(["upload", samples.network, "owner/name", "--pr"]);
    expect(json).toMatchObject({ pullRequest: `${hub.origin}/owner/name/discussions/7` });
    expect(hub.commits[0]?.pullRequest).toBe(true);
    expect(hub.requests).not.toContain("POST /api/repos/create");
  });

  test("converts while it sends, to the bytes that convert writes", async () => {
    const folder = temporaryFolder();
    await command(["convert", samples.network, `${folder}/`, "--max-shard-size", "4KB"]);
    await command([
      "upload",
      samples.network,
      "owner/name",
      "--to",
      "safetensors",
      "--max-shard-size",
      "4KB",
    ]);
    const sent = hub.commits[0]?.files ?? new Map<string, Uint8Array>();
    expect([...sent.keys()].sort()).toEqual(readdirSync(folder).sort());
    for (const [path, bytes] of sent) expect(bytes).toEqual(readFileSync(join(folder, path)));
  });

  test("refuses to send a format whose checksums come last", async () => {
    const { exit, err } = await command(["upload", samples.tied, "owner/name", "--to", "pytorch"]);
    expect(exit).toBe(5);
    expect(err).toContain("convert into a folder first");
    expect(hub.requests).toEqual([]);
  });

  test("does not send what the Hub has already", async () => {
    const folder = await prepared();
    const first = await commandJson(["upload", folder, "owner/name"]);
    const second = await commandJson(["upload", folder, "owner/name"]);
    const isPresent = ({ json }: { json: unknown }) =>
      (json as { files: { present: boolean; bytes: number }[] }).files
        .filter(({ bytes }) => bytes > hub.largeBytes)
        .map(({ present }) => present);
    expect(new Set(isPresent(first))).toEqual(new Set([false]));
    expect(new Set(isPresent(second))).toEqual(new Set([true]));
    expect(hub.requests.filter((request) => request.startsWith("PUT"))).toHaveLength(hub.stored.size);
  });

  test("sends large files in parts", async () => {
    hub.partBytes = 1500;
    await command(["upload", samples.network, "owner/name"]);
    expect(hub.commits[0]?.files.get("network.pth")).toEqual(readFileSync(samples.network));
  });

  test("offers to send files whole or in parts, and not in chunks of the client's cutting", async () => {
    await command(["upload", samples.network, "owner/name"]);
    expect(hub.transfers).toEqual([["basic", "multipart"]]);
  });

  test("with --dry-run sends nothing, and needs no token", async () => {
    vi.stubEnv("HF_TOKEN", "");
    vi.stubEnv("HF_HOME", temporaryFolder());
    const { exit, out } = await command(["upload", await prepared(), "owner/name", "--dry-run"]);
    expect({ exit, out }).toEqual({ exit: 0, out: expect.stringContaining("this was a dry run") });
    expect(hub.requests).toEqual([]);
    expect(await command(["upload", samples.network, "owner/name"])).toMatchObject({ exit: 2 });
  });

  test("shows the token to the Hub alone, and to nobody on the screen", async () => {
    const { out, err } = await command(["upload", samples.network, "owner/name"]);
    expect(out + err).not.toContain("hf_secret");
    const shown = [...hub.tokens].filter(([, token]) => token !== undefined).map(([path]) => path);
    expect(shown.filter((path) => path.startsWith("/store/"))).toEqual([]);
    expect(shown.length).toBeGreaterThan(2);
  });
});

describe("an upload that meets trouble", () => {
  test("sends again what was cut, and what a busy store refused", async () => {
    let puts = 0;
    hub.mishap = (request) => {
      if (!request.startsWith("PUT")) return undefined;
      puts++;
      if (puts === 1) return { kind: "cut", afterBytes: 1 };
      return puts === 2 ? { kind: "status", status: 503, retryAfter: "0" } : undefined;
    };
    expect(await command(["upload", samples.network, "owner/name"])).toMatchObject({ exit: 0 });
    expect(puts).toBe(3);
    expect(hub.commits[0]?.files.get("network.pth")).toEqual(readFileSync(samples.network));
  });

  test("goes on when it is run again, without what had arrived", async () => {
    const folder = await prepared();
    let puts = 0;
    hub.mishap = (request) =>
      request.startsWith("PUT") && ++puts > 2 ? { kind: "status", status: 403 } : undefined;
    expect(await command(["upload", folder, "owner/name"])).toMatchObject({ exit: 9 });
    expect(hub.commits).toEqual([]);
    const arrived = hub.stored.size;
    hub.mishap = () => undefined;
    const before = hub.requests.length;
    expect(await command(["upload", folder, "owner/name"])).toMatchObject({ exit: 0 });
    const later = hub.requests.slice(before).filter((request) => request.startsWith("PUT"));
    expect(later).toHaveLength(hub.stored.size - arrived);
    expect(arrived).toBe(2);
  });

  test("sends again a large file whose connection was cut in the middle", async () => {
    const large = join(temporaryFolder(), "large.bin");
    writeFileSync(large, Buffer.alloc(9_000_000, "weights"));
    hub.partBytes = 4_000_000;
    let puts = 0;
    hub.mishap = (request) =>
      request.endsWith("/2") && ++puts === 1 ? { kind: "cut", afterBytes: 1_500_000 } : undefined;
    const { exit, json } = await commandJson(["upload", large, "owner/name"]);
    expect(exit).toBe(0);
    expect(puts).toBe(2);
    expect(json).toMatchObject({ bytes: 9_000_000, files: [{ present: false }] });
    const sent = hub.commits[0]?.files.get("large.bin") ?? new Uint8Array(0);
    expect(Buffer.compare(sent, readFileSync(large))).toBe(0);
  });

  test("asks for new addresses where those of the store have expired", async () => {
    const folder = await prepared();
    let puts = 0;
    hub.mishap = (request) =>
      request.startsWith("PUT") && ++puts === 2 ? { kind: "status", status: 403 } : undefined;
    expect(await command(["upload", folder, "owner/name"])).toMatchObject({ exit: 0, err: "" });
    expect(hub.requests.filter((request) => request.endsWith("/objects/batch"))).toHaveLength(2);
    // What had arrived by then was not sent again.
    expect(puts).toBeLessThanOrEqual(hub.stored.size + 1);
    expect(hub.commits).toHaveLength(1);
    for (const [path, bytes] of hub.commits[0]?.files ?? [])
      expect(bytes).toEqual(readFileSync(join(folder, path)));
  });

  test("and says so where the new ones are refused as well", async () => {
    hub.mishap = (request) => (request.startsWith("PUT") ? { kind: "status", status: 403 } : undefined);
    const { exit, err } = await command(["upload", samples.network, "owner/name"]);
    expect(exit).toBe(9);
    expect(err).toMatch(/the store answers 403 to an address that the Hub gave, and so it did 3 times/);
    expect(err).not.toContain("signature");
    expect(hub.commits).toEqual([]);
  });

  test("waits as long as each of them wants that is asked too often, the commit included", async () => {
    const refused = new Map<string, number>();
    hub.mishap = (request) => {
      const kind = /preupload|objects\/batch|commit|^PUT|repos\/create/.exec(request)?.[0] ?? "";
      const times = (refused.get(kind) ?? 0) + 1;
      refused.set(kind, times);
      return times === 1 ? { kind: "status", status: 429, retryAfter: "0" } : undefined;
    };
    expect(await command(["upload", samples.network, "owner/name"])).toMatchObject({ exit: 0 });
    expect(Object.fromEntries(refused)).toEqual({
      "repos/create": 2,
      preupload: 2,
      "objects/batch": 2,
      PUT: 2,
      commit: 2,
    });
    expect(hub.commits).toHaveLength(1);
  });

  test.each([
    ["the store", "PUT", 503],
    ["the commit", "/commit/", 429],
    ["the Hub", "/preupload/", 500],
  ])("gives up where %s stays out of reach", async (_, part, status) => {
    hub.mishap = (request) =>
      request.includes(part) ? { kind: "status", status, retryAfter: "0" } : undefined;
    const { exit, err } = await command(["upload", samples.network, "owner/name"]);
    expect(exit).toBe(9);
    expect(err).toContain(`the server answers ${status}, 5 times in a row`);
    expect(hub.requests.filter((request) => request.includes(part))).toHaveLength(5);
    expect(hub.commits).toEqual([]);
  });

  test("commits nothing where other bytes arrive than were hashed", async () => {
    const file = join(temporaryFolder(), "model.bin");
    writeFileSync(file, Buffer.alloc(5000, 1));
    hub.mishap = (request) => {
      if (request.endsWith("/objects/batch")) writeFileSync(file, Buffer.alloc(5000, 2));
      return undefined;
    };
    const { exit, err } = await command(["upload", file, "owner/name"]);
    expect(exit).toBe(9);
    expect(err).toContain("the file may have changed while it was sent");
    expect(hub.commits).toEqual([]);
  });

  test("nor where the store speaks of a hash that it was not asked for", async () => {
    hub.oidOf = () => "0".repeat(64);
    const { exit, err } = await command(["upload", samples.network, "owner/name"]);
    expect({ exit, err }).toEqual({ exit: 9, err: expect.stringContaining("the Hub refuses") });
    expect(hub.commits).toEqual([]);
  });

  test("does not repeat a commit whose answer was lost", async () => {
    hub.mishap = (request) => (request.includes("/commit/") ? { kind: "cut", afterBytes: 1 } : undefined);
    const { exit, err } = await command(["upload", samples.network, "owner/name"]);
    expect(exit).toBe(9);
    expect(err).toContain("may or may not be there");
    expect(hub.requests.filter((request) => request.includes("/commit/"))).toHaveLength(1);
  });

  test.each([
    [401, "HF_TOKEN"],
    [403, "--pr"],
    [404, "there is no such repository"],
  ])("is told what to do about an answer %i", async (status, hint) => {
    hub.mishap = (request) => (request.includes("/preupload/") ? { kind: "status", status } : undefined);
    const { exit, err } = await command(["upload", samples.network, "owner/name"]);
    expect(exit).toBe(9);
    expect(err).toContain(hint);
  });
});
