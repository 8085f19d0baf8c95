import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parsePattern } from "../../src/transforms/pattern.ts";
import "../support/seed.ts";

describe("a pattern on names", () => {
  test.each([
    ["lm_head.weight", ["lm_head.weight"], ["lm_head.weight.x", "a.lm_head.weight"]],
    ["*.bias", ["a.bias", "model.layers.0.attn.bias", ".bias"], ["bias", "a.bias.x"]],
    ["model.layers.?.w", ["model.layers.0.w"], ["model.layers.10.w", "model.layers..w.w"]],
    ["l[0-2x].w", ["l0.w", "l2.w", "lx.w"], ["l3.w", "l-.w"]],
    ["l[!0-2].w", ["l3.w", "lx.w"], ["l0.w", "l.w"]],
    ["l[]-].w", ["l].w", "l-.w"], ["l[.w"]],
    ["{q,k}_proj.*", ["q_proj.weight", "k_proj.bias"], ["v_proj.weight"]],
    ["l.{0..11}.w", ["l.0.w", "l.9.w", "l.11.w"], ["l.12.w", "l.011.w", "l.{0..11}.w"]],
    ["{a,b{c,}}d", ["ad", "bcd", "bd"], ["abd", "acd", "d"]],
    ["a\\*b\\{", ["a*b{"], ["axb{"]],
    ["a,b}", ["a,b}"], ["a", "b"]],
    ["?", ["x", "😀", "."], ["", "xy"]],
    ["*", ["", "anything.at all\n"], []],
    ["/^layers\\.\\d+\\./", ["layers.12.w"], ["x.layers.1.w"]],
    ["/norm/i", ["LayerNorm.weight"], ["weight"]],
  ])("%s", (text, meant, others) => {
    const { matches } = parsePattern(text);
    expect(meant.filter((name) => !matches(name))).toEqual([]);
    expect(others.filter((name) => matches(name))).toEqual([]);
  });

  test.each([
    ["", "empty"],
    ["a[b", "[ is not closed"],
    ["a{b", "{ is not closed"],
    ["a\\", "ends in \\"],
    ["{3..1}", "no number"],
    ["{0..5000}", "more than 1000"],
    ["{0..99}{0..99}", "more than 1000"],
    ["{".repeat(40), "too deeply"],
    ["/(/", "group"],
    ["/a/g", "flags"],
  ])("refuses %s: %s", (text, why) => {
    expect(() => parsePattern(text)).toThrow(why);
  });

  test("matches every name that was made from it", () => {
    const part = fc.oneof(
      fc.constantFrom("a", ".", "layers", "0").map((text) => [text, text] as const),
      fc.string({ maxLength: 4 }).map((text) => ["*", text] as const),
      fc.constantFrom("x", "7", "é").map((text) => ["?", text] as const),
      fc.constantFrom("b", "c").map((text) => ["{b,c}", text] as const),
      fc.constantFrom("d", "e").map((text) => ["[d-e]", text] as const),
    );
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 12 }), (parts) => {
        const pattern = parsePattern(parts.map(([glob]) => glob).join(""));
        expect(pattern.matches(parts.map(([, text]) => text).join(""))).toBe(true);
      }),
    );
  });

  test("says the same as the shell", () => {
    const globs = ["a*", "*a", "*a*b", "?a", "[ab]*", "[!a]?", "a*a*a", "*.*", "*"];
    const names = ["a", "b", "ab", "ba", "aab", "a.b", "aaa", "abab", ".", ""];
    const script = `for g in "$@"; do for n in ${names.map((name) => `'${name}'`).join(" ")}; do
      case "$n" in $g) printf 1;; *) printf 0;; esac; done; done`;
    const shell = execFileSync("bash", ["-c", script, "bash", ...globs], { encoding: "utf8" });
    const ours = globs.map((glob) =>
      names.map((name) => (parsePattern(glob).matches(name) ? 1 : 0)).join(""),
    );
    expect(ours.join("")).toBe(shell);
  });

  test("ends for names and patterns that would keep a matcher that tries again busy for ever", () => {
    const { matches } = parsePattern(`${"*a".repeat(30)}*b`);
    expect(matches("a".repeat(20_000))).toBe(false);
  });
});
