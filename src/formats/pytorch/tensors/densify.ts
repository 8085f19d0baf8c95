import type { RunContext } from "../../../core/context.ts";
import { byteLength, type DType, elementCount } from "../../../core/dtype.ts";
import { ConvertError } from "../../../core/errors.ts";
import { checkLimit } from "../../../core/limits.ts";
import { readBytes } from "../../../core/source.ts";
import type { LazyTensor } from "../../../core/tensor.ts";
import { type Cells, denseSource } from "../../../sparse/dense-source.ts";
import type { TorchSparse } from "../values/torch-values.ts";
import { openTensor } from "./open-tensor.ts";
import { cellsOf } from "./sparse-cells.ts";
import { adderOf } from "./sum-cells.ts";

/**
 * A sparse tensor with its zeros written out; to be allowed by `densify`. The stored elements are held in memory
 * while it is read, the zeros are not. Throws kind `limit` where either would be too large.
 */
export function densified(name: string, sparse: TorchSparse, file: string, context: RunContext): LazyTensor {
  const site = { file, tensor: name };
  const values = openTensor(`${name}.values`, sparse.values, file, context);
  const indices = sparse.indices.map((tensor, index) =>
    openTensor(`${name}.indices.${index}`, tensor, file, context),
  );
  const size = byteLength(values.dtype, sparse.shape, site);
  const stored = indices.reduce((sum, tensor) => sum + tensor.payload.size, values.payload.size);
  checkLimit(context.limits, "expandedBytes", size, `"${name}" would become dense; bytes`, site);
  checkLimit(
    context.limits,
    "headerBytes",
    stored,
    `"${name}" holds its stored elements in memory; bytes`,
    site,
  );
  const itemBytes = elementCount(sparse.shape, site) === 0 ? 1 : size / elementCount(sparse.shape, site);

  async function load(): Promise<Cells> {
    const numbers = await Promise.all(indices.map((tensor) => readIndices(tensor, name, file)));
    const bytes = await readBytes(values.payload, 0, values.payload.size);
    const { positions, blockElements } = cellsOf(sparse, numbers, site);
    const order = [...positions.keys()].sort((a, b) => (positions[a] as number) - (positions[b] as number));
    const cells = { positions, order, bytes, cellBytes: blockElements * itemBytes };
    return { ...cells, order: summed(cells, values.dtype, name, file) };
  }

  const payload = denseSource(`${file}#${name}`, size, itemBytes, load);
  const change = `is sparse (${sparse.layout}) and would be written with its zeros, as ${size} bytes`;
  return { dtype: values.dtype, shape: sparse.shape, payload, permission: { word: "densify", change } };
}

async function readIndices(tensor: LazyTensor, name: string, file: string): Promise<readonly number[]> {
  const bytes = await readBytes(tensor.payload, 0, tensor.payload.size);
  const aligned = bytes.slice().buffer;
  if (tensor.dtype === "I64") return Array.from(new BigInt64Array(aligned), Number);
  if (tensor.dtype === "I32") return Array.from(new Int32Array(aligned));
  throw new ConvertError("malformed", `the indices of "${name}" are ${tensor.dtype}`, { file, tensor: name });
}

/** The order without the cells that come again: those are added to the first of their place, as `to_dense()` does. */
function summed({ positions, order, bytes, cellBytes }: Cells, dtype: DType, name: string, file: string) {
  const kept: number[] = [];
  const add = adderOf(dtype);
  const cell = (index: number) => bytes.subarray(index * cellBytes, (index + 1) * cellBytes);
  for (const index of order) {
    const last = kept.at(-1);
    if (last === undefined || positions[last] !== positions[index]) kept.push(index);
    else if (add) add(cell(last), cell(index));
    else {
      throw new ConvertError(
        "unsupported",
        `"${name}" is sparse and gives some elements twice, which are not added up in ${dtype}`,
        { file, tensor: name, hint: "call .coalesce() on it before saving" },
      );
    }
  }
  return kept;
}
