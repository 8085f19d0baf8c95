import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { defaultLimits } from "../src/core/limits.ts";
import { buildOnce } from "./support/built-cli.ts";
import { exampleFolder, shell } from "./support/sandbox.ts";

const root = fileURLToPath(new URL("../", import.meta.url));

interface Page {
  readonly path: string;
  readonly text: string;
}

const pages: readonly Page[] = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`),
].map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }));

function page(path: string): string {
  return pages.find((other) => other.path === path)?.text ?? "";
}

/** Fenced blocks of one language. */
function blocksOf({ text }: Page, language: string): readonly string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map(
    (match) => match[1] as string,
  );
}

beforeAll(buildOnce, 60_000);

describe("the shell examples end as they say", () => {
  const blocks = pages.flatMap((source) =>
    blocksOf(source, "sh").map((block) => [source.path, block] as const),
  );
  const examples = blocks.flatMap(([path, block]) => {
    const lines = block.split("\n").filter((line) => /^(npx )?tensorferry /.test(line));
    return lines.length > 0 ? [[path, lines[0] as string, lines] as const] : [];
  });

  test.each(examples)("of %s, beginning with %s", async (_, __, lines) => {
    const folder = exampleFolder();
    for (const line of lines) {
      const { exit, err } = await shell(line.replace(/^npx /, ""), folder);
      expect(exit, `${line}\n${err}`).toBe(Number(/# .*exit (\d+)/.exec(line)?.[1] ?? 0));
    }
  });

  test("and there are some", () => {
    expect(examples.length).toBeGreaterThan(5);
  });
});

describe("the TypeScript examples compile and run", () => {
  const blocks = pages.flatMap((source) =>
    blocksOf(source, "ts").map((block, index) => [source.path, index + 1, block] as const),
  );

  test.each(blocks)("of %s, number %i", async (_, __, block) => {
    const folder = exampleFolder();
    writeFileSync(join(folder, "example.mts"), block);
    const compile = [
      `"${process.execPath}" "${join(root, "node_modules/typescript/bin/tsc")}"`,
      "--strict --exactOptionalPropertyTypes --module nodenext --target es2023 --types node example.mts",
    ];
    const compiled = await shell(compile.join(" "), folder);
    expect(compiled.exit, compiled.out).toBe(0);
    const { exit, out, err } = await shell(`"${process.execPath}" example.mjs`, folder);
    expect(exit, err).toBe(0);
    expect(out).not.toBe("");
  });

  test("and the README has one", () => {
    expect(blocks.filter(([path]) => path === "README.md")).toHaveLength(1);
  });
});

describe("the commands for a checkout", () => {
  test("stand in the README word for word, and are scripts of the package", () => {
    const lines = blocksOf({ path: "README.md", text: page("README.md") }, "sh").flatMap((block) =>
      block.split("\n"),
    );
    expect(lines).toEqual(expect.arrayContaining(["npm ci && npm run demo", "npm ci && npm test"]));
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    for (const { text } of pages) {
      for (const [, name] of text.matchAll(/npm run ([\w:-]+)/g))
        expect(scripts).toHaveProperty([name as string]);
    }
  });

  test("the demo runs to its end", async () => {
    const { exit, out, err } = await shell(`"${process.execPath}" scripts/demo.mjs`, root);
    expect(exit, err).toBe(0);
    expect(out).toContain("done: the model is in .demo/");
  });
});

describe("the pages are complete", () => {
  test("links lead to files that are there", () => {
    for (const { path, text } of pages) {
      for (const [, target] of text.matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)) {
        expect(existsSync(join(root, path, "..", target as string)), `${path}: ${target}`).toBe(true);
      }
    }
  });

  test("every page of docs/ can be reached from the README", () => {
    const reached = pages.filter(({ path }) => page("README.md").includes(`(${path})`));
    const docs = pages.filter(({ path }) => path.startsWith("docs/"));
    expect(docs.filter((other) => !reached.includes(other)).map(({ path }) => path)).toEqual([]);
  });

  test("every kind of error has its row with its exit code", () => {
    const source = readFileSync(join(root, "src/cli/exit.ts"), "utf8");
    const codes = [...source.matchAll(/^ {2}(\w+): (\d+),$/gm)];
    expect(codes.length).toBeGreaterThan(5);
    for (const [, kind, code] of codes) expect(page("docs/errors.md")).toContain(`| \`${kind}\` | ${code} |`);
  });

  test("every code of a notice has its row", () => {
    const source = readFileSync(join(root, "src/core/context.ts"), "utf8");
    const codes = /type NoticeCode =([^;]+);/.exec(source)?.[1]?.match(/"[^"]+"/g) ?? [];
    expect(codes.length).toBeGreaterThan(5);
    for (const code of codes) expect(page("docs/notices.md")).toContain(`| \`${code.slice(1, -1)}\` |`);
  });

  test("every limit has its row with its default", () => {
    for (const [name, value] of Object.entries(defaultLimits)) {
      expect(page("docs/limits.md")).toContain(`| \`${name}\` | ${value.toLocaleString("en")} |`);
    }
  });

  test("every option of a command is explained", async () => {
    for (const [command, path] of [
      ["convert", "docs/convert.md"],
      ["inspect", "docs/inspect.md"],
      ["scan", "docs/scan.md"],
      ["diff", "docs/comparing.md"],
      ["run", "docs/pipelines.md"],
      ["edit", "docs/editing.md"],
      ["upload", "docs/upload.md"],
      ["verify", "docs/verifying.md"],
    ] as const) {
      const { out } = await shell(`tensorferry ${command} --help`, exampleFolder());
      for (const option of out.match(/^ +(--[a-z-]+)/gm) ?? []) {
        if (option.trim() !== "--help") expect(page(path), option).toContain(`\`${option.trim()}`);
      }
    }
  });

  test("every folder of src has its place in the architecture", () => {
    for (const entry of readdirSync(join(root, "src"), { withFileTypes: true })) {
      if (entry.isDirectory()) expect(page("docs/architecture.md")).toContain(`\`${entry.name}/`);
    }
  });
});
