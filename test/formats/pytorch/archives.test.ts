import { readFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import { describe, expect, test } from "vitest";
import { join } from "../../../scripts/fixtures/failure/bytes.mjs";
import {
  dict,
  global,
  op,
  pickle,
  storage,
  tensor,
  text,
} from "../../../scripts/fixtures/failure/pickle.mjs";
import { type BuiltEntry, buildZip } from "../../../scripts/fixtures/failure/zip.mjs";
import { readZipDirectory } from "../../../src/containers/zip/directory.ts";
import { entrySource } from "../../../src/containers/zip/entry.ts";
import { createContext } from "../../../src/core/context.ts";
import { bytesSource, readBytes } from "../../../src/core/source.ts";
import { inspect, open } from "../../../src/node.ts";
import { fixtures, sha256 } from "../../support/files.ts";
import { unusual } from "../../support/manifest.ts";
import { convertBytes } from "../../support/memory.ts";

const packages = joinPath(fixtures, "pytorch/more/packages/torch-2.13");

function fixture(name: string): Uint8Array {
  return Uint8Array.from(readFileSync(joinPath(packages, name)));
}

/** An archive taken apart, changed, and put together again. */
async function remade(
  name: string,
  change: (entry: BuiltEntry & { readonly name: string }) => BuiltEntry | undefined,
) {
  const context = createContext();
  const { source, entries } = await readZipDirectory(bytesSource(name, fixture(name)), context);
  const built: BuiltEntry[] = [];
  for (const entry of entries) {
    const record = entrySource(source, entry, context);
    const changed = change({ name: entry.name, data: await readBytes(record, 0, record.size) });
    if (changed) built.push(changed);
  }
  return buildZip(built);
}

/** The list of weights with one text in place of another. */
function withConfig(from: string | RegExp, to: string) {
  return remade("export-small.pt2", (entry) => {
    if (!entry.name.endsWith("weights_config.json")) return entry;
    const data = new TextDecoder().decode(entry.data);
    expect(data).toMatch(from);
    return { name: entry.name, data: new TextEncoder().encode(data.replace(from, to)) };
  });
}

describe("an archive of torch.export", () => {
  test("leaves constants and sample inputs behind", async () => {
    const { extras } = await inspect(joinPath(packages, "export-buffers.pt2"));
    expect(extras.map(({ name }) => name)).toEqual([
      "plain",
      "lifted_tensor_0",
      "transient",
      "data/sample_inputs/model.pt",
    ]);
  });

  test("keeps tied weights tied", async () => {
    const { tensors } = await inspect(joinPath(packages, "export-tied.pt2"));
    expect(tensors.map(({ name, tiedTo }) => [name, tiedTo])).toEqual([
      ["embed.weight", undefined],
      ["head.weight", "embed.weight"],
    ]);
  });

  const cases: readonly (readonly [
    what: string,
    file: () => Promise<Uint8Array>,
    kind: string,
    message: string,
  ])[] = [
    [
      "a size that is no number",
      () => withConfig('{"as_int": 4}', '{"as_expr": "s0"}'),
      "unsupported",
      "shape of",
    ],
    [
      "a negative offset",
      () => withConfig('"storage_offset": {"as_int": 0}', '"storage_offset": {"as_int": -1}'),
      "malformed",
      "offset of",
    ],
    ["an unknown type", () => withConfig('"dtype": 7', '"dtype": 99'), "unsupported", "type number 99"],
    ["a sparse weight", () => withConfig('"layout": 7', '"layout": 1'), "unsupported", "is sparse"],
    [
      "a weight beyond its record",
      () => withConfig('"storage_offset": {"as_int": 0}', '"storage_offset": {"as_int": 1}'),
      "malformed",
      "leaves its storage",
    ],
    [
      "a record that is not there",
      () => withConfig('"weight_0"', '"../weight_0"'),
      "malformed",
      "which is not there",
    ],
    ["a list that is none", () => withConfig('"config"', '"other"'), "malformed", 'no "config" object'],
    ["a list that is no JSON", () => withConfig("{", "["), "malformed", "expected"],
    [
      "no weights",
      () => remade("export-small.pt2", (entry) => (entry.name.includes("data/weights/") ? undefined : entry)),
      "unsupported",
      "holds no weights",
    ],
    ["compiled code instead of weights", async () => aotInductor(), "unsupported", "AOTInductor"],
  ];
  test.each(cases)("with %s is refused", async (_, file, kind, message) => {
    await expect(convertBytes("net.pt2", await file())).rejects.toMatchObject({
      kind,
      message: expect.stringContaining(message),
    });
  });
});

function aotInductor(): Uint8Array {
  return buildZip([
    { name: "net/archive_format", data: new TextEncoder().encode("pt2") },
    { name: "net/data/aotinductor/model/model.so", data: new Uint8Array(4) },
  ]);
}

/** A state dict as torch.save has it, of one weight of two numbers. */
const saved = buildZip([
  {
    name: "archive/data.pkl",
    data: pickle(dict(text("weight"), tensor({ from: storage("0", 2), shape: [2] }))),
  },
  { name: "archive/data/0", data: Uint8Array.of(0, 0, 128, 63, 0, 0, 0, 64) },
  { name: "archive/version", data: new TextEncoder().encode("3\n") },
]);

function exportOfOldKind(stateDict: Uint8Array): Uint8Array {
  return buildZip([
    { name: "serialized_exported_program.json", data: new TextEncoder().encode("{}") },
    { name: "serialized_state_dict.pt", data: stateDict },
    { name: "serialized_constants.pt", data: saved },
    { name: "version", data: new TextEncoder().encode("8.0") },
  ]);
}

describe("an archive of torch.export of 2.1 to 2.7", () => {
  test("has its weights in an archive within", async () => {
    const { result } = await convertBytes("net.pt2", exportOfOldKind(saved));
    expect(result.input.container).toBe("export");
    expect(result.tensors).toBe(1);
    expect(result.dropped.map(({ name }) => name)).toEqual(["serialized_constants.pt"]);
  });

  test("is refused where that is damaged", async () => {
    for (let size = 0; size < saved.length; size += 16) {
      await expect(convertBytes("net.pt2", exportOfOldKind(saved.slice(0, size)))).rejects.toMatchObject({
        name: "ConvertError",
      });
    }
  });
});

describe("an archive of torch.package", () => {
  const rows = unusual.filter(({ container }) => container === "package") as unknown as readonly PackageRow[];
  const cases = rows.flatMap(({ file, pickles }) =>
    Object.entries(pickles)
      .filter(([, { tensors }]) => tensors.length > 0)
      .map(([name, { tensors }]) => [file, name, tensors] as const),
  );
  test.each(cases)("%s has its state dict %s", async (file, select, wanted) => {
    const model = await open(joinPath(fixtures, file), { select });
    const seen = [];
    for (const name of model.dict.tensors.keys()) seen.push({ name, sha256: sha256(await model.read(name)) });
    await model.close();
    expect(seen).toEqual(wanted.map(({ name, sha256 }) => ({ name, sha256 })));
  });

  test("leaves its other pickles behind", async () => {
    const { extras } = await inspect(joinPath(packages, "package-several.pt"), {
      select: "encoder/weights.pkl",
    });
    expect(extras.map(({ name }) => name)).toEqual(["decoder/weights.pkl", "notes/info.pkl"]);
  });

  test("that lacks a storage is refused", async () => {
    const bytes = await remade("package-several.pt", (entry) =>
      entry.name.endsWith(".data/0.storage") ? undefined : entry,
    );
    await expect(convertBytes("net.pt", bytes)).rejects.toMatchObject({
      kind: "malformed",
      message: expect.stringContaining(".data/0.storage"),
    });
  });

  test("gives the attributes of a graph module, which only its function would make", async () => {
    const attributes = dict(
      text("_parameters"),
      dict(text("weight"), tensor({ from: storage("0", 2), shape: [2] })),
      text("_buffers"),
      dict(),
      text("_modules"),
      dict(),
    );
    const id = join(
      op.MARK,
      text("reduce_package"),
      text("1"),
      global("torch.fx.graph_module", "reduce_package_graph_module"),
      join(op.MARK, attributes, text("fx-generated._0"), op.TUPLE),
      op.TUPLE,
      op.BINPERSID,
    );
    const bytes = buildZip([
      { name: "net/model/model.pkl", data: pickle(id) },
      { name: "net/.data/0.storage", data: new Uint8Array(8) },
      { name: "net/.data/version", data: new TextEncoder().encode("6\n") },
    ]);
    await expect(convertBytes("net.pt", bytes)).rejects.toMatchObject({ kind: "unsafe" });
    const { result } = await convertBytes("net.pt", bytes, { allow: ["unsafe-pickle"] });
    expect(result.tensors).toBe(1);
  });
});

/** What fixtures/more.json knows of a package. */
interface PackageRow {
  readonly file: string;
  readonly pickles: Readonly<
    Record<string, { readonly tensors: readonly { readonly name: string; readonly sha256: string }[] }>
  >;
}
