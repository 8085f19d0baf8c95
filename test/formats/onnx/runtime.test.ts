import { readFileSync } from "node:fs";
import { join } from "node:path";
import onnxProto from "onnx-proto";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { planOutput } from "../../../src/convert/plan/plan-output.ts";
import { runPlan } from "../../../src/convert/run/run-plan.ts";
import { createContext } from "../../../src/core/context.ts";
import { type TensorDict, tensorDict } from "../../../src/core/dict.ts";
import { byteLength, type DType } from "../../../src/core/dtype.ts";
import { type GraphNode, graphDict, intAttribute } from "../../../src/core/graph.ts";
import { bytesSource, readBytes } from "../../../src/core/source.ts";
import type { LazyTensor } from "../../../src/core/tensor.ts";
import { builtinFormats } from "../../../src/formats/index.ts";
import { onnx } from "../../../src/formats/onnx/index.ts";
import { outputFolder } from "../../../src/node/output-folder.ts";
import { temporaryFolder } from "../../support/files.ts";

/** Bytes that tell the places of a tensor apart; small enough for every type. */
function counting(dtype: DType, shape: readonly number[], from = 0): LazyTensor {
  const wrap = dtype === "BOOL" ? 2 : 60;
  const length = byteLength(dtype, shape, {});
  const bytes = Uint8Array.from({ length }, (_, index) => (from + index) % wrap);
  return { dtype, shape, payload: bytesSource("counting", bytes) };
}

/** Types that the runtime hands out, with what it calls them. */
const handedOut: Readonly<Record<string, DType>> = {
  float32: "F32",
  float64: "F64",
  float16: "F16",
  int64: "I64",
  int32: "I32",
  int16: "I16",
  int8: "I8",
  uint64: "U64",
  uint32: "U32",
  uint16: "U16",
  uint8: "U8",
  bool: "BOOL",
};

/** Types that it takes in, and some that it does not know how to give out. */
const others: readonly DType[] = ["BF16", "F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F4", "F8_E8M0", "C64"];

const weights: TensorDict = tensorDict(
  new Map([
    ...Object.values(handedOut).map((dtype) => [`layer.${dtype}`, counting(dtype, [3, 200])] as const),
    ...others.map((dtype) => [`other.${dtype}`, counting(dtype, [2, 1024])] as const),
    ["none", counting("F32", [0, 4])],
    ["scalar", counting("F64", [])],
    ["ünï/:\n", counting("I32", [2])],
  ]),
);

async function write(dict: TensorDict, externalData: string, maxShardBytes?: number): Promise<string> {
  const folder = temporaryFolder();
  const layout = { externalData, maxShardBytes, formats: builtinFormats };
  const { plan } = await planOutput(dict, onnx, "model.onnx", layout);
  await runPlan(plan, outputFolder(folder, false), () => false, createContext());
  return join(folder, "model.onnx");
}

function open(path: string): Promise<InferenceSession> {
  return InferenceSession.create(path, { logSeverityLevel: 4 });
}

function bytesOf({ data }: { readonly data: unknown }): Uint8Array {
  const { buffer, byteOffset, byteLength } = data as Uint8Array;
  return new Uint8Array(buffer, byteOffset, byteLength).slice();
}

describe("ONNX Runtime gives back every tensor that it has a type for, bit for bit", () => {
  test.each([
    ["in the model", "never", undefined],
    ["beside the model", "always", undefined],
    ["in several files", "always", 3000],
    ["in a safetensors file", "safetensors", undefined],
    ["in shards of safetensors", "safetensors", 3000],
    ["in a PyTorch file", "pytorch", undefined],
  ])("%s", async (_, externalData, maxShardBytes) => {
    const session = await open(await write(weights, externalData, maxShardBytes));
    expect(session.inputNames).toEqual([]);
    const outputs = await session.run({});
    const expected = [...weights.tensors].filter(([name]) => !name.startsWith("other."));
    expect(Object.keys(outputs).sort()).toEqual(expected.map(([name]) => name).sort());
    for (const [name, { dtype, shape, payload }] of expected) {
      const output = outputs[name] as Tensor;
      expect(handedOut[output.type], name).toBe(dtype);
      expect(output.dims, name).toEqual(shape);
      expect(bytesOf(output), name).toEqual(await readBytes(payload, 0, payload.size));
    }
    await session.release();
  });

  test("and loads weights of which it can give out none, and no weights at all", async () => {
    for (const dict of [tensorDict(new Map([["a", counting("BF16", [700])]])), tensorDict(new Map())]) {
      const session = await open(await write(dict, "always"));
      const outputs = await session.run({ nothing: new Tensor("float32", [], [0]) });
      expect(outputs["nothing"]?.dims).toEqual([0]);
      await session.release();
    }
  });
});

describe("a graph", () => {
  const node = (opType: string, inputs: string[], outputs: string[], attributes = {}): GraphNode => {
    return { opType, domain: "", name: "", inputs, outputs, attributes: new Map(Object.entries(attributes)) };
  };
  const float32 = (values: readonly number[], shape: readonly number[]): LazyTensor => {
    const payload = bytesSource("floats", new Uint8Array(Float32Array.from(values).buffer));
    return { dtype: "F32", shape, payload };
  };
  const linear = graphDict({
    name: "linear",
    nodes: [
      node("Gemm", ["x", "fc.weight", "fc.bias"], ["h"], { transB: intAttribute(1) }),
      node("Slice", ["h", "starts", "ends"], ["y"]),
    ],
    inputs: [{ name: "x", dtype: "F32", dims: ["N", 2] }],
    outputs: [{ name: "y", dtype: "F32", dims: ["N", 300] }],
    initializers: new Map([
      [
        "fc.weight",
        float32(
          Array.from({ length: 600 }, (_, at) => at),
          [300, 2],
        ),
      ],
      [
        "fc.bias",
        float32(
          Array.from({ length: 300 }, (_, at) => -at),
          [300],
        ),
      ],
      ["starts", { dtype: "I64", shape: [1], payload: bytesSource("0", new Uint8Array(8)) }],
      [
        "ends",
        { dtype: "I64", shape: [1], payload: bytesSource("1", Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0)) },
      ],
    ]),
    opsets: [{ domain: "", version: 18 }],
  });

  test.each(["never", "always", "safetensors"])(
    "runs with its weights where --external-data %s puts them",
    async (where) => {
      const session = await open(await write(linear, where));
      const { y } = await session.run({ x: new Tensor("float32", [1, 10, 0, 0], [2, 2]) });
      // Row i of the weight is [2i, 2i + 1], and the bias -i: 2i + 10 (2i + 1) - i.
      expect(Array.from(y?.data as Float32Array)).toEqual(Array.from({ length: 300 }, (_, i) => 21 * i + 10));
      await session.release();
    },
  );
});

test("onnx-proto, another reader of old standing, sees the same tensors", async () => {
  const bytes = readFileSync(await write(weights, "never"));
  const { irVersion, graph, producerName } = onnxProto.onnx.ModelProto.decode(bytes);
  expect([Number(irVersion), producerName]).toEqual([12, "tensorferry"]);
  expect(graph?.initializer?.map(({ name }) => name)).toEqual([...weights.tensors.keys()]);
  for (const { name, dims, rawData } of graph?.initializer ?? []) {
    const wanted = weights.tensors.get(name as string) as LazyTensor;
    expect(dims?.map(Number), name as string).toEqual(wanted.shape);
    expect(new Uint8Array(rawData as Uint8Array)).toEqual(
      await readBytes(wanted.payload, 0, wanted.payload.size),
    );
  }
});
