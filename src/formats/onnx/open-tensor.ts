import { roundUp, safeProduct } from "../../bytes/size.ts";
import type { RunContext } from "../../core/context.ts";
import { bitsOf } from "../../core/dtype.ts";
import { ConvertError, type ErrorSite } from "../../core/errors.ts";
import { type ByteSource, bytesSource, readBytes, section } from "../../core/source.ts";
import { type LazyTensor, rowMajorStrides } from "../../core/tensor.ts";
import { type OnnxDType, onnxDTypeByCode } from "./dtypes.ts";
import type { ExternalFiles } from "./external.ts";
import type { OnnxTensor } from "./model.ts";
import { packSixes } from "./pack-sixes.ts";
import { tensorField } from "./schema.ts";
import { fixedValues, varintValues } from "./typed-values.ts";

/** Where the tensors of a model are read. */
export interface OnnxFiles {
  /** The model's own file. */
  readonly source: ByteSource;
  readonly external: ExternalFiles;
  readonly context: RunContext;
}

/** A tensor with its values still in the file, or in the file that it points to. Throws where the two do not fit. */
export async function openTensor(key: string, tensor: OnnxTensor, files: OnnxFiles): Promise<LazyTensor> {
  const site = siteOf(key, tensor, files);
  const type = typeOf(tensor, site);
  const shape = tensor.dims;
  const size = sizeOf(type, shape, site);
  const found = await valuesOf(tensor, type, size, files, site);
  const { payload, storage } = found;
  const bytes = payload.size;
  if (bytes !== size) {
    throw new ConvertError(
      "malformed",
      `"${key}" takes ${size} bytes (${type.name} of [${shape.join(", ")}]), but has ${bytes}`,
      site,
    );
  }
  if (storage === undefined || size === 0) return { dtype: type.dtype, shape, payload };
  const view = {
    storage,
    source: payload,
    start: 0,
    end: size,
    strides: rowMajorStrides(shape),
    contiguous: true,
  };
  return { dtype: type.dtype, shape, payload, view };
}

/** Where in the model a tensor is, for messages. */
export function siteOf(key: string, { parts }: OnnxTensor, { source }: OnnxFiles): ErrorSite {
  return { file: source.name, offset: parts[0]?.tagStart, tensor: key };
}

function typeOf({ dataType }: OnnxTensor, site: ErrorSite): OnnxDType {
  const type = onnxDTypeByCode.get(dataType);
  if (type) return type;
  throw new ConvertError(
    "unsupported",
    `"${site.tensor}" has the element type ${dataType}, which is not known`,
    { ...site, hint: "a newer tensorferry may know it" },
  );
}

/** Bytes of the values; elements below eight bits are packed, and the last byte may be half empty. */
function sizeOf({ dtype, name }: OnnxDType, shape: readonly number[], site: ErrorSite): number {
  const count = safeProduct(shape);
  const bits = bitsOf(dtype);
  // Integers of less than a byte are refused by what cannot hold them; these floats are held, in whole bytes only.
  if (dtype.startsWith("F") && count !== undefined && (count * bits) % 8 !== 0) {
    throw new ConvertError(
      "unsupported",
      `"${site.tensor}" has ${count} elements of ${bits} bits, which do not fill whole bytes`,
      site,
    );
  }
  if (count !== undefined && count <= Number.MAX_SAFE_INTEGER / bits) return roundUp(count * bits, 8) / 8;
  throw new ConvertError(
    "malformed",
    `"${site.tensor}", ${name} of [${shape.join(", ")}], is larger than any file`,
    site,
  );
}

interface Values {
  readonly payload: ByteSource;
  readonly storage?: string;
}

async function valuesOf(
  tensor: OnnxTensor,
  type: OnnxDType,
  size: number,
  files: OnnxFiles,
  site: ErrorSite,
): Promise<Values> {
  const { home } = tensor;
  const name = `${files.source.name}#${site.tensor}`;
  switch (home.kind) {
    case "raw": {
      const payload = section(files.source, home.start, home.end, name);
      if (payload.size === placeholder.length && size !== payload.size && (await isPlaceholder(payload)))
        return files.external.open(new Map([["location", tensor.name]]), size, site);
      return { payload };
    }
    case "external":
      return files.external.open(home.entries, size, site);
    case "typed":
      return { payload: typedValues(home, type, size, files.source, site) };
    case "none":
      if (size === 0) return { payload: bytesSource(name, new Uint8Array()) };
      throw new ConvertError("malformed", `"${site.tensor}" has a shape, but no values`, site);
    case "segment":
      throw new ConvertError(
        "unsupported",
        `"${site.tensor}" is cut into segments, which nothing reads`,
        site,
      );
    case "strings":
      throw new ConvertError("malformed", `"${site.tensor}" is ${type.name}, but holds texts`, site);
  }
}

/** What torch's archive exports leave in the place of values that lie in a file of the tensor's name (FORMAT.md, "Homes"). */
const placeholder = "__EXTERNAL";

async function isPlaceholder(payload: ByteSource): Promise<boolean> {
  return String.fromCharCode(...(await readBytes(payload, 0, payload.size))) === placeholder;
}

function typedValues(
  { field, runs }: OnnxTensor["home"] & { kind: "typed" },
  type: OnnxDType,
  size: number,
  source: ByteSource,
  site: ErrorSite,
): ByteSource {
  if (field !== type.field) {
    const found = fieldNames.get(field);
    throw new ConvertError(
      "malformed",
      `"${site.tensor}" is ${type.name}, but its values are ${found}`,
      site,
    );
  }
  if (field === tensorField.floatData) return fixedValues(source, runs, 4, size, site);
  if (field === tensorField.doubleData) return fixedValues(source, runs, 8, size, site);
  if (bitsOf(type.dtype) === 6) return packSixes(varintValues(source, runs, 1, (size / 6) * 8, site));
  const itemBytes = Math.max(1, bitsOf(type.dtype) / 8);
  return varintValues(source, runs, itemBytes, size / itemBytes, site);
}

const fieldNames = new Map<number, string>([
  [tensorField.floatData, "float_data"],
  [tensorField.int32Data, "int32_data"],
  [tensorField.int64Data, "int64_data"],
  [tensorField.doubleData, "double_data"],
  [tensorField.uint64Data, "uint64_data"],
]);
