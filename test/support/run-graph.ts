import { InferenceSession, Tensor } from "onnxruntime-node";
import type { PickleValue } from "../../src/containers/pickle/values.ts";
import { planOutput } from "../../src/convert/plan/plan-output.ts";
import { runPlan } from "../../src/convert/run/run-plan.ts";
import { createContext } from "../../src/core/context.ts";
import type { DType } from "../../src/core/dtype.ts";
import { graphDict } from "../../src/core/graph.ts";
import { type ScriptArchive, scriptOf } from "../../src/core/script-archive.ts";
import { onnx } from "../../src/formats/onnx/index.ts";
import { open } from "../../src/node.ts";
import { compileScript } from "../../src/torchscript/compile/compile-script.ts";
import { parseScriptOptions, type ScriptOptions } from "../../src/torchscript/compile/parse-request.ts";
import { memoryOutput } from "./memory.ts";

/** A tensor in memory: its elements as bytes, little-endian and row-major. */
export interface PlainTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** The types of the runtime by ours. */
const runtimeTypes: Partial<Record<DType, Tensor.Type>> = {
  F64: "float64",
  F32: "float32",
  F16: "float16",
  I64: "int64",
  I32: "int32",
  I16: "int16",
  I8: "int8",
  U8: "uint8",
  BOOL: "bool",
};

const arrays = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const;

/** The program of an archive, to be compiled again and again. */
export async function openProgram(path: string): Promise<ScriptArchive<PickleValue>> {
  const model = await open(path);
  return scriptOf(model.dict) as ScriptArchive<PickleValue>;
}

/** One method of a program as the bytes of an ONNX file. */
export async function compiled(
  archive: ScriptArchive<PickleValue>,
  options: ScriptOptions,
): Promise<Uint8Array> {
  const context = createContext();
  const { graph } = await compileScript(archive, parseScriptOptions(options), context);
  const { plan } = await planOutput(graphDict(graph), onnx, "model.onnx");
  const folder = memoryOutput();
  await runPlan(plan, folder, () => false, context);
  return folder.files.get("model.onnx") as Uint8Array;
}

const words: Readonly<Record<string, string>> = { BOOL: "bool" };

/** A tensor as `--input` describes it. */
export function inputOption({ dtype, shape }: PlainTensor): string {
  return `${shape.join(",")}:${words[dtype] ?? dtype.toLowerCase()}`;
}

/** Runs a model in ONNX Runtime; inputs go by position. */
export async function runGraph(
  model: Uint8Array,
  inputs: readonly PlainTensor[],
): Promise<readonly PlainTensor[]> {
  const session = await InferenceSession.create(model, {
    logSeverityLevel: 3,
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  });
  try {
    const names = session.inputNames;
    const feeds = Object.fromEntries(
      names.map((name, index) => [name, runtimeTensor(inputs[index] as PlainTensor)]),
    );
    const outputs = await session.run(feeds);
    return session.outputNames.map((name) => plainTensor(outputs[name] as Tensor));
  } finally {
    await session.release();
  }
}

function runtimeTensor({ dtype, shape, bytes }: PlainTensor): Tensor {
  const type = runtimeTypes[dtype] as keyof typeof arrays;
  // A copy of its own, aligned for any element.
  const data = new arrays[type](bytes.slice().buffer as ArrayBuffer);
  return new Tensor(type as "float32", data as Float32Array, shape);
}

function plainTensor(tensor: Tensor): PlainTensor {
  const data = tensor.data as Uint8Array;
  const dtype = Object.entries(runtimeTypes).find(([, type]) => type === tensor.type)?.[0] as DType;
  return { dtype, shape: tensor.dims, bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

/** The elements as numbers; integers of 64 bits stay whole. */
function numbersOf({ dtype, bytes }: PlainTensor): readonly (number | bigint)[] {
  const type = runtimeTypes[dtype] as keyof typeof arrays;
  const values = [...(new arrays[type](bytes.slice().buffer as ArrayBuffer) as Iterable<number | bigint>)];
  return type === "float16" ? values.map((bits) => halfValue(Number(bits))) : values;
}

function halfValue(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  if (exponent === 31) return mantissa === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return exponent === 0 ? sign * mantissa * 2 ** -24 : sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

/** What is wrong with a tensor that should equal another; `undefined` where nothing is. Integers have to be exact. */
export function differenceBetween(
  actual: PlainTensor,
  wanted: PlainTensor,
  { relative, absolute }: { readonly relative: number; readonly absolute: number },
): string | undefined {
  if (actual.dtype !== wanted.dtype) return `it is ${actual.dtype}, and torch gives ${wanted.dtype}`;
  if (actual.shape.join() !== wanted.shape.join())
    return `it has the shape [${actual.shape.join(", ")}], and torch gives [${wanted.shape.join(", ")}]`;
  const [a, b] = [numbersOf(actual), numbersOf(wanted)];
  const isFloat = /F/.test(wanted.dtype);
  for (const [index, x] of a.entries()) {
    const y = b[index] as typeof x;
    if (Object.is(x, y) || x === y) continue;
    if (isFloat && Math.abs(Number(x) - Number(y)) <= absolute + relative * Math.abs(Number(y))) continue;
    return `element ${index} is ${x}, and torch gives ${y}`;
  }
  return undefined;
}
