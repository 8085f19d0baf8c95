import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { buildOnce, ended, runBuilt, startBuilt } from "../support/built-cli.ts";
import { samples } from "../support/command.ts";
import { fixtures, temporaryFolder } from "../support/files.ts";
import { writeSparseSafetensors } from "../support/sparse.ts";

beforeAll(buildOnce, 60_000);

const gibibyte = 2 ** 30;
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is what terminals take for a command.
const escapes = /\x1b/;

describe("the program as a process", () => {
  test("writes results to standard output, talk to standard error, and ends with the code", async () => {
    const fine = await runBuilt(["convert", samples.tied, `${temporaryFolder()}/out/`]);
    expect(fine.exit).toBe(0);
    expect(fine.out).toMatch(/^file .*\n.*model\.safetensors .*\n4 tensors, .* in .* s\n$/);
    expect(fine.err).toMatch(/^note: .*\n$/);
    const missing = await runBuilt(["inspect", "nothing.pth"]);
    expect(missing).toMatchObject({ exit: 3, out: "", err: expect.stringMatching(/^error: nothing\.pth/) });
    expect(await runBuilt(["inspect", "--colour"])).toMatchObject({ exit: 2, out: "" });
  });

  test.each([
    ["where nobody watches", {}],
    ["with NO_COLOR", { NO_COLOR: "1" }],
    ["with CI", { CI: "true" }],
  ])("prints plain lines, without progress or colour, %s", async (_, env) => {
    const { out, err } = await runBuilt(["convert", samples.tied, `${temporaryFolder()}/out/`], { env });
    expect(out + err).not.toMatch(escapes);
    expect(out + err).not.toContain("\r");
    expect(err).not.toMatch(/writing/);
  });

  test("takes relative paths from where it is run", async () => {
    const cwd = temporaryFolder();
    expect(await runBuilt(["convert", samples.network, "a.safetensors"], { cwd })).toMatchObject({ exit: 0 });
    expect(await runBuilt(["convert", "a.safetensors", "out/"], { cwd })).toMatchObject({ exit: 0 });
    expect(readdirSync(cwd).sort()).toEqual(["a.safetensors", "out"]);
  });

  test("ends quietly where its reader stops early, as head does", async () => {
    const child = startBuilt(["inspect", join(fixtures, "pytorch/torch-2.13/many.pth"), "--json"]);
    const end = ended(child);
    child.stdout?.once("data", () => child.stdout?.destroy());
    const { exit, err } = await end;
    expect({ exit, err }).toEqual({ exit: 0, err: "" });
  });
});

describe("interrupted in the middle of a conversion", () => {
  test.each([["SIGINT"], ["SIGTERM"]] as const)(
    "by %s, it ends with 130 and leaves nothing",
    async (signal) => {
      const folder = temporaryFolder();
      const input = join(folder, "large.safetensors");
      writeSparseSafetensors(input, 4, gibibyte);
      const output = join(folder, "deep/out");
      const child = startBuilt(["convert", input, `${output}/`, "--max-shard-size", "2GiB"]);
      const end = ended(child);
      await until(
        () => existsSync(output) && readdirSync(output).some((name) => isBegun(join(output, name))),
      );
      child.kill(signal);
      const { exit, out, err } = await end;
      expect(err).toBe("error: cancelled\n");
      expect({ exit, out }).toEqual({ exit: 130, out: "" });
      expect(readdirSync(folder)).toEqual(["large.safetensors"]);
    },
  );
});

/** Whether some bytes of a file are on their way to the disk. */
function isBegun(path: string): boolean {
  return (statSync(path, { throwIfNoEntry: false })?.blocks ?? 0) > 0;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}
