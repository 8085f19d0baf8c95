import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { planOutput } from "../../../src/convert/plan/plan-output.ts";
import { type TensorDict, tensorDict } from "../../../src/core/dict.ts";
import { byteLength, type DType } from "../../../src/core/dtype.ts";
import {
  type GraphAttribute,
  type GraphNode,
  graphDict,
  intAttribute,
  intsAttribute,
} from "../../../src/core/graph.ts";
import { bytesSource } from "../../../src/core/source.ts";
import type { LazyTensor } from "../../../src/core/tensor.ts";
import { onnx } from "../../../src/formats/onnx/index.ts";
import { concatenate } from "../../support/concatenate.ts";
import { fixtures } from "../../support/files.ts";

// scripts/fixtures/onnx_written.py has the real onnx write these; here they are written by us.
const folder = join(fixtures, "onnx", "written");

/** Types with their numbers in ONNX. */
const types: readonly (readonly [code: number, name: string, dtype: DType])[] = [
  [1, "FLOAT", "F32"],
  [2, "UINT8", "U8"],
  [3, "INT8", "I8"],
  [4, "UINT16", "U16"],
  [5, "INT16", "I16"],
  [6, "INT32", "I32"],
  [7, "INT64", "I64"],
  [9, "BOOL", "BOOL"],
  [10, "FLOAT16", "F16"],
  [11, "DOUBLE", "F64"],
  [12, "UINT32", "U32"],
  [13, "UINT64", "U64"],
  [14, "COMPLEX64", "C64"],
  [15, "COMPLEX128", "C128"],
  [16, "BFLOAT16", "BF16"],
  [17, "FLOAT8E4M3FN", "F8_E4M3"],
  [18, "FLOAT8E4M3FNUZ", "F8_E4M3FNUZ"],
  [19, "FLOAT8E5M2", "F8_E5M2"],
  [20, "FLOAT8E5M2FNUZ", "F8_E5M2FNUZ"],
  [21, "UINT4", "U4"],
  [22, "INT4", "I4"],
  [23, "FLOAT4E2M1", "F4"],
  [24, "FLOAT8E8M0", "F8_E8M0"],
  [25, "UINT2", "U2"],
  [26, "INT2", "I2"],
  [27, "FLOAT6E2M3", "F6_E2M3"],
  [28, "FLOAT6E3M2", "F6_E3M2"],
];

/** A tensor whose bytes count up from the number of its type. */
function counting(dtype: DType, shape: readonly number[]): LazyTensor {
  const code = types.find((type) => type[2] === dtype)?.[0] ?? 0;
  const bytes = Uint8Array.from({ length: byteLength(dtype, shape, {}) }, (_, index) => (code + index) % 256);
  const payload = bytesSource("counting", dtype === "BOOL" ? bytes.map((byte) => byte % 2) : bytes);
  return { dtype, shape, payload };
}

function dictOf(tensors: Readonly<Record<string, LazyTensor>>): TensorDict {
  return tensorDict(new Map(Object.entries(tensors)));
}

function one(dtype: DType): TensorDict {
  return dictOf({ a: counting(dtype, [4]) });
}

function node(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Readonly<Record<string, GraphAttribute>> = {},
  name = "",
  domain = "",
): GraphNode {
  return { opType, domain, name, inputs, outputs, attributes: new Map(Object.entries(attributes)) };
}

function branch(name: string, opType: string): GraphAttribute {
  const value = `${name}_out`;
  return {
    kind: "graph",
    value: {
      name,
      nodes: [node(opType, ["hidden"], [value])],
      inputs: [],
      outputs: [{ name: value, dtype: "F32", dims: ["N", 3] }],
    },
  };
}

const everyAttribute: readonly GraphNode[] = [
  node(
    "Gemm",
    ["x", "fc.weight", "fc.bias"],
    ["hidden"],
    { alpha: { kind: "float", value: 0.1 }, transB: intAttribute(1) },
    "/fc/Gemm",
  ),
  node("Constant", [], ["condition"], {
    value: { kind: "tensor", value: { dtype: "BOOL", shape: [], bytes: Uint8Array.of(1) } },
  }),
  node(
    "If",
    ["condition"],
    ["chosen"],
    { then_branch: branch("then", "Relu"), else_branch: branch("else", "Neg") },
    "choice",
  ),
  node("Clip", ["chosen", "", "limit"], ["clipped"]),
  node("Constant", [], ["bounds"], { value_ints: intsAttribute([0, 1, -1, 2n ** 63n - 1n, -(2n ** 63n)]) }),
  node("Constant", [], ["floats"], { value_floats: { kind: "floats", value: [0.5, -1.25, 3e38] } }),
  node("Constant", [], ["word"], { value_string: { kind: "string", value: "grüß" } }),
  node("Constant", [], ["words"], { value_strings: { kind: "strings", value: ["a", ""] } }),
  node("Twice", ["clipped"], ["y"], {}, "", "com.example"),
];

const graph = graphDict({
  name: "main_graph",
  nodes: everyAttribute,
  inputs: [{ name: "x", dtype: "F32", dims: ["N", 4] }],
  outputs: [
    { name: "y", dtype: "F32", dims: ["N", ""] },
    { name: "bounds", dtype: "I64", dims: [5] },
  ],
  values: [{ name: "hidden", dtype: "F32", dims: ["", 3] }],
  initializers: new Map([
    ["fc.weight", counting("F32", [3, 4])],
    ["fc.bias", counting("F32", [3])],
    ["limit", counting("F32", [])],
  ]),
  opsets: [
    { domain: "", version: 17 },
    { domain: "com.example", version: 1 },
  ],
  docString: "a graph",
  metadata: new Map([["author", "nobody"]]),
});

const everyDType: TensorDict = {
  ...dictOf(Object.fromEntries(types.map(([, name, dtype]) => [`layer.${name}`, counting(dtype, [2, 4])]))),
  aliases: new Map([["tied", "layer.FLOAT"]]),
  metadata: new Map([["note", "grüße"]]),
};

const odd = tensorDict(
  new Map([
    ["no elements", counting("F32", [0, 3])],
    ["scalar\n😀", counting("F32", [])],
    ["../x/y:z", counting("I64", [1, 1, 1])],
    ["0", counting("U8", [300])],
  ]),
);

const dicts: Readonly<Record<string, TensorDict>> = {
  "empty.onnx": dictOf({}),
  "every-dtype.onnx": everyDType,
  "graph.onnx": graph,
  "model.onnx": dictOf({ small: counting("F32", [4]), large: counting("F32", [300]) }),
  "odd.onnx": odd,
  "one-BFLOAT16.onnx": one("BF16"),
  "one-FLOAT.onnx": one("F32"),
  "one-FLOAT4E2M1.onnx": one("F4"),
  "one-FLOAT6E2M3.onnx": one("F6_E2M3"),
  "one-FLOAT8E5M2.onnx": one("F8_E5M2"),
  "one-FLOAT8E8M0.onnx": one("F8_E8M0"),
  "one-INT4.onnx": one("I4"),
  "one-UINT2.onnx": one("U2"),
};

test.each(Object.keys(dicts))("%s is byte for byte what the real onnx writes", async (name) => {
  const externalData = name === "model.onnx" ? "always" : "auto";
  const { plan } = await planOutput(dicts[name] as TensorDict, onnx, name, { externalData });
  for (const { name: file, size, pieces } of plan.files) {
    const bytes = await concatenate(pieces);
    expect(Buffer.from(bytes).toString("hex"), file).toBe(readFileSync(join(folder, file)).toString("hex"));
    expect(bytes.length).toBe(size);
  }
});

test("and there is no file that is not compared", () => {
  expect(readdirSync(folder).sort()).toEqual([...Object.keys(dicts), "model.onnx.data"].sort());
});
