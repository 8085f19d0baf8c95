import { isJsonObject, type JsonObject, type JsonValue, parseJson } from "../../../containers/json/parse.ts";
import { ConvertError, type ErrorSite } from "../../../core/errors.ts";
import { type TorchDType, torchDTypeByName } from "../values/dtypes.ts";

/** A tensor of a `torch.export` archive, by the record that holds its bytes. */
export interface ExportedTensor {
  /** Name of the record in its folder; tensors that share a storage share it. */
  readonly record: string;
  /** What the record holds, unless that is an archive of `torch.save`. Offset and strides are in elements. */
  readonly layout:
    | {
        readonly dtype: TorchDType;
        readonly shape: readonly number[];
        readonly strides: readonly number[];
        readonly offset: number;
      }
    | undefined;
}

/** Element types by the number that torch's export schema gives them, which is not libtorch's own number. */
const dtypesByCode: ReadonlyMap<number, string> = new Map([
  [1, "uint8"],
  [2, "int8"],
  [3, "int16"],
  [4, "int32"],
  [5, "int64"],
  [6, "float16"],
  [7, "float32"],
  [8, "float64"],
  [9, "complex32"],
  [10, "complex64"],
  [11, "complex128"],
  [12, "bool"],
  [13, "bfloat16"],
  [28, "uint16"],
  [29, "float8_e4m3fn"],
  [30, "float8_e5m2"],
  [31, "float8_e4m3fnuz"],
  [32, "float8_e5m2fnuz"],
  [33, "float8_e8m0fnu"],
  [34, "uint32"],
  [35, "uint64"],
]);

/** The schema's number for tensors that are described by strides. */
const stridedLayout = 7;

/** Reads a `..._config.json` in its order. Throws kind `malformed` where it is none, `unsupported` for shapes or types that are not read. */
export function parseExportConfig(bytes: Uint8Array, file: string): ReadonlyMap<string, ExportedTensor> {
  const tensors = new Map<string, ExportedTensor>();
  for (const [name, entry] of configIn(bytes, file))
    tensors.set(name, parseTensor(entry, { file, tensor: name }));
  return tensors;
}

/** The names alone, whatever they stand for. Throws kind `malformed` where there is no such list. */
export function exportConfigNames(bytes: Uint8Array, file: string): Iterable<string> {
  return configIn(bytes, file).keys();
}

function configIn(bytes: Uint8Array, file: string): JsonObject {
  const root = parseJson(bytes, file, 0);
  const config = isJsonObject(root) ? root.get("config") : undefined;
  if (isJsonObject(config)) return config;
  throw new ConvertError("malformed", 'this JSON lists no tensors: it has no "config" object', { file });
}

function parseTensor(entry: JsonValue, site: ErrorSite): ExportedTensor {
  const record = isJsonObject(entry) ? entry.get("path_name") : undefined;
  if (!isJsonObject(entry) || typeof record !== "string")
    throw new ConvertError("malformed", `"${site.tensor}" is placed in no record`, site);
  if (entry.get("use_pickle") === true) return { record, layout: undefined };
  const meta = entry.get("tensor_meta");
  if (!isJsonObject(meta)) throw new ConvertError("malformed", `"${site.tensor}" is not described`, site);
  if (meta.get("layout") !== stridedLayout)
    throw new ConvertError("unsupported", `"${site.tensor}" is sparse, which is not read here`, site);
  const shape = numbersOf(meta.get("sizes"), "shape", site);
  const strides = numbersOf(meta.get("strides"), "strides", site);
  if (shape.length !== strides.length)
    throw new ConvertError(
      "malformed",
      `"${site.tensor}" has ${shape.length} sizes and ${strides.length} strides`,
      site,
    );
  const layout = {
    dtype: dtypeOf(meta, site),
    shape,
    strides,
    offset: numberOf(meta.get("storage_offset"), "offset", site),
  };
  return { record, layout };
}

function dtypeOf(meta: JsonObject, site: ErrorSite): TorchDType {
  const code = meta.get("dtype");
  const dtype = typeof code === "number" ? torchDTypeByName.get(dtypesByCode.get(code) ?? "") : undefined;
  if (dtype) return dtype;
  throw new ConvertError(
    "unsupported",
    `"${site.tensor}" is of the type number ${String(code)}, which is not read`,
    site,
  );
}

function numbersOf(list: JsonValue | undefined, what: string, site: ErrorSite): readonly number[] {
  if (!Array.isArray(list)) throw new ConvertError("malformed", `"${site.tensor}" has no ${what}`, site);
  return list.map((item: JsonValue) => numberOf(item, what, site));
}

/** `{"as_int": 3}`; an expression stands for a size that is known only when the graph runs. */
function numberOf(value: JsonValue | undefined, what: string, site: ErrorSite): number {
  const number = isJsonObject(value) ? value.get("as_int") : undefined;
  if (typeof number === "number" && number >= 0) return number;
  throw new ConvertError(
    isJsonObject(value) && value.has("as_expr") ? "unsupported" : "malformed",
    `the ${what} of "${site.tensor}" holds something that is no number`,
    site,
  );
}
