import { safeProduct } from "../../bytes/size.ts";
import { bitsOf } from "../../core/dtype.ts";
import { ConvertError, type ErrorSite } from "../../core/errors.ts";
import { checkLimit } from "../../core/limits.ts";
import { readBytes } from "../../core/source.ts";
import type { LazyTensor } from "../../core/tensor.ts";
import { type Cells, denseSource } from "../../sparse/dense-source.ts";
import type { OnnxSparseTensor } from "./model.ts";
import { type OnnxFiles, openTensor, siteOf } from "./open-tensor.ts";

/**
 * A sparse tensor with its zeros written out; to be allowed by `densify`. The stored elements are held in memory while
 * it is read. Throws kind `limit` where either would be too large, `malformed` where the parts do not fit.
 */
export async function openSparse(
  key: string,
  { values, indices, dims }: OnnxSparseTensor,
  files: OnnxFiles,
): Promise<LazyTensor> {
  const site = siteOf(key, values, files);
  const { limits } = files.context;
  const stored = await openTensor(`${key}.values`, values, files);
  const places = await openTensor(`${key}.indices`, indices, files);
  const bits = bitsOf(stored.dtype);
  const elements = safeProduct(dims);
  if (places.dtype !== "I64") refuse(`its indices are ${places.dtype}`, site);
  if (bits < 8) refuse(`its values are ${stored.dtype}`, site);
  if (elements === undefined) return refuse("it is larger than any file", site);
  const count = checkShapes(stored.shape, places.shape, dims.length, site);
  const itemBytes = bits / 8;
  const size = elements * itemBytes;
  const held = stored.payload.size + places.payload.size;
  checkLimit(limits, "expandedBytes", size, `"${key}" would become dense; bytes`, site);
  checkLimit(limits, "headerBytes", held, `"${key}" holds its stored elements in memory; bytes`, site);

  async function load(): Promise<Cells> {
    const bytes = await readBytes(stored.payload, 0, stored.payload.size);
    const numbers = new DataView((await readBytes(places.payload, 0, places.payload.size)).buffer);
    const positions = count === 0 ? [] : positionsOf(numbers, count, dims, site);
    return { positions, order: [...positions.keys()], bytes, cellBytes: itemBytes };
  }

  const payload = denseSource(`${files.source.name}#${key}`, size, itemBytes, load);
  const change = `is sparse and would be written with its zeros, as ${size} bytes`;
  return { dtype: stored.dtype, shape: dims, payload, permission: { word: "densify", change } };
}

/** Values are [count], indices [count] in the flattened tensor, or [count, rank]. */
function checkShapes(
  values: readonly number[],
  indices: readonly number[],
  rank: number,
  site: ErrorSite,
): number {
  const [count] = values;
  const fits =
    indices[0] === count && (indices.length === 1 || (indices.length === 2 && indices[1] === rank));
  if (values.length === 1 && count !== undefined && fits) return count;
  return refuse("its values and indices do not fit", site);
}

/** Positions in the flattened tensor, which the format wants in ascending order (FORMAT.md, "Sparse tensors"). */
function positionsOf(numbers: DataView, count: number, dims: readonly number[], site: ErrorSite): number[] {
  const rank = numbers.byteLength / 8 / count;
  // Linear indices count through the whole tensor, as those of one long dimension would.
  const extents = rank === dims.length ? dims : [dims.reduce((product, extent) => product * extent, 1)];
  const positions: number[] = [];
  let before = -1;
  for (let element = 0; element < count; element++) {
    let position = 0;
    for (const [axis, extent] of extents.entries()) {
      const index = Number(numbers.getBigInt64((element * extents.length + axis) * 8, true));
      if (index < 0 || index >= extent) refuse("an index lies outside its shape", site);
      position = position * extent + index;
    }
    if (position <= before) refuse("its indices do not ascend", site);
    before = position;
    positions.push(position);
  }
  return positions;
}

function refuse(why: string, site: ErrorSite): never {
  throw new ConvertError("malformed", `"${site.tensor}" is sparse, but ${why}`, site);
}
