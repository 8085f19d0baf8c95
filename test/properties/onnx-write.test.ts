import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { planOutput } from "../../src/convert/plan/plan-output.ts";
import { runPlan } from "../../src/convert/run/run-plan.ts";
import { createContext } from "../../src/core/context.ts";
import { type TensorDict, tensorDict } from "../../src/core/dict.ts";
import type { GraphAttribute, GraphNode, GraphValue, OperatorGraph } from "../../src/core/graph.ts";
import { graphDict } from "../../src/core/graph.ts";
import { type ByteSource, bytesSource, readBytes } from "../../src/core/source.ts";
import { onnxDTypeFor } from "../../src/formats/onnx/dtypes.ts";
import { onnx } from "../../src/formats/onnx/index.ts";
import type { OnnxAttribute } from "../../src/formats/onnx/model.ts";
import { reader } from "../../src/formats/onnx/read.ts";
import { skimModel } from "../../src/formats/onnx/skim.ts";
import { safetensors } from "../../src/formats/safetensors/index.ts";
import { anyDict } from "../support/arbitrary-dict.ts";
import { concatenate } from "../support/concatenate.ts";
import { readBack } from "../support/doubles.ts";
import { memoryOutput } from "../support/memory.ts";
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

function readAll(source: ByteSource): Promise<Uint8Array> {
  return readBytes(source, 0, source.size);
}

/** Metadata and dropped names; which is which shows in the values, by chance too. */
function stringsOf({ metadata, aliases }: TensorDict): unknown {
  return new Map([...aliases, ...metadata]);
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

  test("reads back as it was written, wherever its weights lie", async () => {
    const layout = fc.record({
      externalData: fc.constantFrom("auto", "always", "never", "safetensors"),
      maxShardBytes: fc.constantFrom(undefined, 1500),
    });
    await fc.assert(
      fc.asyncProperty(
        writable,
        fc.boolean(),
        layout,
        async (dict, isTied, { externalData, maxShardBytes }) => {
          const [name] = dict.tensors.keys();
          const aliases = isTied && name !== undefined ? [["another name", name] as const] : [];
          const wanted = { ...dict, aliases: new Map(aliases) };
          const shards = externalData === "never" ? undefined : maxShardBytes;
          const output = memoryOutput();
          const { plan } = await planOutput(wanted, onnx, "model.onnx", {
            externalData,
            maxShardBytes: shards,
            formats: [safetensors],
          });
          await runPlan(plan, output, () => false, createContext());
          const folder = readBack(output.files);
          const source = (await folder.open("model.onnx")) as ByteSource;
          const { candidates } = await reader.read(source, folder, createContext());
          const found = candidates[0]?.load() ?? tensorDict(new Map());
          expect([...found.tensors.keys()]).toEqual([...wanted.tensors.keys()]);
          for (const [key, { dtype, shape, payload }] of wanted.tensors) {
            const tensor = found.tensors.get(key);
            expect([tensor?.dtype, tensor?.shape]).toEqual([dtype, shape]);
            expect(tensor && (await readAll(tensor.payload))).toEqual(await readAll(payload));
          }
          // A file without tensors has none to look up names in, nor a candidate to carry metadata.
          if (wanted.tensors.size > 0) expect(stringsOf(found)).toEqual(stringsOf(wanted));
        },
      ),
      { numRuns: 300 },
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
