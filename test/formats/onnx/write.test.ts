import { describe, expect, test } from "vitest";
import { type OutputLayout, planOutput } from "../../../src/convert/plan/plan-output.ts";
import { runPlan } from "../../../src/convert/run/run-plan.ts";
import { createContext, type Notice } from "../../../src/core/context.ts";
import { type TensorDict, tensorDict } from "../../../src/core/dict.ts";
import { byteLength, type DType } from "../../../src/core/dtype.ts";
import {
  type GraphAttribute,
  type GraphBody,
  graphDict,
  type OperatorGraph,
} from "../../../src/core/graph.ts";
import { type OutputPlan, type PlannedFile, pieceSize } from "../../../src/core/plan.ts";
import { bytesSource } from "../../../src/core/source.ts";
import type { LazyTensor } from "../../../src/core/tensor.ts";
import { builtinFormats } from "../../../src/formats/index.ts";
import { onnx } from "../../../src/formats/onnx/index.ts";
import { reader as safetensorsReader } from "../../../src/formats/safetensors/read.ts";
import { concatenate } from "../../support/concatenate.ts";
import { memoryInput, memoryOutput } from "../../support/memory.ts";
import { decodeOnnx } from "../../support/onnx-schema.ts";
import { outcomeOf } from "../../support/outcome.ts";

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

/** A tensor that takes no memory: nobody reads it here, since plans follow from sizes. */
function ghost(bytes: number, dtype: DType = "U8"): LazyTensor {
  const shape = [(bytes * 8) / (byteLength(dtype, [8], {}) as number)];
  const payload = {
    name: "ghost",
    size: bytes,
    readInto: () => Promise.reject(new Error("a plan reads no payload")),
  };
  return { dtype, shape, payload };
}

function filled(fill: number, bytes: number, dtype: DType = "U8"): LazyTensor {
  return { ...ghost(bytes, dtype), payload: bytesSource("filled", new Uint8Array(bytes).fill(fill)) };
}

function dictOf(tensors: Readonly<Record<string, LazyTensor>>): TensorDict {
  return tensorDict(new Map(Object.entries(tensors)));
}

async function plan(dict: TensorDict, layout: OutputLayout = {}, name = "model.onnx"): Promise<OutputPlan> {
  return (await planOutput(dict, onnx, name, { formats: builtinFormats, ...layout })).plan;
}

/** The small message of a plan, decoded by another library. */
async function decoded({ files }: OutputPlan): Promise<Model> {
  return decodeOnnx(await concatenate((files.at(-1) as PlannedFile).pieces)) as unknown as Model;
}

interface Entry {
  readonly key: string;
  readonly value: string;
}

interface Initializer {
  readonly name: string;
  readonly raw_data?: Uint8Array;
  readonly external_data?: readonly Entry[];
  readonly data_location?: number;
}

interface Model {
  readonly ir_version: string;
  readonly graph: {
    readonly initializer?: readonly Initializer[];
    readonly input?: readonly { name: string }[];
    readonly output?: readonly { name: string }[];
    readonly value_info?: readonly unknown[];
  };
  readonly metadata_props?: readonly Entry[];
}

/** Where tensors lie outside of the model, by name: `file offset length`. */
async function places(planned: OutputPlan): Promise<Record<string, string>> {
  const { graph } = await decoded(planned);
  const outside = (graph.initializer ?? []).filter(({ data_location }) => data_location === 1);
  return Object.fromEntries(
    outside.map(({ name, external_data = [] }) => [name, external_data.map(({ value }) => value).join(" ")]),
  );
}

function names({ files }: OutputPlan): readonly string[] {
  return files.map(({ name }) => name);
}

describe("where the weights go", () => {
  const small = dictOf({ a: filled(1, 4), b: filled(2, 5000), c: filled(3, 1024), d: filled(4, 1023) });

  test("is into the model, as long as others can read it", async () => {
    expect(names(await plan(small))).toEqual(["model.onnx"]);
    const limit = 2 ** 31 - 1;
    const { size } = await plan(dictOf({ large: ghost(limit - 1000) }));
    const rest = limit - size;
    const fits = await plan(dictOf({ large: ghost(limit - 1000 + rest) }));
    expect(fits).toMatchObject({ size: limit, files: [{ name: "model.onnx" }] });
    const passes = await plan(dictOf({ large: ghost(limit - 1000 + rest + 1) }));
    expect(names(passes)).toEqual(["model.onnx.data", "model.onnx"]);
  });

  test("is beside the model where that is wanted, all but the small ones", async () => {
    const planned = await plan(small, { externalData: "always" });
    expect(names(planned)).toEqual(["model.onnx.data", "model.onnx"]);
    expect(await places(planned)).toEqual({ b: "model.onnx.data 0 5000", c: "model.onnx.data 5056 1024" });
    const { graph } = await decoded(planned);
    expect(graph.initializer?.map(({ name, raw_data }) => [name, raw_data?.length])).toEqual([
      ["a", 4],
      ["b", undefined],
      ["c", undefined],
      ["d", 1023],
    ]);
  });

  test("is the model alone where all are small", async () => {
    expect(names(await plan(dictOf({ a: filled(1, 4) }), { externalData: "always" }))).toEqual([
      "model.onnx",
    ]);
  });

  test("begins at 64 bytes, and for what is mapped into memory at 64 KiB", async () => {
    const planned = await plan(
      dictOf({ a: filled(1, 1025), b: filled(2, mebibyte), c: filled(3, mebibyte - 1), d: filled(4, 2000) }),
      { externalData: "always" },
    );
    expect(await places(planned)).toEqual({
      a: "model.onnx.data 0 1025",
      b: `model.onnx.data ${64 * kibibyte} ${mebibyte}`,
      c: `model.onnx.data ${64 * kibibyte + mebibyte} ${mebibyte - 1}`,
      d: `model.onnx.data ${64 * kibibyte + 2 * mebibyte} 2000`,
    });
    const data = await concatenate((planned.files[0] as PlannedFile).pieces);
    expect(data.subarray(1024, 64 * kibibyte + 1)).toEqual(
      Uint8Array.from({ length: 63 * kibibyte + 1 }, (_, at) => [1, 2][[0, 63 * kibibyte].indexOf(at)] ?? 0),
    );
  });

  test("is several files where they are to be smaller, in the order of the dict", async () => {
    const planned = await plan(small, { maxShardBytes: 5500 });
    expect(names(planned)).toEqual(["model-00001-of-00002.data", "model-00002-of-00002.data", "model.onnx"]);
    expect(await places(planned)).toEqual({
      b: "model-00001-of-00002.data 0 5000",
      c: "model-00002-of-00002.data 0 1024",
    });
  });

  test("is the model whatever its size where that is demanded, with a word about it", async () => {
    const notices: Notice[] = [];
    const layout: OutputLayout = { externalData: "never", warn: (notice) => notices.push(notice) };
    const planned = await plan(dictOf({ large: ghost(5_000_000_000) }), layout);
    expect(names(planned)).toEqual(["model.onnx"]);
    expect(planned.size).toBeGreaterThan(5_000_000_000);
    expect(notices.map(({ code }) => code)).toEqual(["beyond-protobuf"]);
  });

  test("cannot be the model and several files at once", async () => {
    const { error } = await outcomeOf(() => plan(small, { externalData: "never", maxShardBytes: 2000 }));
    expect(error).toMatchObject({ kind: "usage" });
  });

  test("is decided by sizes alone, for far more than a file holds", async () => {
    const planned = await plan(dictOf({ a: ghost(2 ** 43), b: ghost(2 ** 43), c: ghost(2000) }));
    expect(await places(planned)).toEqual({
      a: `model.onnx.data 0 ${2 ** 43}`,
      b: `model.onnx.data ${2 ** 43} ${2 ** 43}`,
      c: `model.onnx.data ${2 ** 44} 2000`,
    });
    for (const { size, pieces } of planned.files)
      expect(pieces.reduce((sum, piece) => sum + pieceSize(piece), 0)).toBe(size);
  });

  test("is told by name from files of others, so that only its own give way", async () => {
    const { isOfModel } = await planOutput(small, onnx, "model.onnx", { externalData: "always" });
    const own = ["model.onnx", "model.onnx.data", "model-00001-of-00003.data"];
    const foreign = [
      "model.data",
      "model.safetensors",
      "other.onnx",
      "other-00001-of-00003.data",
      "model.pth",
    ];
    expect([...own, ...foreign].filter(isOfModel)).toEqual(own);
  });
});

describe("another format as the place of the weights", () => {
  const dict = dictOf({
    weight: filled(1, 4096, "F32"),
    bias: filled(2, 16, "F32"),
    axes: filled(3, 16, "I64"),
    table: filled(4, 4096, "I64"),
    none: filled(0, 0, "F32"),
  });

  async function written(layout: OutputLayout) {
    const planned = await plan(dict, { externalData: "safetensors", ...layout });
    const files = await Promise.all(
      planned.files.map(async ({ name, pieces }) => [name, await concatenate(pieces)] as const),
    );
    return { planned, files: new Map(files) };
  }

  test("is safetensors with every tensor in it, and the model points at its bytes", async () => {
    const { planned, files } = await written({});
    expect([...files.keys()]).toEqual(["model.safetensors", "model.onnx"]);
    const bytes = files.get("model.safetensors") as Uint8Array;
    const { folder } = memoryInput("model.safetensors", bytes);
    const source = bytesSource("model.safetensors", bytes);
    const { candidates } = await safetensorsReader.read(source, folder, createContext());
    expect([...(candidates[0]?.load().tensors.keys() ?? [])].sort()).toEqual([...dict.tensors.keys()].sort());
    const found = await places(planned);
    expect(Object.keys(found).sort()).toEqual(["bias", "table", "weight"]);
    for (const [name, place] of Object.entries(found)) {
      const [file, offset, length] = place.split(" ");
      const part = bytes.subarray(Number(offset), Number(offset) + Number(length));
      expect(file).toBe("model.safetensors");
      expect(part).toEqual(new Uint8Array(part.length).fill({ bias: 2, table: 4, weight: 1 }[name] ?? 0));
      expect(part.length).toBe(dict.tensors.get(name)?.payload.size);
    }
  });

  test("may be shards with their index", async () => {
    const { planned, files } = await written({ maxShardBytes: 5000 });
    expect([...files.keys()]).toEqual([
      "model-00001-of-00002.safetensors",
      "model-00002-of-00002.safetensors",
      "model.safetensors.index.json",
      "model.onnx",
    ]);
    const found = Object.values(await places(planned)).map((place) => place.split(" ")[0]);
    expect([...new Set(found)].sort()).toEqual([
      "model-00001-of-00002.safetensors",
      "model-00002-of-00002.safetensors",
    ]);
  });

  test("counts no tensor twice", async () => {
    const { planned } = await written({});
    expect(planned.files.map(({ tensorCount }) => tensorCount)).toEqual([0, 5]);
  });

  test("is refused where it has no such type", async () => {
    const complex = dictOf({ wave: filled(1, 32, "C128") });
    const { error } = await outcomeOf(() => plan(complex, { externalData: "safetensors" }));
    expect(error).toMatchObject({ kind: "unsupported", site: { tensor: "wave" } });
  });

  test("may also be a PyTorch file, whose zip has the same bytes in the open", async () => {
    const planned = await plan(dict, { externalData: "pytorch" });
    expect(names(planned)).toEqual(["model.pth", "model.onnx"]);
    const output = memoryOutput();
    await runPlan(planned, output, () => false, createContext());
    const bytes = output.files.get("model.pth") as Uint8Array;
    const [file, offset, length] = (await places(planned))["table"]?.split(" ") ?? [];
    expect(file).toBe("model.pth");
    expect(bytes.subarray(Number(offset), Number(offset) + Number(length))).toEqual(
      new Uint8Array(4096).fill(4),
    );
  });

  test("may have bytes once that two tensors show", async () => {
    const shared = filled(5, 4096);
    const twice = dictOf({ flat: shared, square: { ...shared, shape: [64, 64] } });
    const found = await places(await plan(twice, { externalData: "pytorch" }));
    expect(found["flat"]).toBe(found["square"]);
  });

  test.each(["onnx", "sometimes"])("cannot be %s", async (externalData) => {
    const { error } = await outcomeOf(() => plan(dict, { externalData }));
    expect(error?.kind).toBe("usage");
  });
});

describe("weights without a graph", () => {
  test("stand in order, and are outputs where a runtime can hand them out", async () => {
    const dict = dictOf({ z: filled(1, 4, "F32"), half: filled(2, 4, "BF16"), a: filled(3, 8, "I64") });
    const { graph } = await decoded(await plan(dict));
    expect(graph.initializer?.map(({ name }) => name)).toEqual(["z", "half", "a"]);
    expect(graph.output?.map(({ name }) => name)).toEqual(["z", "a"]);
    expect(graph.input).toBeUndefined();
  });

  test("that cannot be outputs get an empty one beside them, under a name that is free", async () => {
    const dict = dictOf({ nothing: filled(1, 4, "BF16"), nothing_: filled(1, 4, "BF16") });
    const { graph } = await decoded(await plan(dict));
    expect(graph.output?.map(({ name }) => name)).toEqual(["nothing__"]);
    expect(graph.input?.map(({ name }) => name)).toEqual(["nothing__"]);
  });

  test.each<[DType, string]>([
    ["F32", "4"],
    ["BF16", "4"],
    ["F8_E4M3", "9"],
    ["I4", "10"],
    ["F4", "11"],
    ["F8_E8M0", "12"],
    ["U2", "13"],
  ])("of %s ask for IR version %s, and for no later one", async (dtype, version) => {
    const { ir_version } = await decoded(await plan(dictOf({ a: filled(1, 8, dtype) })));
    expect(ir_version).toBe(version);
  });

  test("of types that ONNX lacks are refused by name", async () => {
    const { error } = await outcomeOf(() => plan(dictOf({ narrow: filled(1, 4, "C32") })));
    expect(error).toMatchObject({ kind: "unsupported", site: { tensor: "narrow" } });
  });

  test.each(["", "half\ud800"])("named %j are refused", async (name) => {
    const { error } = await outcomeOf(() => plan(dictOf({ [name]: filled(1, 4) })));
    expect(error?.kind).toBe("unsupported");
  });

  test("keep metadata, and names that were dropped", async () => {
    const dict = {
      ...dictOf({ a: filled(1, 4) }),
      metadata: new Map([["k", "v"]]),
      aliases: new Map([["b", "a"]]),
    };
    const { metadata_props } = await decoded(await plan(dict));
    expect(metadata_props).toEqual([
      { key: "b", value: "a" },
      { key: "k", value: "v" },
    ]);
  });
});

describe("a graph", () => {
  const body: OperatorGraph = {
    name: "g",
    nodes: [],
    inputs: [],
    outputs: [{ name: "w", dtype: "F32", dims: undefined }],
    initializers: new Map([["w", filled(7, 8, "F32")]]),
    opsets: [{ domain: "", version: 18 }],
  };

  test("takes its weights from the dict, where they may have been changed", async () => {
    const dict = { ...graphDict(body), tensors: new Map([["w", filled(9, 8, "F32")]]) };
    const { graph } = await decoded(await plan(dict));
    expect(graph.initializer?.[0]?.raw_data).toEqual(new Uint8Array(8).fill(9));
  });

  test("takes its own where the dict has dropped one", async () => {
    const dict = { ...graphDict(body), tensors: new Map() };
    const { graph } = await decoded(await plan(dict));
    expect(graph.initializer?.[0]?.raw_data).toEqual(new Uint8Array(8).fill(7));
  });

  test.each<[string, TensorDict["tensors"], RegExp]>([
    ["another name", new Map([["v", filled(7, 8, "F32")]]), /no weight "v"/],
    ["another dtype", new Map([["w", filled(7, 4, "F16")]]), /is F16 \[2\], and the graph takes F32 \[2\]/],
    ["another shape", new Map([["w", filled(7, 16, "F32")]]), /is F32 \[4\]/],
  ])("takes no weight of %s", async (_, tensors, message) => {
    const { error } = await outcomeOf(() => plan({ ...graphDict(body), tensors }));
    expect(error?.kind).toBe("unsupported");
    expect(error?.message).toMatch(message);
  });

  test.each([
    [9, "4"],
    [14, "7"],
    [17, "8"],
    [18, "8"],
    [21, "10"],
    [24, "12"],
    [28, "14"],
  ])("of opset %i asks for IR version %s", async (version, ir) => {
    const { ir_version } = await decoded(
      await plan(graphDict({ ...body, opsets: [{ domain: "", version }] })),
    );
    expect(ir_version).toBe(ir);
  });

  test("asks for the IR version of a type that only a constant in a branch has", async () => {
    const constant: GraphAttribute = {
      kind: "tensor",
      value: { dtype: "F8_E8M0", shape: [1], bytes: Uint8Array.of(1) },
    };
    const dict = graphDict({ ...body, nodes: [nodeWith(nested(1, nodeWith(constant)))] });
    expect((await decoded(await plan(dict))).ir_version).toBe("12");
  });

  test("with subgraphs too deep for readers is refused", async () => {
    const deep = (depth: number) => plan(graphDict({ ...body, nodes: [nodeWith(nested(depth))] }));
    await deep(30);
    expect((await outcomeOf(() => deep(31))).error?.kind).toBe("unsupported");
  });

  function nodeWith(attribute: GraphAttribute): GraphBody["nodes"][number] {
    const attributes = new Map([["a", attribute]]);
    return { opType: "If", domain: "", name: "", inputs: [], outputs: [], attributes };
  }

  /** A branch within a branch and so on, `inner` at the bottom. */
  function nested(depth: number, inner?: GraphBody["nodes"][number]): GraphAttribute {
    const nodes = depth > 1 ? [nodeWith(nested(depth - 1, inner))] : inner ? [inner] : [];
    return { kind: "graph", value: { name: "branch", nodes, inputs: [], outputs: [] } };
  }
});
