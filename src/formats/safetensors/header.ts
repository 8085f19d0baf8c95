import {
  isJsonObject,
  type JsonArray,
  type JsonObject,
  type JsonValue,
  parseJson,
} from "../../containers/json/parse.ts";
import { byteLength, type DType } from "../../core/dtype.ts";
import { ConvertError } from "../../core/errors.ts";
import { dtypeByName } from "./dtypes.ts";

/** Largest header that the format allows, in bytes (FORMAT.md, "Header"). */
export const maxHeaderBytes = 100_000_000;

/** One tensor of a header: `start` and `end` count from the first byte after the header. */
export interface HeaderTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
}

/** A checked header: its tensors tile the data in the order given here. */
export interface Header {
  readonly tensors: readonly HeaderTensor[];
  readonly metadata: ReadonlyMap<string, string>;
}

/** Parses the JSON of a header; `dataBytes` is what follows it in the file. Throws kind `malformed`, or `unsupported` for an unknown dtype. */
export function parseHeader(bytes: Uint8Array, dataBytes: number, file: string): Header {
  const root = parseJson(bytes, file, 8);
  if (!isJsonObject(root))
    throw new ConvertError("malformed", "the header is no JSON object", { file, offset: 8 });
  const tensors: HeaderTensor[] = [];
  for (const [name, entry] of root) if (name !== "__metadata__") tensors.push(parseTensor(name, entry, file));
  tensors.sort((a, b) => a.start - b.start || a.end - b.end);
  checkTiling(tensors, dataBytes, file);
  return { tensors, metadata: parseMetadata(root.get("__metadata__"), file) };
}

function parseMetadata(value: JsonValue | undefined, file: string): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>();
  if (value === undefined || value === null) return metadata;
  if (!isJsonObject(value)) throw new ConvertError("malformed", '"__metadata__" is no object', { file });
  for (const [key, text] of value) {
    if (typeof text !== "string") {
      throw new ConvertError("malformed", `metadata value ${JSON.stringify(key)} is no string`, { file });
    }
    metadata.set(key, text);
  }
  return metadata;
}

function parseTensor(name: string, entry: JsonValue, file: string): HeaderTensor {
  const site = { file, tensor: name };
  const fields = fieldsOf(entry);
  const [dtypeName, shape, offsets] = fields ?? [];
  if (typeof dtypeName !== "string" || !isSizes(shape) || !isSizes(offsets) || offsets.length !== 2) {
    throw new ConvertError(
      "malformed",
      `the header entry of "${name}" lacks a proper "dtype", "shape" or "data_offsets"`,
      site,
    );
  }
  const dtype = dtypeByName.get(dtypeName);
  if (dtype === undefined) {
    throw new ConvertError(
      "unsupported",
      `"${name}" has the dtype ${JSON.stringify(dtypeName)}, which is not known`,
      {
        ...site,
        hint: "tensorferry formats lists the dtypes that are; spelling counts",
      },
    );
  }
  const [start, end] = offsets as unknown as [number, number];
  const bytes = byteLength(dtype, shape, site);
  if (end < start || end - start !== bytes) {
    throw new ConvertError(
      "malformed",
      `"${name}" takes ${bytes} bytes (${dtype} of [${shape.join(", ")}]), but its offsets are ${start} and ${end}`,
      site,
    );
  }
  return { name, dtype, shape, start, end };
}

/** Entries are objects; the reference also takes an array of the three values, and ignores further keys. */
function fieldsOf(entry: JsonValue): readonly (JsonValue | undefined)[] | undefined {
  if (isJsonObject(entry)) return objectFields(entry);
  return Array.isArray(entry) && entry.length === 3 ? (entry as JsonArray) : undefined;
}

function objectFields(entry: JsonObject): readonly (JsonValue | undefined)[] {
  return [entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")];
}

function isSizes(value: JsonValue | undefined): value is readonly number[] {
  return (
    Array.isArray(value) &&
    value.every((size) => typeof size === "number" && size >= 0 && !Object.is(size, -0))
  );
}

/** Sorted by start, the tensors must follow each other without hole or overlap, from 0 to the last byte. */
function checkTiling(tensors: readonly HeaderTensor[], dataBytes: number, file: string): void {
  let at = 0;
  for (const { name, start, end } of tensors) {
    if (start !== at) {
      throw new ConvertError(
        "malformed",
        `"${name}" starts at data byte ${start}, which ${start < at ? "overlaps the tensor before it" : "leaves a hole"}: expected ${at}`,
        { file, tensor: name },
      );
    }
    at = end;
  }
  if (at === dataBytes) return;
  const short = at > dataBytes;
  const hint = short ? "the file is cut short; download or save it again" : "something was appended to it";
  throw new ConvertError(
    short ? "io" : "malformed",
    `the header describes ${at} bytes of data, but ${dataBytes} follow it`,
    { file, hint },
  );
}
