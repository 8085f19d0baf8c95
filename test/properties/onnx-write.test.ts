import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { planOutput } from "../../src/convert/plan-output.ts";
import { createContext } from "../../src/core/context.ts";
import type { TensorDict } from "../../src/core/dict.ts";
import type { GraphAttribute, GraphNode, GraphValue, OperatorGraph } from "../../src/core/graph.ts";
import { graphDict } from "../../src/core/graph.ts";
import { bytesSource, readBytes } from "../../src/core/source.ts";
import { onnxDTypeFor } from "../../src/formats/onnx/dtypes.ts";
import { onnx } from "../../src/formats/onnx/index.ts";
import type { OnnxAttribute } from "../../src/formats/onnx/model.ts";
import { skimModel } from "../../src/formats/onnx/skim.ts";
import { anyDict } from "../support/arbitrary-dict.ts";
import { concatenate } from "../support/concatenate.ts";
import { decodeOnnx, encodeOnnx } from "../support/onnx-schema.ts";

/** Dicts that ONNX can hold. */
const writable: fc.Arbitrary<TensorDict> = anyDict.map((dict) => ({
  ...dict,
  tensors: new Map([...dict.tensors].filter(([name, { dtype }]) => name !== "" && onnx.storable.has(dtype))),
}));

async function write(dict: TensorDict): Promise<Uint8Array> {
  const { plan } = await planOutput(dict, onnx, "model.onnx");
  const [file] = plan.files;
  const bytes = await concatenate(file?.pieces ?? []);
  expect(bytes.length).toBe(file?.size);
  return bytes;
}

const name = fc.string({ unit: "binary", maxLength: 6 });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const float = fc.float({ noNaN: true });

const value: fc.Arbitrary<GraphValue> = fc.record({
  name,
  dtype: fc.constantFrom(...onnxDTypeFor.keys()),
  dims: fc.option(fc.array(fc.oneof(fc.nat(), name), { maxLength: 3 }), { nil: undefined }),
});

const { node } = fc.letrec<{ node: GraphNode; attribute: GraphAttribute }>((tie) => ({
  attribute: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.record({ kind: fc.constant("int" as const), value: int64 }),
    fc.record({ kind: fc.constant("ints" as const), value: fc.array(int64, { maxLength: 3 }) }),
    fc.record({ kind: fc.constant("float" as const), value: float }),
    fc.record({ kind: fc.constant("floats" as const), value: fc.array(float, { maxLength: 3 }) }),
    fc.record({ kind: fc.constant("string" as const), value: name }),
    fc.record({ kind: fc.constant("strings" as const), value: fc.array(name, { maxLength: 3 }) }),
    fc.record({
      kind: fc.constant("tensor" as const),
      value: fc.record({
        dtype: fc.constant("U8" as const),
        shape: fc.tuple(fc.constant(5)),
        bytes: fc.uint8Array({ minLength: 5, maxLength: 5 }),
      }),
    }),
    fc.record({
      kind: fc.constant("graph" as const),
      value: fc.record({
        name,
        nodes: fc.array(tie("node"), { maxLength: 2 }),
        inputs: fc.array(value, { maxLength: 2 }),
        outputs: fc.array(value, { maxLength: 2 }),
      }),
    }),
  ) as fc.Arbitrary<GraphAttribute>,
  node: fc.record({
    opType: name,
    domain: name,
    name,
    inputs: fc.array(name, { maxLength: 3 }),
    outputs: fc.array(name, { maxLength: 3 }),
    attributes: fc
      .uniqueArray(fc.tuple(name, tie("attribute")), { selector: ([key]) => key, maxLength: 3 })
      .map((entries) => new Map(entries)),
  }),
}));

const graph: fc.Arbitrary<OperatorGraph> = fc.record({
  name,
  nodes: fc.array(node, { maxLength: 4 }),
  inputs: fc.array(value, { maxLength: 3 }),
  outputs: fc.array(value, { maxLength: 3 }),
  values: fc.array(value, { maxLength: 3 }),
  initializers: writable.map(({ tensors }) => tensors),
  opsets: fc.array(fc.record({ domain: name, version: fc.nat(30) }), { maxLength: 2 }),
});

/** What our reader has for an attribute of a node, as far as `comparable` has it too. */
function valueIn({ name, int, ints, float, floats, text, texts }: OnnxAttribute, node: GraphNode): unknown {
  const values = {
    int,
    ints,
    float,
    floats,
    string: text,
    strings: texts,
    tensor: undefined,
    graph: undefined,
  };
  return values[node.attributes.get(name)?.kind ?? "graph"];
}

/** The value of an attribute that is no message. */
function comparable({ kind, value }: GraphAttribute): unknown {
  return kind === "tensor" || kind === "graph" ? undefined : value;
}

describe("an ONNX file of ours", () => {
  test("is what another encoder makes of what another decoder sees in it, with or without a graph", async () => {
    const anything = fc.oneof(writable, graph.map(graphDict));
    await fc.assert(
      fc.asyncProperty(anything, async (dict) => {
        const bytes = await write(dict);
        expect(encodeOnnx(decodeOnnx(bytes))).toEqual(bytes);
      }),
      { numRuns: 300 },
    );
  });

  test("has the tensors of the dict, in order, byte for byte where our own reader finds them", async () => {
    await fc.assert(
      fc.asyncProperty(writable, async (dict) => {
        const bytes = await write(dict);
        const source = bytesSource("model.onnx", bytes);
        const model = await skimModel(source, createContext());
        const names = model.graph.initializers.map((tensor) => tensor.name);
        expect(names).toEqual([...dict.tensors.keys()]);
        for (const { name, dims, dataType, home } of model.graph.initializers) {
          const wanted = dict.tensors.get(name);
          expect([dims, dataType]).toEqual([wanted?.shape, wanted && onnxDTypeFor.get(wanted.dtype)?.code]);
          const payload = wanted && (await readBytes(wanted.payload, 0, wanted.payload.size));
          const found = home.kind === "raw" ? bytes.slice(home.start, home.end) : new Uint8Array(0);
          expect(found).toEqual(payload);
        }
        expect(new Map(model.metadata)).toEqual(dict.metadata);
      }),
      { numRuns: 200 },
    );
  });

  test("has the nodes of the graph, with their attributes, where our own reader finds them", async () => {
    await fc.assert(
      fc.asyncProperty(graph, async (wanted) => {
        const model = await skimModel(
          bytesSource("model.onnx", await write(graphDict(wanted))),
          createContext(),
        );
        expect(model.graph.name).toBe(wanted.name);
        expect(model.opsets).toEqual(wanted.opsets);
        expect(model.graph.inputs.map(({ name }) => name)).toEqual(wanted.inputs.map(({ name }) => name));
        for (const [index, node] of wanted.nodes.entries()) {
          const { opType, domain, name, inputs, outputs } = node;
          const found = model.graph.nodes[index];
          expect(found).toMatchObject({ opType, domain, name, inputs, outputs });
          expect(found?.attributes.map((attribute) => attribute.name)).toEqual([...node.attributes.keys()]);
          const values = (found?.attributes ?? []).map((attribute) => valueIn(attribute, node));
          expect(values).toEqual([...node.attributes.values()].map(comparable));
        }
      }),
      { numRuns: 200 },
    );
  });
});
