import { join as joinPath } from "node:path";
import { describe, expect, test } from "vitest";
import { join } from "../../../scripts/fixtures/failure/bytes.mjs";
import {
  call,
  dict,
  global,
  int,
  op,
  pickle,
  storage,
  tensor,
  text,
  tuple,
} from "../../../scripts/fixtures/failure/pickle.mjs";
import { buildZip } from "../../../scripts/fixtures/failure/zip.mjs";
import type { Notice } from "../../../src/core/context.ts";
import { scanClasses } from "../../../src/formats/pytorch/torchscript/script-classes.ts";
import { open } from "../../../src/node.ts";
import { fixtures, sha256 } from "../../support/files.ts";
import { unusual } from "../../support/manifest.ts";
import { convertBytes } from "../../support/memory.ts";

const scripts = unusual.filter(({ container }) => container === "torchscript") as readonly ScriptRow[];

/** What fixtures/more.json knows of a script beyond its state. */
interface ScriptRow {
  readonly file: string;
  readonly tensors: readonly { readonly name: string; readonly sha256: string }[];
  readonly constants?: readonly { readonly sha256: string }[];
  readonly packed?: readonly {
    readonly path: string;
    readonly sha256: string;
    readonly quantized?: { readonly integers: { readonly sha256: string } };
  }[];
  readonly attributes?: readonly { readonly path: string }[];
}

async function readScript(file: string) {
  const notices: Notice[] = [];
  const model = await open(joinPath(fixtures, file), { onNotice: (notice) => notices.push(notice) });
  const tensors = new Map<string, string>();
  for (const name of model.dict.tensors.keys()) tensors.set(name, sha256(await model.read(name)));
  await model.close();
  return { tensors, notices, leftovers: model.dict.leftovers };
}

describe("a frozen script", () => {
  const frozen = scripts.filter((row) => row.constants && row.tensors.length === 0);
  test.each(frozen.map((row) => [row.file, row] as const))(
    "%s gives the constants of its code, with a notice",
    async (file, { constants = [] }) => {
      const { tensors, notices } = await readScript(file);
      expect([...tensors]).toEqual(
        constants.map(({ sha256 }, index) => [`constants.${index}`, sha256] as const),
      );
      expect(notices.map(({ message }) => message).join()).toContain("a frozen model has no parameters");
    },
  );
});

describe("a quantized script", () => {
  const packed = scripts.filter((row) => row.packed);
  test.each(packed.map((row) => [row.file, row] as const))(
    "%s gives the tensors that its modules pack, beside its state",
    async (file, row) => {
      const { tensors } = await readScript(file);
      const wanted = (row.packed ?? []).map(({ sha256, quantized }) => quantized?.integers.sha256 ?? sha256);
      const paths = (row.packed ?? []).map(({ path }) => path);
      const under = [...tensors].filter(([name]) => paths.some((path) => name.startsWith(`${path}.`)));
      expect(under.map(([, hash]) => hash)).toEqual(expect.arrayContaining(wanted));
      for (const { name, sha256 } of row.tensors) expect(tensors.get(name)).toBe(sha256);
    },
  );
});

describe("tensors that are no state", () => {
  const rows = scripts.filter((row) => row.attributes);
  test.each(rows.map((row) => [row.file, row] as const))(
    "%s leaves its attributes behind",
    async (file, row) => {
      const { leftovers } = await readScript(file);
      const names = (row.attributes ?? []).map(({ path }) => path.split(".")[0] as string);
      expect(leftovers.map(({ name }) => name)).toEqual(expect.arrayContaining(names));
    },
  );
});

describe("the lines of a class", () => {
  test("tell parameters, buffers and types, and other lines do not", () => {
    const classes = scanClasses(
      [
        "class Block(Module):",
        '  __parameters__ = ["weight", "0", ]',
        '  __buffers__ = ["mean", ]',
        "  weight : Tensor",
        '  __annotations__["0"] = Tensor',
        "  training : bool",
        "  def forward(self: __torch__.Block,",
        "    other : Tensor) -> Tensor:",
        '    __parameters__ = ["x", ]',
        "def function(value: Tensor) -> Tensor:",
        '  __buffers__ = ["y", ]',
        "class Plain:",
        "  def __getstate__(self: __torch__.Plain) -> int:",
      ].join("\n"),
    );
    const block = classes.get("Block");
    expect([...(block?.parameters ?? [])]).toEqual(["weight", "0"]);
    expect([...(block?.buffers ?? [])]).toEqual(["mean"]);
    expect([...(block?.attributes ?? [])]).toEqual([
      ["weight", "Tensor"],
      ["0", "Tensor"],
      ["training", "bool"],
    ]);
    expect(block?.isModule).toBe(true);
    expect(classes.get("Plain")).toMatchObject({ isModule: false, hasOwnState: true, buffers: undefined });
  });
});

/** An archive with one module of these attributes, in the form of BUILD's dict. */
function script(state: Uint8Array, records: Readonly<Record<string, Uint8Array | string>> = {}): Uint8Array {
  const object = pickle(global("__torch__.net", "Net"), op.EMPTY_TUPLE, op.NEWOBJ, state, op.BUILD);
  const all: Record<string, Uint8Array | string> = {
    "data.pkl": object,
    "constants.pkl": pickle(tuple()),
    "data/0": new Uint8Array(8),
    version: "3\n",
    ...records,
  };
  const entries = Object.entries(all).map(([name, data]) => ({
    name: `net/${name}`,
    data: typeof data === "string" ? new TextEncoder().encode(data) : data,
  }));
  return buildZip(entries);
}

const weight = dict(text("weight"), tensor({ from: storage("0", 2), shape: [2] }));

async function tensorNames(bytes: Uint8Array): Promise<readonly string[]> {
  const { result } = await convertBytes("net.pt", bytes);
  return result.plan.files.flatMap(({ pieces }) =>
    pieces.flatMap((piece) => (piece.kind === "payload" ? [piece.tensor] : [])),
  );
}

describe("what libtorch pickles otherwise than Python", () => {
  test("flags come in a typed dict, small types have storage classes, sparse tensors have other arguments", async () => {
    const flags = call(
      global("torch.jit._pickle", "restore_type_tag"),
      dict(text("conj"), op.NEWTRUE),
      text("Dict[str, bool]"),
    );
    const numbers = (key: string, storageClass: string, shape: number[], extra: Uint8Array[] = []) =>
      tensor({
        from: storage(key, 2, storageClass),
        shape,
        strides: shape.map(() => 1),
        extra,
      });
    const sparse = call(
      global("torch._utils", "_rebuild_sparse_tensor"),
      int(1),
      tuple(int(3)),
      op.NEWFALSE,
      numbers("2", "LongStorage", [1, 2]),
      numbers("3", "FloatStorage", [2]),
      op.NONE,
    );
    const state = dict(
      text("turned"),
      numbers("0", "ComplexFloatStorage", [2], [flags]),
      text("small"),
      numbers("1", "Float8_e4m3fnStorage", [2]),
      text("sparse"),
      sparse,
    );
    const bytes = script(state, {
      "data/0": new Uint8Array(new Float32Array([1, 2, 3, -1]).buffer),
      "data/1": Uint8Array.of(0x38, 0x40),
      "data/2": new Uint8Array(new BigInt64Array([0n, 2n]).buffer),
      "data/3": new Uint8Array(new Float32Array([5, 6]).buffer),
    });
    const { files } = await convertBytes("net.pt", bytes, { allow: ["densify"] });
    const file = files.get("out.safetensors") as Uint8Array;
    const payload = file.slice(8 + new DataView(file.buffer).getUint32(0, true));
    expect(new Float32Array(payload.slice(0, 16).buffer)).toEqual(new Float32Array([1, -2, 3, 1]));
    expect(new Float32Array(payload.slice(16, 28).buffer)).toEqual(new Float32Array([5, 0, 6]));
    expect([...payload.slice(28)]).toEqual([0x38, 0x40]);
  });
});

describe("a script without its code", () => {
  test("has every tensor attribute as state", async () => {
    expect(await tensorNames(script(weight))).toEqual(["weight"]);
  });
});

describe("a script of torch 1.3 to 1.5", () => {
  test("has its buffers among the attributes that are tensors and no parameters", async () => {
    const state = dict(
      text("weight"),
      tensor({ from: storage("0", 2), shape: [2] }),
      text("mean"),
      tensor({ from: storage("0", 2), shape: [2] }),
      text("maybe"),
      tensor({ from: storage("0", 2), shape: [2] }),
    );
    const code =
      'class Net(Module):\n  __parameters__ = ["weight", ]\n  weight : Tensor\n  mean : Tensor\n  maybe : Optional[Tensor]\n';
    const { result } = await convertBytes("net.pt", script(state, { "code/__torch__/net.py": code }), {
      tied: "copy",
    });
    expect(result.tensors).toBe(2);
    expect(result.dropped.map(({ name }) => name)).toEqual(["maybe"]);
  });
});

describe("a broken script is refused", () => {
  const chain = (depth: number): Uint8Array =>
    depth === 0
      ? weight
      : dict(
          text("a"),
          join(global("__torch__.net", "Net"), op.EMPTY_TUPLE, op.NEWOBJ, chain(depth - 1), op.BUILD),
        );
  const cases: readonly (readonly [what: string, bytes: Uint8Array, kind: string, message: string])[] = [
    [
      "without its pickle",
      buildZip([{ name: "net/constants.pkl", data: pickle(tuple()) }]),
      "malformed",
      "has no data.pkl",
    ],
    [
      "without a storage",
      script(dict(text("weight"), tensor({ from: storage("7", 2), shape: [2] }))),
      "malformed",
      "there is no record data/7",
    ],
    ["with modules nested too deep", script(chain(1100)), "malformed", "nest without end"],
    [
      "with code that is no text",
      script(weight, { "code/__torch__/net.py": Uint8Array.of(0xff, 0xfe) }),
      "malformed",
      "is no text",
    ],
    ["without tensors", script(dict(text("training"), op.NEWTRUE)), "unsupported", "holds no tensors"],
    [
      "with nothing but an attribute",
      script(weight, {
        "code/__torch__/net.py": "class Net(Module):\n  __parameters__ = []\n  __buffers__ = []\n",
      }),
      "unsupported",
      '"weight"',
    ],
  ];
  test.each(cases)("%s", async (_, bytes, kind, message) => {
    await expect(convertBytes("net.pt", bytes)).rejects.toMatchObject({
      kind,
      message: expect.stringContaining(message),
    });
  });

  test("whose modules refer to each other in so many ways that their names have no end", async () => {
    // Each module has the next one under two names: 2^40 names in a few hundred bytes.
    const nested = (depth: number): Uint8Array =>
      depth === 0
        ? join(global("__torch__.net", "Net"), op.EMPTY_TUPLE, op.NEWOBJ, weight, op.BUILD)
        : join(
            global("__torch__.net", "Net"),
            op.EMPTY_TUPLE,
            op.NEWOBJ,
            op.EMPTY_DICT,
            op.MARK,
            text("a"),
            nested(depth - 1),
            put(depth),
            text("b"),
            get(depth),
            op.SETITEMS,
            op.BUILD,
          );
    const bytes = buildZip([
      { name: "net/data.pkl", data: pickle(nested(40)) },
      { name: "net/constants.pkl", data: pickle(tuple()) },
      { name: "net/data/0", data: new Uint8Array(8) },
    ]);
    await expect(convertBytes("net.pt", bytes, { limits: { entries: 10_000 } })).rejects.toMatchObject({
      kind: "limit",
    });
  });
});

describe("a script of torch 1.0 to 1.2", () => {
  test("is refused by name", async () => {
    const bytes = buildZip([{ name: "net/model.json", data: new TextEncoder().encode("{}") }]);
    await expect(convertBytes("net.pt", bytes)).rejects.toMatchObject({
      kind: "unsupported",
      message: expect.stringContaining("torch 1.0 to 1.2"),
    });
  });
});

function put(index: number): Uint8Array {
  return Uint8Array.of(0x71, index);
}

function get(index: number): Uint8Array {
  return Uint8Array.of(0x68, index);
}
