import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { WireMessage } from "../../src/containers/protobuf/wire.ts";
import { createContext } from "../../src/core/context.ts";
import { bytesSource } from "../../src/core/source.ts";
import { onnxDTypeByCode, onnxDTypeFor } from "../../src/formats/onnx/dtypes.ts";
import { entriesOf } from "../../src/formats/onnx/entries.ts";
import type { OnnxModel, OnnxTensor, OnnxType } from "../../src/formats/onnx/model.ts";
import { reportOf } from "../../src/formats/onnx/report.ts";
import { skimModel } from "../../src/formats/onnx/skim.ts";
import { encodeOnnx } from "../support/onnx-schema.ts";
import { outcomeOf } from "../support/outcome.ts";

const name = fc.string({ unit: "grapheme", maxLength: 12 });
const pairs = fc.array(fc.record({ key: name, value: name }), { maxLength: 3 });
const dims = fc.array(fc.nat(2 ** 31), { maxLength: 4 });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String);

/** A tensor with its values in one place, or in none. */
const tensor = fc
  .record({
    name,
    dims,
    data_type: fc.nat(40),
    home: fc.oneof(
      fc.constant({}),
      fc.uint8Array({ minLength: 1, maxLength: 70 }).map((raw_data) => ({ raw_data })),
      fc.array(fc.float(), { minLength: 1, maxLength: 5 }).map((float_data) => ({ float_data })),
      fc.array(fc.integer(), { minLength: 1, maxLength: 5 }).map((int32_data) => ({ int32_data })),
      fc.array(int64, { minLength: 1, maxLength: 5 }).map((int64_data) => ({ int64_data })),
      pairs.map((external_data) => ({ external_data, data_location: 1 })),
    ),
  })
  .map(({ home, ...rest }) => ({ ...rest, ...home }));

const type = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    fc
      .record({
        elem_type: fc.nat(30),
        dim: fc.option(
          fc.array(
            fc.oneof(
              fc.nat().map((dim_value) => ({ dim_value })),
              name.map((dim_param) => ({ dim_param })),
              fc.constant({}),
            ),
            { maxLength: 4 },
          ),
        ),
      })
      .map(({ elem_type, dim }) => ({ tensor_type: dim ? { elem_type, shape: { dim } } : { elem_type } })),
    tie("any").map((elem_type) => ({ sequence_type: { elem_type } })),
    tie("any").map((elem_type) => ({ optional_type: { elem_type } })),
    tie("any").map((value_type) => ({ map_type: { key_type: 7, value_type } })),
  ),
})).any as fc.Arbitrary<unknown>;

const value = fc.record({ name, type, metadata_props: pairs });

const { graph } = fc.letrec((tie) => ({
  attribute: fc
    .record({
      name,
      value: fc.oneof(
        { maxDepth: 2 },
        fc.float().map((f) => ({ f, type: 1 })),
        int64.map((i) => ({ i, type: 2 })),
        name.map((s) => ({ s: new TextEncoder().encode(s), type: 3 })),
        tensor.map((t) => ({ t, type: 4 })),
        fc.array(fc.float(), { maxLength: 4 }).map((floats) => ({ floats, type: 6 })),
        fc.array(int64, { maxLength: 4 }).map((ints) => ({ ints, type: 7 })),
        fc.array(tensor, { maxLength: 2 }).map((tensors) => ({ tensors, type: 9 })),
        tie("graph").map((g) => ({ g, type: 5 })),
        fc.array(tie("graph"), { maxLength: 2 }).map((graphs) => ({ graphs, type: 10 })),
      ),
    })
    .map(({ name, value }) => ({ name, ...value })),
  node: fc.record({
    name,
    op_type: name,
    domain: name,
    input: fc.array(name, { maxLength: 3 }),
    output: fc.array(name, { maxLength: 3 }),
    attribute: fc.array(tie("attribute"), { maxLength: 2 }),
    metadata_props: pairs,
  }),
  graph: fc.record({
    name,
    node: fc.array(tie("node"), { maxLength: 3 }),
    initializer: fc.array(tensor, { maxLength: 3 }),
    sparse_initializer: fc.array(fc.record({ values: tensor, indices: tensor, dims }), { maxLength: 1 }),
    input: fc.array(value, { maxLength: 2 }),
    output: fc.array(value, { maxLength: 2 }),
    value_info: fc.array(value, { maxLength: 2 }),
    metadata_props: pairs,
  }),
}));

const model = fc.record({
  ir_version: fc.nat(20),
  producer_name: name,
  producer_version: name,
  domain: name,
  model_version: int64,
  opset_import: fc.array(fc.record({ domain: name, version: fc.nat(30) }), { maxLength: 3 }),
  metadata_props: pairs,
  graph: graph as fc.Arbitrary<Raw>,
  functions: fc.array(
    fc.record({ name, domain: name, overload: name, input: fc.array(name, { maxLength: 2 }) }),
    { maxLength: 2 },
  ),
  training_info: fc.array(fc.record({ algorithm: graph as fc.Arbitrary<Raw> }), { maxLength: 2 }),
});

/** What protobufjs was given, by the field names of ONNX. */
// biome-ignore lint/suspicious/noExplicitAny: messages of another library, described by its schema.
type Raw = any;

function skim(bytes: Uint8Array): Promise<OnnxModel> {
  return skimModel(bytesSource("sample.onnx", bytes), createContext());
}

function mapOf(list: readonly { key: string; value: string }[]): Map<string, string> {
  return new Map(list.map(({ key, value }) => [key, value]));
}

/** What the model is to hold, told by what was encoded. */
function expectGraph(found: OnnxModel["graph"], wanted: Raw): void {
  expect(found.name).toBe(wanted.name);
  expect(found.metadata).toEqual(mapOf(wanted.metadata_props));
  expect(found.initializers).toHaveLength(wanted.initializer.length);
  for (const [index, tensor] of found.initializers.entries()) expectTensor(tensor, wanted.initializer[index]);
  for (const [index, sparse] of found.sparseInitializers.entries()) {
    const raw = wanted.sparse_initializer[index];
    expectTensor(sparse.values, raw.values);
    expectTensor(sparse.indices, raw.indices);
    expect(sparse.dims).toEqual(raw.dims);
  }
  for (const [list, raw] of [
    [found.inputs, wanted.input],
    [found.outputs, wanted.output],
    [found.valueInfo, wanted.value_info],
  ] as const) {
    expect(list.map(({ name, metadata }) => [name, metadata])).toEqual(
      raw.map((item: Raw) => [item.name, mapOf(item.metadata_props)]),
    );
    for (const [index, { type }] of list.entries()) expectType(type, raw[index].type);
  }
  expect(found.nodes).toHaveLength(wanted.node.length);
  for (const [index, node] of found.nodes.entries()) expectNode(node, wanted.node[index]);
}

function expectNode(found: OnnxModel["graph"]["nodes"][number], wanted: Raw): void {
  const { name, opType, domain, inputs, outputs, attributes, metadata } = found;
  expect({ name, op_type: opType, domain, input: inputs, output: outputs }).toEqual({
    name: wanted.name,
    op_type: wanted.op_type,
    domain: wanted.domain,
    input: wanted.input,
    output: wanted.output,
  });
  expect(metadata).toEqual(mapOf(wanted.metadata_props));
  expect(attributes).toHaveLength(wanted.attribute.length);
  for (const [index, attribute] of attributes.entries()) {
    const raw = wanted.attribute[index];
    expect([attribute.name, attribute.type]).toEqual([raw.name, raw.type]);
    if ("f" in raw) expect(attribute.float).toBe(raw.f);
    if ("i" in raw) expect(attribute.int).toBe(BigInt(raw.i));
    if ("s" in raw) expect(attribute.text).toBe(new TextDecoder().decode(raw.s));
    expect(attribute.floats).toEqual(raw.floats ?? []);
    expect(attribute.ints).toEqual((raw.ints ?? []).map(BigInt));
    const tensors = raw.t ? [raw.t] : (raw.tensors ?? []);
    expect(attribute.tensors).toHaveLength(tensors.length);
    for (const [at, tensor] of attribute.tensors.entries()) expectTensor(tensor, tensors[at]);
    const graphs = raw.g ? [raw.g] : (raw.graphs ?? []);
    expect(attribute.graphs).toHaveLength(graphs.length);
    for (const [at, body] of attribute.graphs.entries()) expectGraph(body, graphs[at]);
  }
}

function expectTensor(found: OnnxTensor, wanted: Raw): void {
  const { name, dims, dataType, home } = found;
  expect([name, dims, dataType]).toEqual([wanted.name, wanted.dims, wanted.data_type]);
  if (home.kind === "external") expect(home.entries).toEqual(mapOf(wanted.external_data));
  if (home.kind === "raw") expect(home.end - home.start).toBe(wanted.raw_data.length);
  if (home.kind === "typed")
    expect({ 4: wanted.float_data, 5: wanted.int32_data, 7: wanted.int64_data }).toHaveProperty(
      String(home.field),
    );
  const places = ["raw_data", "float_data", "int32_data", "int64_data", "data_location"];
  expect(home.kind === "none").toBe(!places.some((place) => place in wanted));
}

function expectType(found: OnnxType | undefined, wanted: Raw): void {
  if (wanted.tensor_type) {
    const shape = wanted.tensor_type.shape?.dim.map(
      (dim: Raw) => dim.dim_value ?? (dim.dim_param || undefined),
    );
    expect(found).toEqual({ kind: "tensor", elemType: wanted.tensor_type.elem_type, dims: shape });
  } else if (wanted.map_type) expectElement(found, "map", wanted.map_type.value_type);
  else if (wanted.sequence_type) expectElement(found, "sequence", wanted.sequence_type.elem_type);
  else expectElement(found, "optional", wanted.optional_type.elem_type);
}

function expectElement(found: OnnxType | undefined, kind: string, wanted: Raw): void {
  expect(found).toMatchObject({ kind });
  expectType((found as { element?: OnnxType }).element, wanted);
}

describe("a skimmed model", () => {
  test("holds what another library encoded", async () => {
    await fc.assert(
      fc.asyncProperty(model, async (wanted) => {
        const found = await skim(encodeOnnx(wanted));
        expect(found).toMatchObject({
          irVersion: wanted.ir_version,
          producerName: wanted.producer_name,
          producerVersion: wanted.producer_version,
          domain: wanted.domain,
          modelVersion: BigInt(wanted.model_version),
          opsets: wanted.opset_import,
          metadata: mapOf(wanted.metadata_props),
        });
        expect(
          found.functions.map(({ name, domain, overload, inputs }) => ({
            name,
            domain,
            overload,
            input: inputs,
          })),
        ).toEqual(wanted.functions);
        expectGraph(found.graph, wanted.graph);
        for (const [index, { algorithm }] of wanted.training_info.entries())
          expectGraph(found.trainingGraphs[index] as OnnxModel["graph"], algorithm);
      }),
      { numRuns: 200 },
    );
  });

  test("says where each tensor lies, and every length around it", async () => {
    const weight = { name: "w", dims: [2], data_type: 1, raw_data: new Uint8Array(8).fill(7) };
    const body = { name: "body", initializer: [weight] };
    const bytes = encodeOnnx({
      ir_version: 8,
      graph: { name: "g", node: [{ op_type: "If", attribute: [{ name: "then_branch", g: body, type: 5 }] }] },
    });
    const { graph } = await skim(bytes);
    const inner = graph.nodes[0]?.attributes[0]?.graphs[0];
    expect(inner?.path).toBe("If_0/then_branch");
    const tensor = inner?.initializers[0] as OnnxTensor;
    expect(tensor.home).toMatchObject({ kind: "raw" });
    const { start, end } = tensor.home as { start: number; end: number };
    expect(bytes.subarray(start, end)).toEqual(weight.raw_data);
    const lengths: number[] = [];
    for (let at: WireMessage | undefined = tensor.parts[0]; at?.parent; at = at.parent) {
      expect(bytes[at.lengthStart]).toBe(at.end - at.start);
      expect(at.start - at.lengthStart).toBe(1);
      lengths.push(at.end - at.start);
    }
    // TensorProto, GraphProto, AttributeProto, NodeProto, GraphProto.
    expect(lengths).toHaveLength(5);
    expect(lengths).toEqual(lengths.toSorted((a, b) => a - b));
  });

  test("takes fields in any order, unknown ones, and a graph in two parts", async () => {
    const first = encodeOnnx({ graph: { name: "one", node: [{ name: "a", op_type: "Relu" }] } });
    const second = encodeOnnx({ graph: { name: "two", node: [{ name: "a", op_type: "Relu" }] } });
    const facts = encodeOnnx({ ir_version: 3, producer_name: "me" });
    const unknown = Uint8Array.from([0xfa, 0x06, 3, 1, 2, 3]);
    const model = await skim(
      new Uint8Array([...first, ...unknown, ...facts, ...second, ...encodeOnnx({ ir_version: 9 })]),
    );
    expect(model).toMatchObject({ irVersion: 9, producerName: "me" });
    expect(model.graph.name).toBe("two");
    expect(model.graph.parts).toHaveLength(2);
    expect(model.graph.nodes.map(({ name }) => name)).toEqual(["a", "a"]);
  });

  test("may have functions that call each other in a circle: nothing here follows calls", async () => {
    const call = (name: string) => ({ op_type: name, domain: "own", input: ["x"], output: ["y"] });
    const functions = [
      { name: "A", domain: "own", input: ["x"], output: ["y"], node: [call("B")] },
      { name: "B", domain: "own", input: ["x"], output: ["y"], node: [call("A"), call("B")] },
    ];
    const model = await skim(
      encodeOnnx({ ir_version: 8, graph: { name: "g", node: [call("A")] }, functions }),
    );
    expect(model.functions.map(({ path }) => path)).toEqual(["functions/own.A", "functions/own.B"]);
    expect(entriesOf(model)).toEqual([]);
    expect(reportOf(model).operators).toEqual({ "own.A": 2, "own.B": 2 });
  });

  test("refuses a tensor with values in two places", async () => {
    const both = { name: "w", dims: [1], data_type: 1, raw_data: new Uint8Array(4), float_data: [1] };
    const { error } = await outcomeOf(() => skim(encodeOnnx({ graph: { initializer: [both] } })));
    expect(error).toMatchObject({
      kind: "malformed",
      message: 'the tensor "w" has values in two places: raw and typed',
    });
  });
});

test("every element type but text has a dtype of its own", () => {
  expect([...onnxDTypeByCode.keys()]).toEqual(
    Array.from({ length: 28 }, (_, index) => index + 1).filter((code) => code !== 8),
  );
  for (const [code, { dtype }] of onnxDTypeByCode) expect(onnxDTypeFor.get(dtype)?.code).toBe(code);
});

describe("a damaged model", () => {
  test("is read, or refused in our own words, whatever bytes are changed or cut off", async () => {
    const damage = fc.record({
      model,
      flips: fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }),
      cut: fc.option(fc.nat()),
    });
    await fc.assert(
      fc.asyncProperty(damage, async ({ model, flips, cut }) => {
        const bytes = encodeOnnx(model);
        for (const [at, byte] of flips) if (bytes.length > 0) bytes[at % bytes.length] = byte;
        const damaged = cut === null ? bytes : bytes.subarray(0, cut % (bytes.length + 1));
        const { error } = await outcomeOf(() => skim(damaged));
        if (error) expect(["malformed", "io", "limit", "unsupported"]).toContain(error.kind);
      }),
      { numRuns: 300 },
    );
  });
});
