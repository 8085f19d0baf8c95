import { safeProduct } from "../../../bytes/size.ts";
import type { RunContext } from "../../../core/context.ts";
import { ConvertError } from "../../../core/errors.ts";
import { checkLimit } from "../../../core/limits.ts";
import { type ByteSource, bytesSource, section } from "../../../core/source.ts";
import type { LazyTensor, StorageView } from "../../../core/tensor.ts";
import { gathered } from "../../../strides/strided.ts";
import type { TorchDType } from "../values/dtypes.ts";
import { resolveBits } from "../values/lazy-bits.ts";
import type { TorchTensor } from "../values/torch-values.ts";

/** A described tensor as a lazy one: bounds checked, strides resolved. Throws kind `malformed` where it leaves its storage. */
export function openTensor(name: string, tensor: TorchTensor, file: string, context: RunContext): LazyTensor {
  const stored = openStored(name, tensor, file, context);
  if (tensor.bits === undefined) return stored;
  // Its values are not those of the bytes it shares, so it counts as a storage of its own.
  return { ...stored, payload: resolveBits(stored.payload, stored.dtype, tensor.bits), view: undefined };
}

function openStored(name: string, tensor: TorchTensor, file: string, context: RunContext): LazyTensor {
  const { storage, dtype, offset, shape, strides } = tensor;
  const site = { file, tensor: name };
  const elements = safeProduct(shape);
  const bytes = elements === undefined ? undefined : safeProduct([elements, dtype.itemBytes]);
  if (bytes === undefined) {
    throw new ConvertError(
      "malformed",
      `shape [${shape.join(", ")}] has more elements than any file holds`,
      site,
    );
  }
  const whole = packedShape(shape, dtype.packed, name, file);
  const label = `${file}#${name}`;
  const start = offset * dtype.itemBytes;
  if (bytes === 0) {
    const empty = Math.min(start, storage.source.size);
    const view = viewOf(tensor, empty, empty, true);
    return lazyTensor(dtype, whole, bytesSource(label, new Uint8Array(0)), view);
  }
  const end = (lastElement(offset, shape, strides) + 1) * dtype.itemBytes;
  if (!Number.isSafeInteger(end) || end > storage.source.size) {
    throw new ConvertError(
      "malformed",
      `"${name}" (offset ${offset}, shape [${shape.join(", ")}], strides [${strides.join(", ")}]) leaves its storage of ${storage.source.size} bytes`,
      site,
    );
  }
  if (isContiguous(shape, strides)) {
    const payload = section(storage.source, start, end, label);
    return lazyTensor(dtype, whole, payload, viewOf(tensor, start, end, true));
  }
  const growth = bytes - storage.source.size;
  if (growth > 0) {
    checkLimit(
      context.limits,
      "expandedBytes",
      growth,
      `"${name}" repeats a few elements by its strides; bytes to add`,
      site,
    );
    context.warn({
      code: "expanded",
      tensor: name,
      message: `"${name}" shows ${storage.source.size} stored bytes as ${bytes} and is written in full`,
    });
  }
  const payload = gathered(storage.source, {
    name: label,
    offset,
    shape,
    strides,
    itemBytes: dtype.itemBytes,
  });
  return lazyTensor(dtype, whole, payload, viewOf(tensor, start, end, false));
}

/** One literal, so that all tensors have one hidden class: a spread would give each its own, of 250 bytes, and slow all that look at them. */
function lazyTensor(
  { dtype }: TorchDType,
  shape: readonly number[],
  payload: ByteSource,
  view: StorageView,
): LazyTensor {
  return { dtype, shape, payload, view };
}

function viewOf(
  { storage, strides }: TorchTensor,
  start: number,
  end: number,
  contiguous: boolean,
): StorageView {
  return { storage: storage.key, source: storage.source, start, end, strides, contiguous };
}

/** A `_x2` type packs two elements into one of torch's; the shape we give counts the real ones. */
function packedShape(
  shape: readonly number[],
  packed: number,
  name: string,
  file: string,
): readonly number[] {
  if (packed === 1) return shape;
  const last = shape.at(-1);
  if (last === undefined) {
    throw new ConvertError("unsupported", `"${name}" is a scalar of a packed type`, { file, tensor: name });
  }
  return [...shape.slice(0, -1), last * packed];
}

function lastElement(offset: number, shape: readonly number[], strides: readonly number[]): number {
  return shape.reduce((sum, size, index) => sum + (size - 1) * (strides[index] as number), offset);
}

/** Row-major without gaps; the stride of a dimension of one step means nothing. */
function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let index = shape.length - 1; index >= 0; index--) {
    const size = shape[index] as number;
    if (size !== 1 && strides[index] !== expected) return false;
    expected *= size;
  }
  return true;
}
