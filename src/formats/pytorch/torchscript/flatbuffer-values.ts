import type { FlatTable } from "../../../containers/flatbuffer/table.ts";
import { PickleDict, type PickleValue } from "../../../containers/pickle/values.ts";
import type { RunContext } from "../../../core/context.ts";
import { ConvertError } from "../../../core/errors.ts";
import { checkLimit } from "../../../core/limits.ts";
import { type TorchDType, torchDTypeByName } from "../values/dtypes.ts";
import { asTensor, host, type Quantizer, type TorchStorage } from "../values/torch-values.ts";

/** What the values of a mobile module refer to. */
export interface FlatModule {
  readonly file: string;
  readonly storages: readonly TorchStorage[];
  readonly types: readonly FlatType[];
}

/** A class: its full name, and its attributes in order. */
export interface FlatType {
  readonly name: string;
  readonly attributes: readonly string[];
}

/** Members of the union of values that can lead to a tensor, by their number in the schema. */
const kinds = { tensor: 5, list: 7, tuple: 8, dict: 9, object: 10 };

/** libtorch's numbers of element types, which are not those of the export schema. */
const dtypeNames =
  "uint8 int8 int16 int32 int64 float16 float32 float64 complex32 complex64 complex128 bool qint8 quint8 qint32 bfloat16";
const laterDTypes: readonly (readonly [code: number, name: string])[] = [
  [23, "float8_e5m2"],
  [24, "float8_e4m3fn"],
  [25, "float8_e5m2fnuz"],
  [26, "float8_e4m3fnuz"],
  [27, "uint16"],
  [28, "uint32"],
  [29, "uint64"],
  [44, "float8_e8m0fnu"],
];
const dtypesByCode: ReadonlyMap<number, string> = new Map([
  ...dtypeNames.split(" ").entries(),
  ...laterDTypes,
]);

/**
 * The values of a mobile module as a pickle would have them. Whatever holds no tensors is None. Each value may refer
 * only to earlier ones, as torch writes them, so nothing is cyclic. Throws kind `malformed` where it is not so.
 */
export async function readFlatValues(
  tables: AsyncIterable<FlatTable>,
  module: FlatModule,
  context: RunContext,
): Promise<readonly PickleValue[]> {
  const values: PickleValue[] = [];
  let referred = 0;
  const earlier = (indices: readonly number[]): PickleValue[] => {
    referred += indices.length;
    checkLimit(context.limits, "pickleValues", referred, "the number of values in the file", {
      file: module.file,
    });
    return indices.map((index) =>
      index < values.length ? (values[index] as PickleValue) : fail(module, "a value refers to a later one"),
    );
  };
  for await (const table of tables) values.push(await readValue(table, module, earlier));
  return values;
}

type Earlier = (indices: readonly number[]) => PickleValue[];

async function readValue(table: FlatTable, module: FlatModule, earlier: Earlier): Promise<PickleValue> {
  const kind = await table.u8(0);
  const value = Object.values(kinds).includes(kind) ? await table.table(1) : undefined;
  if (value === undefined) return null;
  if (kind === kinds.tensor) return readTensor(value, module);
  if (kind === kinds.object) return readObject(value, module, earlier);
  if (kind === kinds.dict) {
    const dict = new PickleDict();
    // The keys are of no use, and only have to differ.
    for (const [index, item] of earlier(await value.numbers(1)).entries()) dict.set(index, item);
    return dict;
  }
  return { kind: kind === kinds.list ? "list" : "tuple", items: earlier(await value.numbers(0)) };
}

async function readObject(table: FlatTable, module: FlatModule, earlier: Earlier): Promise<PickleValue> {
  const type = module.types[await table.u32(0)] ?? fail(module, "an object is of no known class");
  const values = earlier(await table.numbers(2));
  const state = new PickleDict();
  for (const [index, value] of values.entries())
    state.set(type.attributes[index] ?? fail(module, "an object has more values than attributes"), value);
  const dot = type.name.lastIndexOf(".");
  return {
    kind: "call",
    how: "new",
    callable: {
      kind: "global",
      module: type.name.slice(0, Math.max(0, dot)),
      name: type.name.slice(dot + 1),
    },
    args: { kind: "tuple", items: [] },
    kwargs: undefined,
    // Classes that pack themselves have one value instead of attributes.
    state: values.length > 0 ? state : earlier([await table.u32(1)])[0],
    items: undefined,
    entries: undefined,
  };
}

async function readTensor(table: FlatTable, module: FlatModule): Promise<PickleValue> {
  const storage = module.storages[await table.u32(0)] ?? fail(module, "a tensor has no storage");
  const dtype = dtypeOf(await table.u8(1), module);
  const offset = await table.i32(2);
  const shape = await table.numbers(3);
  const strides = await table.numbers(4);
  if (offset < 0 || shape.length !== strides.length) return fail(module, "a tensor has a broken shape");
  const schema = await table.table(6);
  const quantizer = schema && (await readQuantizer(schema, module));
  return host({ type: "tensor", storage, dtype, offset, shape, strides, quantizer });
}

async function readQuantizer(schema: FlatTable, module: FlatModule): Promise<Quantizer> {
  const [scales, zeroPoints] = [await schema.table(3), await schema.table(4)];
  if (scales === undefined || zeroPoints === undefined)
    return { scale: await schema.f64(1), zeroPoint: await schema.i32(2) };
  const tensors = [await readTensor(scales, module), await readTensor(zeroPoints, module)].map(asTensor);
  const [first, second] = tensors;
  if (first === undefined || second === undefined) return fail(module, "a quantizer is broken");
  return { scales: first, zeroPoints: second, axis: await schema.i32(5) };
}

function dtypeOf(code: number, { file }: FlatModule): TorchDType {
  const dtype = torchDTypeByName.get(dtypesByCode.get(code) ?? "");
  if (dtype) return dtype;
  throw new ConvertError("unsupported", `a tensor is of the type number ${code}, which is not read`, {
    file,
  });
}

function fail({ file }: FlatModule, message: string): never {
  throw new ConvertError("malformed", message, { file });
}
