import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AttackRow, attackCases, manifestRow } from "../scripts/fixtures/attacks/cases.mjs";
import { bytesSource, createContext, inspect, pytorch, type ScanReport, scan } from "../src/node.ts";
import { command, commandJson } from "./support/command.ts";
import { fixtures, temporaryFolder } from "./support/files.ts";
import { manifest, unusual } from "./support/manifest.ts";

const attacks = join(fixtures, "attacks");
const rows = JSON.parse(readFileSync(join(attacks, "manifest.json"), "utf8")) as readonly AttackRow[];
const named = rows.map((row) => [row.file, row.technique, row] as const);

const marker = "tensorferry-was-here";
beforeAll(() => expect(existsSync(marker)).toBe(false));
afterAll(() => expect(existsSync(marker)).toBe(false));

function listed({ globals }: ScanReport): readonly string[] {
  const notClean = globals.filter(({ verdict }) => verdict !== "clean");
  return notClean.map(({ module, name, verdict, calls }) => `${verdict} ${module}.${name} ${calls}`).sort();
}

describe("known attacks and disguises", () => {
  test.each(named)("scan of %s: %s", async (_, __, row) => {
    const path = join(attacks, row.input);
    const result = await commandJson(["scan", path]);
    expect(result.exit).toBe(row.scan);
    if (row.verdict === undefined) return expect(result.json).toHaveProperty("error.kind", "unsupported");
    const report = result.json as ScanReport;
    expect({ verdict: report.verdict, globals: listed(report) }).toEqual({
      verdict: row.verdict,
      globals: [...row.globals].sort(),
    });
    expect([...new Set(report.notices.map(({ code }) => code))].sort()).toEqual([...row.notices].sort());
  });

  test.each(named)("convert of %s: %s", async (_, __, row) => {
    const folder = temporaryFolder();
    const output = join(folder, "out.safetensors");
    const result = await command(["convert", join(attacks, row.input), output]);
    expect([result.exit, result.err]).toEqual([row.convert, expect.anything()]);
    expect(readdirSync(folder)).toEqual(row.convert === 0 ? ["out.safetensors"] : []);
    if (row.convert !== 6) return;
    expect(result.err).toMatch(/would (call|import) /);
    expect(result.err).toContain("--allow unsafe-pickle");
    const allowed = await command(["convert", join(attacks, row.input), output, "--allow", "unsafe-pickle"]);
    expect([0, 3, 4, 5]).toContain(allowed.exit);
    if (allowed.exit === 0) expect(allowed.err).toContain("it was not run");
  });

  test("are the files that scripts/fixtures/attacks.mjs makes", () => {
    for (const { file, bytes, beside = {} } of attackCases) {
      expect(readFileSync(join(attacks, file)).equals(bytes), file).toBe(true);
      for (const [name, content] of Object.entries(beside))
        expect(readFileSync(join(attacks, file, "..", name)).equals(content), name).toBe(true);
    }
    expect(rows).toEqual(JSON.parse(JSON.stringify(attackCases.map(manifestRow))));
  });
});

describe("no sound file is called dangerous", () => {
  const files = [...manifest, ...unusual].map(({ file }) => file);
  test.each(files)("%s", async (file) => {
    const report = await scan(join(fixtures, file));
    expect(report.globals.filter(({ verdict }) => verdict === "dangerous")).toEqual([]);
    expect(report.verdict).not.toBe("dangerous");
    expect(report.failure).toBeUndefined();
  });

  test("and a plain state dict is clean", async () => {
    const report = await scan(join(fixtures, "pytorch/torch-2.13/network.pth"));
    expect(report).toMatchObject({ verdict: "clean", notices: [] });
    expect(report.globals.map(({ module, name }) => `${module}.${name}`)).toContain(
      "torch._utils._rebuild_tensor_v2",
    );
  });
});

describe("the scan command", () => {
  const sample = join(attacks, "own-class.pth");

  test("lists the names, the worst first, and ends with the verdict", async () => {
    const { exit, out, err } = await command(["scan", join(attacks, "memo-memoize.pth")]);
    const lines = out.trimEnd().split("\n");
    expect(lines[0]).toMatch(/^verdict +name +calls$/);
    expect(lines[1]).toMatch(/^dangerous +posix\.system +1$/);
    expect(lines[2]).toMatch(/^unknown +builtins\.len +0$/);
    expect(lines.at(-1)).toMatch(/memo-memoize\.pth: dangerous, do not load it/);
    expect({ exit, err }).toEqual({ exit: 6, err: "" });
  });

  test("ends with 0 for unknown names, and with 6 under --strict", async () => {
    expect(await command(["scan", sample])).toMatchObject({ exit: 0 });
    expect(await command(["scan", sample, "--strict"])).toMatchObject({ exit: 6 });
    expect(await command(["scan", join(attacks, "sound.pth"), "--strict"])).toMatchObject({ exit: 0 });
  });

  test("prints one line under --quiet, and no notes", async () => {
    const { out, err } = await command(["scan", join(attacks, "script.pt"), "--quiet"]);
    expect(out).toMatch(/^[^\n]*script\.pt: clean, [^\n]*\n$/);
    expect(err).toBe("");
  });

  test("has the agreed keys under --json", async () => {
    const { json } = await commandJson(["scan", sample]);
    expect(Object.keys(json as object)).toEqual(["path", "verdict", "globals", "notices"]);
    expect((json as ScanReport).globals[0]).toEqual({
      module: "code.models",
      name: "Net",
      verdict: "unknown",
      calls: 1,
    });
  });

  test("ends with the code of what keeps it from reading on, and does not call that clean", async () => {
    const { exit, out, err } = await command(["scan", join(fixtures, "failure", "pickle-cut-short.pth")]);
    expect(exit).toBe(4);
    expect(out).toContain("unknown, it could not be read to its end");
    expect(err).toContain("the pickle ends in the middle");
  });

  test.each([
    ["a file that is not there", ["scan", join(attacks, "nothing.pth")], 3],
    ["a web page", ["scan", join(fixtures, "failure", "web-page.pth")], 5],
    ["a folder without models", ["scan", join(fixtures, "..", "docs")], 3],
  ])("fails for %s", async (_, words, wanted) => {
    const { exit, err } = await command(words);
    expect(err).toMatch(/^error: /);
    expect(exit).toBe(wanted);
  });
});

describe("a damaged file is scanned as far as it goes", () => {
  const samples = ["attacks/zip-nested.pth", "attacks/nested-twice.pth", "attacks/tar-object.pth"]
    .concat(["attacks/legacy-object.pth", "attacks/script-constants.pt", "attacks/pickle-4.pkl"])
    .map((file) => [file, new Uint8Array(readFileSync(join(fixtures, file)))] as const);

  async function scanBytes(bytes: Uint8Array) {
    const scanner = await pytorch.loadScanner?.();
    const findings = await scanner?.scan(bytesSource("sample", bytes), createContext());
    if (findings?.failure !== undefined) expect(findings.verdict).not.toBe("clean");
    return findings;
  }

  test.each(samples)("%s cut anywhere", async (_, bytes) => {
    const firstName = Buffer.from(bytes).indexOf("posix\nsystem\n(X");
    for (let size = 0; size < bytes.length; size += 7) {
      const findings = await scanBytes(bytes.subarray(0, size));
      if (size < firstName) expect(findings?.verdict).not.toBe("dangerous");
    }
  });

  test.each(samples)("%s with any byte changed", async (_, bytes) => {
    for (let at = 0; at < bytes.length; at += 5) {
      const damaged = bytes.slice();
      damaged[at] = (damaged[at] as number) ^ (1 + (at % 255));
      await scanBytes(damaged);
    }
  });

  test("and a whole archive of the payload without its directory is still dangerous", async () => {
    const bytes = new Uint8Array(readFileSync(join(attacks, "reduce.pth")));
    const directory = Buffer.from(bytes).indexOf("PK\x01\x02");
    expect(await scanBytes(bytes.subarray(0, directory))).toMatchObject({ verdict: "dangerous" });
  });
});

test("a word that allows nothing is refused", async () => {
  const words = [
    "convert",
    join(attacks, "sound.pth"),
    join(temporaryFolder(), "out/"),
    "--allow",
    "anything",
  ];
  expect(await command(words)).toMatchObject({ exit: 2, err: expect.stringContaining("unsafe-pickle") });
});

test("inspect refuses nothing, and says what loading would do", async () => {
  const dangerous = await inspect(join(attacks, "reduce.pth"));
  expect(dangerous.notices).toMatchObject([
    { code: "dangerous-pickle", message: expect.stringContaining("posix.system") },
  ]);
  const unknown = await inspect(join(attacks, "own-class.pth"));
  expect(unknown.notices).toMatchObject([
    { code: "unknown-global", message: expect.stringContaining("code.models.Net") },
  ]);
});
