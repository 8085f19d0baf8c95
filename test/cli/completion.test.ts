import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { shells } from "../../src/cli/completion.ts";
import { completedCommands } from "../../src/cli/completion-words.ts";
import { buildProgram } from "../../src/cli/program.ts";
import { command } from "../support/command.ts";
import { recordingConsole } from "../support/console.ts";
import { temporaryFolder } from "../support/files.ts";

/** A new folder with the script, and files to complete. */
async function prepared(shell: string): Promise<string> {
  const { out, exit } = await command(["completion", shell]);
  expect(exit).toBe(0);
  const folder = temporaryFolder();
  writeFileSync(join(folder, "completion"), out);
  for (const name of ["model.pth", "names.yaml"]) writeFileSync(join(folder, name), "");
  return folder;
}

function isInstalled(shell: string): boolean {
  try {
    execFileSync(shell, ["-c", "exit 0"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Words at the end of which Tab is pressed, and what is offered among others, or alone. */
const cases = [
  [["con"], ["convert"]],
  [["convert", "--dup"], ["--duplicates"]],
  [
    ["convert", "--duplicates", ""],
    ["error", "first", "last"],
  ],
  [["convert", "model.pth", "out/", "--tied", "d"], ["drop"]],
  [["convert", "a.pth", "b.pth", "--inc"], ["--include"]],
  [["inspect", "--te"], ["--tensor"]],
  [
    ["completion", ""],
    ["bash", "fish", "zsh"],
  ],
  [["convert", "--from", "safe"], ["safetensors"]],
] as const;

describe("completion in bash", () => {
  test.each(cases)("of %j", async (words, offered) => {
    const folder = await prepared("bash");
    const script = `source ./completion; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tensorferry; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const out = execFileSync("bash", ["--norc", "-c", script, "bash", "tensorferry", ...words], {
      cwd: folder,
      encoding: "utf8",
    });
    expect(out.trim().split("\n").sort()).toEqual([...offered].sort());
  });

  test.each([
    [["inspect", "mod"], "model.pth"],
    [["convert", "model.pth", "out", "--map", "na"], "names.yaml"],
    [["convert", "model.pth", "out", "--limit", "head"], "headerBytes="],
    [["convert", "model.pth", "out", "--forc"], "--force "],
  ])("at a keyboard: %j and Tab give %s", async (words, completed) => {
    const folder = await prepared("bash");
    // Readline itself: what it makes of the line is printed instead of run.
    const line = `tensorferry ${words.join(" ")}`;
    const script = [
      "source ./completion",
      `show() { printf '<%s>\\n' "$READLINE_LINE"; READLINE_LINE=; }`,
      `bind -x '"\\C-x\\C-s": show'`,
      "bind 'set enable-bracketed-paste off'",
    ].join("\n");
    writeFileSync(join(folder, "rc"), `${script}\n`);
    const out = execFileSync("bash", ["--rcfile", "./rc", "-i"], {
      cwd: folder,
      encoding: "utf8",
      input: `${line}\t\u0018\u0013\nexit\n`,
      stdio: ["pipe", "pipe", "pipe"],
    });
    expect(out).toContain(`<tensorferry ${[...words.slice(0, -1), completed].join(" ")}`);
  });
});

describe.each(["fish"].filter(isInstalled))("completion in %s", (fish) => {
  test.each(cases)("of %j", async (words, offered) => {
    const folder = await prepared("fish");
    const script = `source ./completion; complete -C ${JSON.stringify(`tensorferry ${words.join(" ")}`)}`;
    const out = execFileSync(fish, ["--no-config", "-c", script], { cwd: folder, encoding: "utf8" });
    const found = out
      .trim()
      .split("\n")
      .map((line) => line.split("\t")[0]);
    expect(found.sort()).toEqual([...offered].sort());
  });
});

describe.each(["zsh"].filter(isInstalled))("completion in %s, at a keyboard", () => {
  test.each(cases.filter(([, offered]) => offered.length === 1))("of %j", async (words, [offered]) => {
    const folder = await prepared("zsh");
    // A shell in a pseudo-terminal; the words that end a step are written so that their echo does not.
    const script = `
      zmodload zsh/zpty
      zpty shell zsh -f -i
      zpty -w shell "PS1= ; autoload -Uz compinit && compinit -u -d ./dump; source ./completion; print rea''dy"
      zpty -r shell seen '*ready*'
      zpty -w -n shell $'tensorferry ${words.join(" ")}\\t\\C-a# \\n'
      zpty -w shell "print ov''er"
      zpty -r shell seen '*over*'
      print -r -- $seen`;
    const out = execFileSync("zsh", ["-f", "-c", script], { cwd: folder, encoding: "utf8", timeout: 20_000 });
    expect(out).toContain([...words.slice(0, -1), offered].join(" "));
  });
});

describe("the script of every shell", () => {
  test.each(shells)("for %s has every command and option", async (shell) => {
    const { out } = await command(["completion", shell]);
    const stop = new AbortController().signal;
    const program = buildProgram("0.0.0", {
      console: recordingConsole(),
      signal: stop,
      finish: () => undefined,
    });
    const commands = completedCommands(program);
    expect(commands.length).toBeGreaterThan(5);
    for (const { name, options } of commands) {
      expect(out).toContain(name);
      for (const { flag } of options) expect(out).toContain(shell === "fish" ? `-l ${flag.slice(2)} ` : flag);
    }
  });

  test("knows words only of options that there are", async () => {
    const { out } = await command(["convert", "--help"]);
    for (const flag of ["--duplicates", "--tied", "--dtype", "--map", "--external-data"])
      expect(out).toContain(flag);
  });

  test("of an unknown shell is refused", async () => {
    const { exit, err } = await command(["completion", "tcsh"]);
    expect(exit).toBe(2);
    expect(err).toContain("Allowed choices are bash, zsh, fish");
  });
});
