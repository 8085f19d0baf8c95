import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const source = fileURLToPath(new URL("../src/", import.meta.url));

/** What the files of a room may import beside their own room: the table of docs/architecture.md. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  bytes: [],
  core: ["bytes"],
  "containers/flatbuffer": ["bytes", "core"],
  "containers/json": ["bytes", "core"],
  "containers/pickle": ["bytes", "core"],
  "containers/protobuf": ["bytes", "core"],
  "containers/tar": ["bytes", "core"],
  "containers/zip": ["bytes", "core"],
  sparse: ["core"],
  strides: ["bytes", "core"],
  shards: ["bytes", "core", "containers"],
  transforms: ["bytes", "core"],
  "formats/onnx": ["bytes", "core", "containers", "sparse", "strides", "shards"],
  "formats/pytorch": ["bytes", "core", "containers", "sparse", "strides", "shards"],
  "formats/pytorch/values": ["bytes", "core", "containers"],
  "formats/pytorch/tensors": ["bytes", "core", "containers", "sparse", "strides", "formats/pytorch/values"],
  "formats/pytorch/arrays": ["bytes", "core", "containers", "formats/pytorch/values"],
  "formats/pytorch/objects": [
    "bytes",
    "core",
    "containers",
    "formats/pytorch/values",
    "formats/pytorch/arrays",
    "formats/pytorch/tensors",
  ],
  "formats/pytorch/archive": [
    "bytes",
    "core",
    "containers",
    "formats/pytorch/values",
    "formats/pytorch/arrays",
    "formats/pytorch/objects",
    "formats/pytorch/signatures.ts",
  ],
  "formats/pytorch/legacy": [
    "bytes",
    "core",
    "containers",
    "formats/pytorch/values",
    "formats/pytorch/arrays",
    "formats/pytorch/objects",
  ],
  "formats/pytorch/torchscript": [
    "bytes",
    "core",
    "containers",
    "formats/pytorch/values",
    "formats/pytorch/objects",
    "formats/pytorch/archive",
    "formats/pytorch/tensors",
  ],
  "formats/pytorch/scan": [
    "bytes",
    "core",
    "containers",
    "formats/pytorch/values",
    "formats/pytorch/arrays",
    "formats/pytorch/legacy",
    "formats/pytorch/signatures.ts",
  ],
  "formats/pytorch/distributed": [
    "bytes",
    "core",
    "containers",
    "strides",
    "formats/pytorch/values",
    "formats/pytorch/tensors",
    "formats/pytorch/objects",
    "formats/pytorch/archive",
    "formats/pytorch/scan",
  ],
  "formats/pytorch/write": [
    "bytes",
    "core",
    "containers",
    "formats/pytorch/values",
    "formats/pytorch/objects",
  ],
  "formats/safetensors": ["bytes", "core", "containers", "shards"],
  "formats/index.ts": ["core", "formats"],
  "torchscript/report.ts": [],
  "torchscript/language": ["core"],
  "torchscript/shapes": ["core"],
  "torchscript/emit": ["core", "torchscript/shapes"],
  "torchscript/values": ["core", "torchscript/language", "torchscript/shapes", "torchscript/emit"],
  "torchscript/operators": ["core", "torchscript/shapes", "torchscript/emit", "torchscript/values"],
  "torchscript/program": [
    "core",
    "containers",
    "torchscript/language",
    "torchscript/emit",
    "torchscript/values",
  ],
  "torchscript/evaluate": [
    "core",
    "torchscript/language",
    "torchscript/shapes",
    "torchscript/emit",
    "torchscript/values",
    "torchscript/operators",
    "torchscript/program",
    "torchscript/report.ts",
  ],
  "torchscript/compile": ["core", "containers", "torchscript"],
  "convert/open": ["bytes", "core", "shards"],
  "convert/plan": ["bytes", "core", "containers", "shards", "transforms", "torchscript", "convert/open"],
  "convert/run": ["bytes", "core"],
  "convert/look": ["bytes", "core", "shards", "transforms", "convert/open"],
  "convert/diff": ["bytes", "core", "transforms", "convert/open", "convert/plan", "convert/run"],
  "convert/verify": ["bytes", "core", "containers", "shards", "convert/open", "convert/run"],
  convert: ["bytes", "core", "containers", "shards", "transforms", "torchscript"],
  web: ["bytes", "core"],
  hub: ["bytes", "core", "web"],
  node: ["bytes", "core"],
  upload: ["bytes", "core", "web"],
  paths: [
    "bytes",
    "core",
    "containers",
    "shards",
    "convert",
    "web",
    "hub",
    "upload",
    "node",
    "formats/index.ts",
  ],
  "core.ts": ["core", "shards", "transforms", "convert"],
  "index.ts": ["core.ts", "formats"],
  plugin: ["core", "node.ts", "paths"],
  "node.ts": ["index.ts", "convert", "node", "upload", "paths", "formats/index.ts"],
  cli: ["core", "shards", "convert", "node.ts", "formats/index.ts"],
};

/** Rooms that run anywhere: no Node modules, and no packages. */
const neutral =
  /^(bytes|core|containers|sparse|strides|shards|transforms|formats|torchscript|convert|web|hub)\/|^(core|index)\.ts$/;

interface SourceFile {
  /** Path below `src`. */
  readonly path: string;
  readonly text: string;
  readonly room: string;
  readonly imports: readonly string[];
}

const files: readonly SourceFile[] = readdirSync(source, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .sort()
  .map((path) => {
    const text = readFileSync(join(source, path), "utf8");
    return { path, text, room: roomOf(path), imports: importsIn(text) };
  });

/** The most specific room of the table that a file lies in. */
function roomOf(path: string): string {
  const rooms = Object.keys(mayImport).filter((room) => path === room || path.startsWith(`${room}/`));
  return rooms.sort((a, b) => b.length - a.length)[0] ?? "nowhere";
}

/** Specifiers of imports and re-exports, static and dynamic, types included. */
function importsIn(text: string): readonly string[] {
  const found = text.matchAll(/(?:\bfrom\s+|\bimport\s+|\bimport\()"([^"]+)"/g);
  return [...found].map((match) => match[1] as string);
}

function isAllowed(file: SourceFile, target: string): boolean {
  const allowed = [file.room, ...(mayImport[file.room] ?? [])];
  return allowed.some((room) => target === room || target.startsWith(`${room}/`));
}

describe("imports point down only", () => {
  test.each(files.map((file) => [file.path, file] as const))("%s", (path, file) => {
    expect(file.room, "no room of the table").not.toBe("nowhere");
    const local = file.imports.filter((specifier) => specifier.startsWith("."));
    const targets = local.map((specifier) => normalize(join(dirname(path), specifier)));
    expect(targets.filter((target) => !isAllowed(file, target))).toEqual([]);
    expect(targets.filter((target) => !files.some((other) => other.path === target))).toEqual([]);
  });
});

describe("the neutral rooms run anywhere", () => {
  test.each(files.filter(({ path }) => neutral.test(path)).map((file) => [file.path, file] as const))(
    "%s imports no Node module and no package",
    (_, { imports }) => {
      expect(imports.filter((specifier) => !specifier.startsWith("."))).toEqual([]);
    },
  );

  test("and packages are imported by the command line, the upload, the plugin and paths alone", () => {
    const users = files.filter(({ imports }) => imports.some((name) => !/^(\.|node:)/.test(name)));
    const allowed = ["cli", "upload", "paths", "plugin"];
    expect(users.filter(({ room }) => !allowed.includes(room)).map(({ path }) => path)).toEqual([]);
  });
});

test("a file can be read in one sitting: under 300 lines", () => {
  const long = files.filter(({ text }) => text.split("\n").length > 300);
  expect(long.map(({ path }) => path)).toEqual([]);
});

test("no format is named outside its folder and the entries", () => {
  const naming = files.filter(
    ({ path, imports }) =>
      !path.startsWith("formats/") && imports.some((name) => /formats\/(?!index\.ts)/.test(name)),
  );
  expect(naming.map(({ path }) => path)).toEqual(["index.ts"]);
});
